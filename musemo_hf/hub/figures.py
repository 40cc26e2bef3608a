"""The figures of a `report.json`, read for a card."""

import math
from dataclasses import dataclass
from typing import Any

NOT_MEASURED = "not measured"

# key of the report: (name on a card, type of the Hub's model-index, how to read it)
KNOWN: dict[str, tuple[str, str, str]] = {
    "quality_score": (
        "Quality score",
        "spectrogram_quality",
        "0 to 100, published tiers: poor below 50, good below 70, excellent above; music-free noise can reach 99, so "
        "the score alone proves nothing",
    ),
    "ccc_real_only": (
        "CCC, trained on real songs",
        "concordance_correlation",
        "mean of valence and arousal, on songs of artists that were not trained on; 1 is perfect, 0 is chance",
    ),
    "ccc_augmented": (
        "CCC, trained on real and generated songs",
        "concordance_correlation",
        "the same test songs",
    ),
    "improvement_percent": (
        "Change of CCC by generated songs, %",
        "concordance_correlation_change",
        "relative to real songs alone",
    ),
}


@dataclass(frozen=True)
class Figure:
    """One measured value.

    Attributes:
        key: in the report.
        name: on the card.
        metric: type for the Hub's model-index.
        meaning: how to read it.
        value: None where the report has none, or one that is not finite.
        interval: (low, high), where the report gives it.
    """

    key: str
    name: str
    metric: str
    meaning: str
    value: float | None
    interval: tuple[float, float] | None = None

    @property
    def text(self) -> str:
        """The value as a card shows it."""
        if self.value is None:
            return NOT_MEASURED
        shown = f"{self.value:.4g}"
        return shown if self.interval is None else f"{shown} ({self.interval[0]:.4g} to {self.interval[1]:.4g})"


def read_figures(report: dict[str, Any] | None, keys: tuple[str, ...]) -> list[Figure]:
    """The figures of these keys, each from a number or from `{"value": ..., "interval": [low, high]}`.

    Raises:
        ValueError: something else stands there.
    """
    return [Figure(key, *KNOWN[key], *_value((report or {}).get(key), key)) for key in keys]


def _value(entry: Any, key: str) -> tuple[float | None, tuple[float, float] | None]:
    interval = None
    if isinstance(entry, dict):
        interval = entry.get("interval")
        entry = entry.get("value")
    if entry is None:
        return None, None
    if isinstance(entry, bool) or not isinstance(entry, (int, float)):
        raise ValueError(f"expected report[{key!r}] to be a number or a dict with value and interval, got {entry!r}")
    if not math.isfinite(entry):
        return None, None
    return float(entry), None if interval is None else (float(interval[0]), float(interval[1]))
