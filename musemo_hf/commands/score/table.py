"""A quality report as plain text."""

from typing import Any

from musemo_hf.commands.score.verdict import score_sentence, skill_sentence

PARTS = {
    "quality_score": "quality score",
    "frechet_score": "  Fréchet (30 %)",
    "moment_score": "  moments (20 %)",
    "smoothness_score": "  smoothness (20 %)",
    "frequency_score": "  frequency (15 %)",
    "range_score": "  range (15 %)",
    "published_score": "published formula",
}
BESIDE = {
    "skill": "skill",
    "protocol_skill": "  first version",
    "modulation_distance": "modulation distance",
    "kid": "KID",
    "precision": "precision",
    "recall": "recall",
    "density": "density",
    "coverage": "coverage",
    "authenticity": "authenticity",
    "frechet_distance": "Fréchet distance",
    "frechet_distance_extrapolated": "  extrapolated",
}
WIDTH = 24


def score_table(result: dict[str, Any]) -> str:
    """The report of `musemo score` in lines.

    Args:
        result: the metric's answer with `sides`, `n_frames`, `confidence` and `conditioning`; None for NaN.
    """
    lines = [_side(name, side) for name, side in result["sides"].items()]
    lines += ["", score_sentence(result), skill_sentence(result), ""]
    lines += [f"{'of 100':<{WIDTH}}" + _interval_name(result)]
    lines += [_line(result, key, title, 1) for key, title in PARTS.items()]
    lines += ["", f"whether to believe it (in {result['embedder']})"]
    lines += [_line(result, key, title, 3) for key, title in BESIDE.items()]
    lines += _ladder(result)
    lines += _conditioning(result["conditioning"])
    lines += [f"note: {name}: {note}" for name, note in result.get("notes", {}).items()]
    return "\n".join(lines)


def _side(name: str, side: dict[str, Any]) -> str:
    left_out = f", {len(side['left_out'])} left out" if side["left_out"] else ""
    lines = [f"{name}  {side['path']}: {side['n_clips']} clips ({side['kind']}){left_out}"]
    lines += [f"      left out: {why}" for why in list(side["left_out"].values())[:3]]
    return "\n".join(lines)


def _interval_name(result: dict[str, Any]) -> str:
    return f"{'':>9}  [{result['confidence']:.0%} interval]" if result["confidence"] else ""


def _line(result: dict[str, Any], key: str, title: str, digits: int) -> str:
    value, ends = result.get(key), result.get(f"{key}_interval")
    if value is None:
        return f"{title:<{WIDTH}}{'undefined':>9}"
    interval = "" if not ends or None in ends else f"  [{ends[0]:.{digits}f}, {ends[1]:.{digits}f}]"
    remark = f"  {result['tier']}" if key == "quality_score" else ""
    return f"{title:<{WIDTH}}{value:9.{digits}f}{interval}{remark}"


def _ladder(result: dict[str, Any]) -> list[str]:
    if not result["ladder"]:
        return []
    rungs = [*((name, score, "") for name, score in result["ladder"].items() if score is not None)]
    rungs.append(("this set", result["quality_score"], "  <---"))
    rungs.sort(key=lambda rung: -rung[1])
    width = max(WIDTH, 1 + max(len(name) for name, _, _ in rungs))
    return ["", "ladder: what others score", *(f"{name:<{width}}{score:9.1f}{mark}" for name, score, mark in rungs)]


def _conditioning(report: dict[str, Any] | None) -> list[str]:
    if report is None:
        return []
    lines = ["", f"emotion asked for against heard: {report['n']} clips"]
    for index, name in enumerate(("valence", "arousal")):
        ends = report.get("ccc_interval", [None, None])[index]
        interval = f"  [{ends[0]:.3f}, {ends[1]:.3f}]" if ends and None not in ends else ""
        ccc = report["ccc"][index]
        lines.append(f"{f'CCC of {name}':<{WIDTH}}" + (f"{ccc:9.3f}{interval}" if ccc is not None else "undefined"))
    if report["without_request"]:
        lines.append(f"{report['without_request']} clips without a request were left out of it")
    return [*lines, *(f"note: {note}" for note in report["notes"].values())]
