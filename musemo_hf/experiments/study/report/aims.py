"""The aims of the project's generator and the sources' figures of diffusion, compared with the results of a study."""

from typing import Any

import numpy as np

from musemo_hf.reporting.quality_figures import OWN_SKILL

# figures of diffusion in the sources
SOURCES_QUALITY, SOURCES_TIMES_SLOWER, SOURCES_HOURS = (80, 90), 50, 1000


def aims(report: dict[str, Any]) -> list[dict[str, Any]]:
    """Compare the figures of the candidate with the aims.

    Returns:
        For each aim `aim` (words), `wanted`, `got`, `interval` and `met` (None where the figure is not defined); empty
        while the candidate is not finished.
    """
    row = _row(report, report["candidate"])
    if row is None or not row["figures"]:
        return []
    figures = row["figures"]
    baseline = _row(report, report["baseline"])
    kid = baseline["figures"]["kid"]["value"] if baseline and baseline["figures"] else float("nan")
    rows = [
        _aim("quality score", figures["quality_score"], 90),
        _aim(OWN_SKILL, figures["skill"], 0.5),
        _aim(f"KID at most half that of {report['baseline']} at equal updates", figures["kid"], kid / 2, at_most=True),
        _aim("coverage, relative to real songs", figures["coverage_of_real"], 0.6),
        _aim("authenticity, not below held-out songs' own", figures["authenticity"], row["authenticity_of_real"]),
        _aim("conditioning CCC of valence", figures["ccc_valence"], 0.5),
        _aim("conditioning CCC of arousal", figures["ccc_arousal"], 0.7),
    ]
    flags = len(row["red_flags"])
    return [*rows, {"aim": "red flags", "wanted": 0, "got": flags, "interval": None, "met": flags == 0}]


def _row(report: dict[str, Any], variant: str) -> dict[str, Any] | None:
    """Return the row of a variant, for a flow the one with the most steps."""
    return next((row for row in reversed(report["rows"]) if row["rung"] == variant), None)


def _aim(words: str, figure: dict[str, Any], wanted: float, at_most: bool = False) -> dict[str, Any]:
    got = figure["value"]
    met: bool | None = None
    if np.isfinite(got) and np.isfinite(wanted):
        met = bool(got <= wanted if at_most else got >= wanted)
    sign = "<=" if at_most else ">="
    return {"aim": f"{words} {sign}", "wanted": wanted, "got": got, "interval": figure["interval"], "met": met}


def flow_against_sources(report: dict[str, Any]) -> list[dict[str, Any]]:
    """Compare each flow with the baseline GAN.

    Returns:
        For each row of a flow `label`, `quality_score`, `hours` (of training) and `times_slower` (the ratio of the
        sampling times of a clip).
    """
    baseline = _row(report, report["baseline"])
    if baseline is None or not baseline["figures"]:
        return []
    seconds = baseline["figures"]["sampling_seconds"]["value"]
    return [
        {
            "label": row["label"],
            "quality_score": row["figures"]["quality_score"]["value"],
            "hours": row["seconds"] / 3600,
            "times_slower": row["figures"]["sampling_seconds"]["value"] / seconds,
        }
        for row in report["rows"]
        if row["sampling"] and row["figures"]
    ]
