"""A quality report as one picture: the reference scale of the score above, the skill below."""

from typing import TYPE_CHECKING, Any

import matplotlib
from matplotlib.figure import Figure

from musemo_hf.commands.score.verdict import best_noise, headline, scale_groups
from musemo_hf.reporting.quality_figures import OWN_SKILL

if TYPE_CHECKING:
    from matplotlib.axes import Axes

YOURS, REAL, DAMAGED, NOISE, INK = "#5b3fd6", "#1d8a4e", "#c98a12", "#b33a3a", "#22222e"
ROWS = {
    "real": ("other real music", REAL, "o"),
    "damaged": ("real music, damaged", DAMAGED, "D"),
    "noise": ("noise: no music at all", NOISE, "X"),
}
TELLING = 5.0  # points by which real music must lead noise for a score to distinguish them
LETTER = 0.88  # width of a letter in points of the score
LEVELS = (1, -1, 2, -2)  # places of names: above their markers, below, further above, further below


def draw_score(result: dict[str, Any]) -> Figure:
    """Draw the reference scale above and the skill below, with the evaluated set as the large marker in both.

    The skill is the external one where it is defined, and otherwise that of the own space.

    Args:
        result: The answer of the metric; None stands for NaN.
    """
    style = {"font.size": 11, "axes.spines.top": False, "axes.spines.right": False, "axes.spines.left": False}
    with matplotlib.rc_context(style):
        figure = Figure(figsize=(10, 6.4), layout="constrained")
        figure.suptitle(headline(result), x=0.01, ha="left", fontsize=17, fontweight="bold", color=INK)
        above, beneath = figure.subplots(2, 1, height_ratios=[3.1, 1])
        _draw_scale(above, result)
        _draw_skill(beneath, result)
    return figure


def _draw_scale(axes: "Axes", result: dict[str, Any]) -> None:
    groups = {kind: scores for kind, scores in scale_groups(result).items() if scores}
    axes.set_title(_what_the_score_tells(result), loc="left", fontsize=12, color="#55556a")
    heights = dict(zip(groups, range(len(groups), 0, -1), strict=True))
    for kind, scores in groups.items():
        _draw_row(axes, heights[kind], scores, *ROWS[kind][1:])
    _draw_yours(axes, result["quality_score"], result.get("quality_score_interval"), f"{result['quality_score']:.0f}")
    axes.axvline(result["quality_score"], color=YOURS, linewidth=1, linestyle=":", zorder=1)
    titles = [ROWS[kind][0] for kind in groups]
    axes.set_yticks([*heights.values(), 0], [*titles, "YOUR SET"])
    for label, colour in zip(axes.get_yticklabels(), [*(ROWS[kind][1] for kind in groups), YOURS], strict=True):
        label.set(color=colour, fontweight="bold", fontsize=12)
    axes.tick_params(axis="y", length=0)
    axes.set(xlim=(-3, 104), ylim=(-0.6, len(groups) + 0.6))
    axes.set_xlabel("quality score, 0 to 100")


def _what_the_score_tells(result: dict[str, Any]) -> str:
    noise, real = best_noise(result), result["ladder"].get("real")
    if noise is None or real is None:
        return "The published score"
    if noise[1] > real - TELLING:
        return f"The score cannot tell: noise reaches {noise[1]:.0f}, real music {real:.0f}"
    return f"The score: noise reaches {noise[1]:.0f}, real music {real:.0f}"


def _draw_row(axes: "Axes", height: int, scores: dict[str, float], colour: str, marker: str) -> None:
    axes.axhline(height, color="#e4e4ec", linewidth=1, zorder=0)
    taken: dict[int, float] = dict.fromkeys(LEVELS, -99.0)  # level -> where its last name ends
    for name, score in sorted(scores.items(), key=lambda item: item[1]):
        axes.plot(score, height, marker, color=colour, markersize=10, markeredgecolor="white", zorder=3)
        label = f"{score:.0f}" if name == "real" else f"{name} {score:.0f}"
        width = LETTER * len(label)
        left = min(score - width / 2, 103 - width)
        level = next((level for level in LEVELS if taken[level] < left), min(LEVELS, key=taken.__getitem__))
        taken[level] = left + width + 1
        axes.annotate(
            label,
            (left + width / 2, height),
            xytext=(0, 11 * level),
            textcoords="offset points",
            ha="center",
            va="bottom" if level > 0 else "top",
            fontsize=12 if name == "real" else 8.5,
            color=colour,
        )


def _draw_yours(axes: "Axes", value: float, ends: list[float] | None, label: str) -> None:
    if ends and None not in ends:
        axes.plot(ends, [0, 0], color=YOURS, linewidth=5, alpha=0.35, solid_capstyle="round", zorder=4)
    axes.plot(value, 0, "o", color=YOURS, markersize=26, markeredgecolor="white", markeredgewidth=1.5, zorder=5)
    axes.text(
        value,
        0,
        label,
        color="white",
        fontsize=11 if len(label) < 4 else 8,
        fontweight="bold",
        ha="center",
        va="center",
        zorder=6,
    )


def _draw_skill(axes: "Axes", result: dict[str, Any]) -> None:
    kind = "" if result.get("external_skill") is None else "external_"
    name = f"External skill, as sound in the space of {result['external_embedder']}" if kind else OWN_SKILL.capitalize()
    title = f"{name}: is it nearer to music than noise is?"
    axes.set_title(title, loc="left", fontsize=12, color="#55556a")
    skill = result.get(f"{kind}skill")
    low = min(-0.25, -0.25 if skill is None else skill - 0.15)
    axes.set(xlim=(max(low, -2.5), max(1.25, 1.15 if skill is None else min(skill, 2) + 0.15)), ylim=(-0.9, 0.9))
    axes.axvspan(-99, 0, color=NOISE, alpha=0.09, linewidth=0)
    axes.text(
        0.008, 0.9, "worse than noise", transform=axes.transAxes, color=NOISE, fontsize=10, style="italic", va="top"
    )
    axes.axhline(0, color="#d0d0da", linewidth=1, zorder=0)
    noise = result.get(f"{kind}best_noise") or "best noise"
    for place, marker, colour, words in (
        (0, "X", NOISE, f"best noise\n({noise})"),
        (1, "o", REAL, "other real\nmusic"),
    ):
        axes.plot(place, 0, marker, color=colour, markersize=12, markeredgecolor="white", zorder=3)
        axes.annotate(
            words, (place, 0), xytext=(0, -12), textcoords="offset points", ha="center", va="top", color=colour
        )
    if skill is None:
        axes.text(0.5, 0.35, "your set: not defined", color=YOURS, ha="center", fontweight="bold")
    else:
        _draw_yours(axes, max(skill, -2.4), result.get(f"{kind}skill_interval"), f"{skill:.2f}")
    axes.set_yticks([0], ["YOUR SET"])
    axes.get_yticklabels()[0].set(color=YOURS, fontweight="bold", fontsize=12)
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel("skill: 0 is the best noise, 1 is other real music")
