"""The picture of a curve: the gain by synthetic songs, and the agreement of the arms, by the number of real songs."""

from typing import Any

import matplotlib
from matplotlib.figure import Figure

from musemo_hf.experiments.ablation.arms import EXTERNAL, GENERATIVE, arm_and_share
from musemo_hf.experiments.ablation.report.names import arm_name

APART = 0.03  # of a size, between the points of two arms


def draw_curve(report: dict[str, Any]) -> Figure:
    """Draw the gains with 95 % intervals over artists, and beside them the mean CCC of every arm."""
    arms = list(dict.fromkeys(arm for size in report["sizes"] for arm in size["arms"]))
    colours = {arm: f"C{number % 10}" for number, arm in enumerate(arms)}
    with matplotlib.rc_context({"font.size": 9, "axes.spines.top": False, "axes.spines.right": False}):
        figure = Figure(figsize=(10.5, 4.6), layout="constrained")
        gains, agreement = figure.subplots(1, 2)
        for arm in arms:
            _draw_agreement(agreement, report["sizes"], arm, colours[arm])
        synthetic = [arm for arm in arms if any(arm in size["gains"] for size in report["sizes"])]
        for place, arm in enumerate(synthetic):
            _draw_gains(gains, report["sizes"], arm, colours[arm], 1 + APART * (place - len(synthetic) / 2 + 0.5))
        gains.axhline(0, color="black", linewidth=0.8)
        gains.set_ylabel("mean CCC minus that of the best arm without synthesis")
        gains.set_title("Gain by synthetic songs, 95 % interval over artists", loc="left", fontsize=10)
        agreement.set_ylabel("mean CCC, out of fold")
        agreement.set_title("Agreement with the labels", loc="left", fontsize=10)
        for axes in (gains, agreement):
            axes.set_xscale("log")
            ticks = [size["n_real_songs"] for size in report["sizes"]]
            axes.set_xticks(ticks, [str(tick) for tick in ticks])
            axes.minorticks_off()
            axes.set_xlabel("real songs in training")
        figure.legend(*agreement.get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False)
    return figure


def _style(arm: str) -> str:
    base = arm_and_share(arm)[0]
    return ":" if base in EXTERNAL else "-" if base in GENERATIVE else "--"


def _draw_agreement(axes: Any, sizes: list[dict[str, Any]], arm: str, colour: str) -> None:
    points = [
        (size["n_real_songs"], size["arms"][arm]["ccc"]["mean"]["value"]) for size in sizes if arm in size["arms"]
    ]
    axes.plot(*zip(*points, strict=True), _style(arm), marker="o", markersize=4, color=colour, label=arm_name(arm))


def _draw_gains(axes: Any, sizes: list[dict[str, Any]], arm: str, colour: str, shift: float) -> None:
    found = [(size["n_real_songs"] * shift, size["gains"][arm]) for size in sizes if arm in size["gains"]]
    axes.plot([n for n, _ in found], [gain["value"] for _, gain in found], _style(arm), color=colour, linewidth=1)
    for n, gain in found:
        axes.plot([n, n], gain["interval"], color=colour, linewidth=1.5)
        axes.plot(n, gain["value"], "o", color=colour, markersize=4)
