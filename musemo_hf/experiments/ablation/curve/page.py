"""The page of a curve: the answer in one sentence, the verdict, the tables, the picture and the limits."""

import json
from pathlib import Path
from typing import Any

from musemo_hf.experiments.ablation.ablation import Ablation
from musemo_hf.experiments.ablation.arms import ARMS, EXTERNAL, arm_and_share
from musemo_hf.experiments.ablation.report.names import arm_name
from musemo_hf.files import atomic_write
from musemo_hf.reporting.figures import to_png
from musemo_hf.reporting.numbers import with_interval
from musemo_hf.reporting.provenance import caveats, label_kind
from musemo_hf.reporting.templates import render

from .picture import draw_curve
from .power import detectable


def write_curve(ablation: Ablation, report: dict[str, Any]) -> Path:
    """Write `few-songs.json`, `few-songs.md` and `few-songs.png` into the folder of the run, and return the page."""
    folder = ablation.run_dir
    atomic_write(folder / "few-songs.json", json.dumps(report, indent=1))
    atomic_write(folder / "few-songs.png", to_png(draw_curve(report), dpi=110))
    atomic_write(folder / "few-songs.md", markdown(report))
    return folder / "few-songs.md"


def markdown(report: dict[str, Any]) -> str:
    """Write the page as Markdown."""
    arms = list(dict.fromkeys(arm for size in report["sizes"] for arm in size["arms"]))
    return render(
        "few-songs.md.jinja",
        report=report,
        plan=report["configuration"]["ablation"],
        training=report["configuration"]["recogniser_training"],
        flow=report["configuration"]["flow_training"],
        answer=answer(report),
        verdicts=[verdict(size) for size in report["sizes"]],
        caveats=caveats(report["corpus"]),
        label_kind=label_kind(report["corpus"]),
        arms={arm: _sentence(arm) for arm in arms},
        rows=[row for size in report["sizes"] for row in _rows(size)],
        planned=_planned(report),
        missing=sum(len(size["missing"]) for size in report["sizes"]),
        arm_name=arm_name,
    )


def answer(report: dict[str, Any]) -> str:
    """Answer in one sentence whether synthetic songs help where there are few real ones."""
    sizes = [str(size["n_real_songs"]) for size in report["sizes"]]
    counted = sizes[0] if len(sizes) == 1 else f"{', '.join(sizes[:-1])} and {sizes[-1]}"
    gains = [(size, arm, gain) for size in report["sizes"] for arm, gain in size["gains"].items()]
    if not gains:
        return "Whether synthetic songs help where there are few real ones is not measured: no such arm is finished."
    size, arm, best = max(gains, key=lambda found: found[2]["value"])
    shown = (
        f'"{arm_name(arm)}" at {size["n_real_songs"]} songs changes the mean CCC by '
        f"{with_interval(best['value'], best['interval'], 3, '+')} (p by Holm {_p(best['p_holm'])})"
    )
    if report["helps"]:
        where = "; ".join(f'"{arm_name(arm)}" at {n}' for n, arm in report["helps"])
        return (
            f"Yes, in some cases: with {counted} real songs, synthetic songs raise the mean CCC of the recogniser over "
            f"the best arm without them for {where}; the largest gain, {shown}."
        )
    return (
        f"No gain is shown: with {counted} real songs, no way of using synthetic songs raises the mean CCC of the "
        f"recogniser over the best arm without them; the largest difference, {shown}."
    )


def verdict(size: dict[str, Any]) -> str:
    """Return the verdict of one number of real songs, in a sentence."""
    n, gains = size["n_real_songs"], size["gains"]
    if not gains:
        return f"{n} real songs: not measured."
    names = {
        "PASS": [arm for arm, gain in gains.items() if gain["helps"]],
        "FAIL": [arm for arm, gain in gains.items() if gain["interval"][1] < 0],
    }
    names["NOT SHOWN"] = [arm for arm in gains if arm not in names["PASS"] + names["FAIL"]]
    parts = [f"{word} for {', '.join(map(_quoted, arms))}" for word, arms in names.items() if arms]
    seen = max(gain["smallest_effect"] for gain in gains.values())
    return f"{n} real songs: {'; '.join(parts)}. Differences from {seen:.3f} on are detected with power 0.8."


def _planned(report: dict[str, Any]) -> str:
    """Say what the run was expected to detect, before it was made."""
    first, twice = detectable(**report["planned"])[:2]
    return (
        f"Planned before the run, with --plan, for {report['planned']['n_tested']} tested songs: a difference of "
        f"{first.one_test:.3f} is detected with power 0.8 "
        f"({first.first_test:.3f} by Holm's first test) if standard errors are those of {first.known.page}, where "
        f"recognisers learnt from 1,292 songs, and one of {twice.one_test:.3f} ({twice.first_test:.3f}) if they are "
        "twice as large. What was detectable in the end stands in the verdicts above."
    )


def _rows(size: dict[str, Any]) -> list[dict[str, str]]:
    rows = []
    for arm, figures in size["arms"].items():
        gain = size["gains"].get(arm)
        shown = ""
        if gain is not None:
            shown = f"{with_interval(gain['value'], gain['interval'], 3, '+')}, p (Holm) {_p(gain['p_holm'])}"
        rows.append(
            {
                "n": str(size["n_real_songs"]),
                "arm": arm_name(arm),
                **{
                    name: with_interval(figures["ccc"][name]["value"], figures["ccc"][name]["interval"], 3)
                    for name in ("valence", "arousal", "mean")
                },
                "to_real": _difference(figures.get("delta_real")),
                "gain": shown,
                "best": arm_name(gain["best"]) if gain else "",
                "updates": f"{figures['exposures']['steps']:.0f}",
                "data": "external" if arm_and_share(arm)[0] in EXTERNAL else "songs alone",
            }
        )
    return rows


def _quoted(arm: str) -> str:
    return f'"{arm_name(arm)}"'


def _difference(delta: dict[str, Any] | None) -> str:
    return with_interval(delta["value"], delta["interval"], 3, "+") if delta else ""


def _p(value: float) -> str:
    return f"{value:.3f}" if value >= 0.001 else "< 0.001"


def _sentence(arm: str) -> str:
    """Return what an arm is, as its docstring says."""
    return " ".join((ARMS[arm_and_share(arm)[0]].__doc__ or "").split())
