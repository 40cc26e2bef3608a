"""The forest plot of an ablation."""

from typing import Any

from matplotlib.figure import Figure

from .names import arm_name, baseline_name

LEVEL = 0.05  # significance level of the p-values adjusted by Holm


def forest(report: dict[str, Any]) -> Figure:
    """Draw the difference in mean CCC to real songs of each arm and of the best baseline, with intervals.

    A star marks p (Holm) < 0.05; the grey bar of a row covers differences below the smallest effect at power 0.8.
    """
    rows = _rows(report)
    figure = Figure(figsize=(7.5, 1.3 + 0.36 * max(1, len(rows))), layout="constrained")
    axes = figure.add_subplot()
    for place, (_, delta, colour) in enumerate(reversed(rows)):
        low, high = delta["interval"]
        unseen = delta["smallest_effect"]
        axes.barh(place, 2 * unseen, left=-unseen, height=0.8, color="0.9", zorder=0)
        axes.plot([low, high], [place, place], color=colour, linewidth=2)
        axes.plot(delta["value"], place, "o", color=colour)
        if delta.get("p_holm", 1.0) < LEVEL:
            axes.annotate("*", (high, place), xytext=(4, -4), textcoords="offset points", color=colour)
    axes.axvline(0, color="black", linewidth=0.8)
    axes.set_yticks(range(len(rows)), [name for name, _, _ in reversed(rows)])
    axes.set_xlabel(
        "mean CCC minus that of real songs, 95 % interval over artists\n"
        "* p < 0.05 after Holm; grey: too small for this run to detect"
    )
    axes.set_ylim(-0.6, len(rows) - 0.4)
    axes.set_title(_verdicts(report), fontsize=9, loc="left")
    return figure


def _rows(report: dict[str, Any]) -> list[tuple[str, dict[str, Any], str]]:
    rows = []
    for arm, figures in report["arms"].items():
        if delta := figures.get("delta_real"):
            low, high = delta["interval"]
            rows.append((arm_name(arm), delta, "tab:green" if low > 0 else "tab:red" if high < 0 else "tab:gray"))
    if against := report["baselines"]["real_to_best"]:
        mean = against["mean"]
        turned = mean | {"value": -mean["value"], "interval": [-end for end in reversed(mean["interval"])]}
        rows.append((f"best baseline ({baseline_name(mean['best'])})", turned, "tab:blue"))
    return rows


def _verdicts(report: dict[str, Any]) -> str:
    verdict = report["validation"]
    return f"this run: {verdict['verdict']}; by the published criterion: {verdict['published_verdict']}"
