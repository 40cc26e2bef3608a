"""A quality report as plain text."""

from typing import Any

from musemo_hf.commands.score.verdict import finding_sentences
from musemo_hf.reporting.quality_figures import (
    EXTERNAL,
    PARTS,
    READING,
    Figure,
    conditioning_rows,
    external_title,
    figure_rows,
    note_sentences,
)

WIDTH = 32  # characters of the first column


def score_table(result: dict[str, Any]) -> str:
    """Write the report of `musemo score` in lines.

    Args:
        result: The answer of the metric with `sides`, `n_frames`, `confidence` and `conditioning`; None stands for NaN.
    """
    interval = f"with {result['confidence']:.0%} interval" if result["confidence"] else ""
    lines = [_side(name, side) for name, side in result["sides"].items()]
    lines += ["", *finding_sentences(result)]
    if title := external_title(result):
        lines += ["", title[0].lower() + title[1:], *_lines(result, EXTERNAL)]
    lines += ["", f"{'the score of arrays, of 100':<{WIDTH}}{interval}".rstrip(), *_lines(result, PARTS)]
    lines += ["", f"how to read the score (arrays, in {result['embedder']})", *_lines(result, READING)]
    lines += _reference_scale(result)
    lines += _conditioning(result["conditioning"])
    lines += [f"note: {note}" for note in note_sentences(result.get("notes"))]
    return "\n".join(lines)


def _side(name: str, side: dict[str, Any]) -> str:
    left_out = f", {len(side['left_out'])} left out" if side["left_out"] else ""
    lines = [f"{name}  {side['path']}: {side['n_clips']} clips ({side['kind']}){left_out}"]
    lines += [f"      left out: {why}" for why in list(side["left_out"].values())[:3]]
    return "\n".join(lines)


def _lines(result: dict[str, Any], figures: dict[str, Figure]) -> list[str]:
    rows = {title: value for title, value, _ in figure_rows(result, figures)}
    if "Quality score" in rows and result.get("tier"):
        rows["Quality score"] += f"  {result['tier']}"
    return [f"{title:<{WIDTH}}{value}" for title, value in rows.items()]


def _reference_scale(result: dict[str, Any]) -> list[str]:
    if not result["ladder"]:
        return []
    steps = [*((name, score, "") for name, score in result["ladder"].items() if score is not None)]
    steps.append(("this set", result["quality_score"], "  <---"))
    steps.sort(key=lambda step: -step[1])
    return ["", "reference scale: the quality score of other sets"] + [
        f"{name:<{WIDTH}}{score:.1f}{mark}" for name, score, mark in steps
    ]


def _conditioning(report: dict[str, Any] | None) -> list[str]:
    if report is None:
        return []
    lines = ["", f"requested against predicted emotion: {report['n']} clips"]
    lines += [f"{f'CCC of {name}':<{WIDTH}}{value}" for name, value in conditioning_rows(report)]
    if report["without_request"]:
        lines.append(f"{report['without_request']} clips without a request were left out")
    return [*lines, *(f"note: {note}" for note in report["notes"].values())]
