"""Figures of a `report.json`, read for a card."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

# figure: (name on a card, type for the Hub's model-index, how to read it)
KNOWN: dict[str, tuple[str, str, str]] = {
    "external_skill": (
        "Skill through sound",
        "external_skill",
        "the headline: in the space of a pretrained audio model that took no part in the training; 0 is the best "
        "music-free noise, 1 is other real music",
    ),
    "detectability": (
        "Detectability",
        "detectability",
        "how well a linear classifier on that space tells generated clips from real songs: 0.5 is not at all, 1 is "
        "always",
    ),
    "quality_score": (
        "Quality score",
        "spectrogram_quality",
        "0 to 100; published tiers: poor below 50, good below 70, excellent above. Noise without any music can come "
        "close to 100, so this alone proves nothing",
    ),
    "skill": (
        "Skill in its own space, arrays",
        "spectrogram_quality_skill",
        "by statistics of textures, no evidence for a generator that is built from them; 0 is the best music-free "
        "noise, 1 is other real music, below 0 is worse than noise",
    ),
    "coverage": ("Coverage", "coverage", "share of real clips that have a generated one nearby"),
    "authenticity": ("Authenticity", "authenticity", "share of clips no closer to a training clip than real ones are"),
    "ccc_real_only": (
        "CCC, trained on real songs",
        "concordance_correlation",
        "concordance correlation coefficient (CCC), mean of valence and arousal, on songs of artists that were not "
        "trained on; 1 is perfect, 0 is chance",
    ),
    "ccc_augmented": ("CCC, trained on real and generated songs", "concordance_correlation", "on the same songs"),
    "improvement_percent": (
        "Change of CCC by generated songs, %",
        "concordance_correlation_change",
        "relative to real songs alone, without an interval",
    ),
}
_ARMS = {"ccc_real_only": "real", "ccc_augmented": "synthetic"}
_NONE = {"value": None, "interval": None}


@dataclass(frozen=True)
class Figure:
    """One measured value.

    Attributes:
        name: The name on the card.
        metric: The type of metric in the Hub's model-index.
        meaning: A sentence on how to read the value.
        value: The value.
        interval: The lower and the upper end, where the report has them.
    """

    name: str
    metric: str
    meaning: str
    value: float
    interval: tuple[float, float] | None = None

    @property
    def text(self) -> str:
        """The value with its interval, as a card shows it."""
        shown = f"{self.value:.2f}"
        return shown if self.interval is None else f"{shown} ({self.interval[0]:.2f} to {self.interval[1]:.2f})"


def read_figures(report: dict[str, Any], keys: tuple[str, ...]) -> list[Figure]:
    """Read figures by their keys from a usable report; those that it lacks are left out.

    Each stands at the top of the report, in its `quality` (the answer of `spectrogram_quality`) or in its `arms`.
    """
    found = ((key, *_read(report, key)) for key in keys)
    return [Figure(*KNOWN[key], value, interval) for key, value, interval in found if value is not None]


def _read(report: dict[str, Any], key: str) -> tuple[float | None, tuple[float, float] | None]:
    value: float | None = None
    interval: tuple[float, float] | None = None
    for entry, ends in _places(report, key):
        value = entry["value"] if value is None else value
        interval = interval or entry["interval"] or ends
    return value, None if value is None else interval


def _places(report: dict[str, Any], key: str) -> Iterator[tuple[dict[str, Any], Any]]:
    """Yield the figures that a key may stand for, the top first, each with the interval beside it."""
    for part in (report, report["quality"] or {}):
        yield part.get(key) or _NONE, part.get(f"{key}_interval")
    arm = (report["arms"] or {}).get(_ARMS.get(key, "")) or {}
    yield (arm.get("ccc") or {}).get("mean") or _NONE, None
