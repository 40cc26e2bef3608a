"""The aims of the project's generator, held against what a study measured; and the sources' words on diffusion."""

from typing import Any

import numpy as np

# what the sources say of diffusion
SOURCES_QUALITY, SOURCES_TIMES_SLOWER, SOURCES_HOURS = (80, 90), 50, 1000


def aims(report: dict[str, Any]) -> list[dict[str, Any]]:
    """Each aim with the candidate's figure.

    Returns:
        `aim` (words), `wanted`, `got`, `interval`, `met` (None where the figure is not defined) each; empty while the
        candidate is not there.
    """
    row = _row(report, report["candidate"])
    if row is None or not row["figures"]:
        return []
    figures = row["figures"]
    baseline = _row(report, report["baseline"])
    kid = baseline["figures"]["kid"]["value"] if baseline and baseline["figures"] else float("nan")
    rows = [
        _aim("quality score", figures["quality_score"], 90),
        _aim("skill", figures["skill"], 0.5),
        _aim(f"KID at most half that of {report['baseline']} at equal updates", figures["kid"], kid / 2, at_most=True),
        _aim("coverage, of what real songs cover", figures["coverage_of_real"], 0.6),
        _aim("authenticity, not below held-out songs' own", figures["authenticity"], row["authenticity_of_real"]),
        _aim("conditioning CCC of valence", figures["ccc_valence"], 0.5),
        _aim("conditioning CCC of arousal", figures["ccc_arousal"], 0.7),
    ]
    flags = len(row["red_flags"])
    return [*rows, {"aim": "red flags", "wanted": 0, "got": flags, "interval": None, "met": flags == 0}]


def _row(report: dict[str, Any], rung: str) -> dict[str, Any] | None:
    """A rung's row; of a flow the one of most steps."""
    return next((row for row in reversed(report["rows"]) if row["rung"] == rung), None)


def _aim(words: str, figure: dict[str, Any], wanted: float, at_most: bool = False) -> dict[str, Any]:
    got = figure["value"]
    met: bool | None = None
    if np.isfinite(got) and np.isfinite(wanted):
        met = bool(got <= wanted if at_most else got >= wanted)
    sign = "<=" if at_most else ">="
    return {"aim": f"{words} {sign}", "wanted": wanted, "got": got, "interval": figure["interval"], "met": met}


def flow_against_sources(report: dict[str, Any]) -> list[dict[str, Any]]:
    """Each flow row beside the baseline GAN: seconds to train, and how much slower it samples.

    Returns:
        `label`, `quality_score`, `hours` (of training), `times_slower` (sampling a clip, against the baseline).
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
