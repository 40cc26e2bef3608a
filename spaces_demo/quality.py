"""The quality report of the checkpoint, in plain words."""

import json
import math
from pathlib import Path
from typing import Any

from markup import render
from studio import checkpoint

# name in the reference scale -> what it is, and whether it was made from songs
SCALE = {
    "copies": ("the reference songs themselves", True),
    "real": ("other real songs", True),
    "blur": ("real songs, blurred", True),
    "time-shuffle": ("real songs, frames shuffled", True),
    "flip": ("real songs, pitch upside down", True),
    "joint-gaussian": ("noise with music's statistics", False),
    "modulation-gaussian": ("noise with music's rhythms", False),
    "impulse-noise": ("noise with music's onsets", False),
    "gaussian-levels": ("noise with music's levels", False),
    "band-ar1": ("smooth noise, band by band", False),
    "band-white": ("noise, band by band", False),
    "white": ("white noise", False),
    "mean-spectrogram": ("one average sound, held", False),
}


def load_report(name: str = "generator") -> dict[str, Any] | None:
    """Return `report.json` beside a checkpoint, in a folder or on the Hub; None if there is none."""
    try:
        path = checkpoint(name)
        file = Path(path) / "report.json"
        if not Path(path).is_dir():
            from huggingface_hub import hf_hub_download

            file = Path(hf_hub_download(path, "report.json"))
        return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else None
    except (OSError, ValueError):  # no checkpoint, repository or file, or not JSON
        return None


def number(value: Any) -> float | None:
    """Return a finite number, given as such or as `{"value": ...}`; None otherwise."""
    value = value.get("value") if isinstance(value, dict) else value
    usable = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    return float(value) if usable else None


def quality_html(report: dict[str, Any] | None) -> str:
    """Return the tab's HTML: the figures that were measured, and how to read them.

    Args:
        report: The report of the ablation, with the answer of `spectrogram_quality` under `quality`.
    """
    quality = (report or {}).get("quality") or {}
    return render(
        "quality.html.jinja2",
        score=number(quality.get("quality_score")),
        score_interval=_interval(quality, "quality_score", 1),
        tier=quality.get("tier"),
        skill=number(quality.get("skill")),
        skill_interval=_interval(quality, "skill", 2),
        skill_reason=(quality.get("notes") or {}).get("skill", "no reason was given"),
        scale=_scale(quality),
        n_predictions=quality.get("n_predictions"),
        n_references=quality.get("n_references"),
        embedder=quality.get("embedder"),
    )


def _interval(quality: dict[str, Any], name: str, digits: int) -> str:
    low, high = (number(end) for end in quality.get(f"{name}_interval") or (None, None))
    if low is None or high is None:
        return ""
    return f"({low:.{digits}f} to {high:.{digits}f})".replace("-", "\N{MINUS SIGN}")


def _scale(quality: dict[str, Any]) -> list[tuple[float, str, str]]:
    """Return (score, description, colour class), best first, with the generator; empty without a reference scale."""
    scores = {name: number(value) for name, value in (quality.get("ladder") or {}).items() if name in SCALE}
    rows = [(score, SCALE[name][0], "music" if SCALE[name][1] else "noise") for name, score in scores.items() if score]
    own = number(quality.get("quality_score"))
    if rows and own is not None:
        rows.append((own, "this generator", "ours"))
    return sorted(rows, key=lambda row: -row[0])
