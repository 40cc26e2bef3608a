"""The quality report of the checkpoint, in plain words."""

import logging
from pathlib import Path
from typing import Any

from markup import render
from studio import checkpoint

log = logging.getLogger("musemo.space")

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
_KINDS = {True: "music", False: "noise"}


def load_report(name: str = "generator") -> dict[str, Any] | None:
    """Return `report.json` beside a checkpoint, in a folder or on the Hub; None if there is none that can be read."""
    from musemo_hf.reporting.stored_report import read_report, read_report_beside

    try:
        path = checkpoint(name)
        if Path(path).is_dir():
            return _harmless(read_report_beside(path))
        from huggingface_hub import hf_hub_download

        return _harmless(read_report(hf_hub_download(path, "report.json")))
    except (OSError, ValueError) as error:  # no checkpoint, repository or file, or no report
        log.warning("no report is shown: %s", error)
        return None


def _harmless(value: Any) -> Any:
    """Return a report without what Gradio and its client obey: updates of components, and files to be fetched."""
    if isinstance(value, dict):
        kept = {key: part for key, part in value.items() if key not in ("__type__", "path")}
        return {_text(key): _harmless(part) for key, part in kept.items()}
    if isinstance(value, list):
        return [_harmless(part) for part in value]
    if isinstance(value, int) and abs(value) >= 2**53:  # JavaScript has no larger whole numbers
        return float(value) if abs(value) < 2**1000 else None
    return _text(value) if isinstance(value, str) else value


def _text(value: str) -> str:
    return value.encode("utf-8", "replace").decode()  # half a surrogate pair has no bytes to be sent


def quality_html(report: dict[str, Any] | None) -> str:
    """Return the tab's HTML: the figures that were measured, and how to read them.

    Args:
        report: The report of the ablation, of any shape, with the answer of `spectrogram_quality` under `quality`.
    """
    from musemo_hf.reporting.stored_report import usable_report

    usable = usable_report(report)
    quality, nothing = usable["quality"] or {}, {"value": None, "interval": None}
    score, skill = (quality.get(name) or nothing for name in ("quality_score", "skill"))
    likeness = usable["external_skill"] or nothing
    return render(
        "quality.html.jinja2",
        likeness=likeness["value"],
        likeness_interval=_interval(likeness["interval"] or usable["external_skill_interval"], 2),
        score=score["value"],
        score_interval=_interval(score["interval"] or quality.get("quality_score_interval"), 1),
        tier=quality.get("tier") or "not rated",
        skill=skill["value"],
        skill_interval=_interval(skill["interval"] or quality.get("skill_interval"), 2),
        skill_reason=(quality.get("notes") or {}).get("skill") or "no reason was given",
        scale=_scale(quality.get("ladder") or {}, score["value"]),
        n_predictions=quality.get("n_predictions"),
        n_references=quality.get("n_references"),
        embedder=quality.get("embedder") or "not named",
    )


def _interval(ends: tuple[float, float] | None, digits: int) -> str:
    if ends is None:
        return ""
    return f"({ends[0]:.{digits}f} to {ends[1]:.{digits}f})".replace("-", "\N{MINUS SIGN}")


def _scale(ladder: dict[str, float], own: float | None) -> list[tuple[float, str, str]]:
    """Return (score, description, colour class), best first, with the generator; empty without a reference scale."""
    rows = [(score, SCALE[name][0], _KINDS[SCALE[name][1]]) for name, score in ladder.items() if name in SCALE]
    if rows and own is not None:
        rows.append((own, "this generator", "ours"))
    return sorted(rows, key=lambda row: -row[0])
