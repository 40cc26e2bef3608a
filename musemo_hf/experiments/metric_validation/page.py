"""The page `docs/metric-validation.md` and its figures, from the results of `validation.validate`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from musemo_hf.evaluation.score.reducer import SKILL_SPACE
from musemo_hf.evaluation.spaces.embedders import get_embedder
from musemo_hf.evaluation.surrogates.samplers import NOISES, PROTOCOL_NOISES
from musemo_hf.files import atomic_write
from musemo_hf.reporting.figures import to_png
from musemo_hf.reporting.templates import render

from .attacks import HYBRIDS, NOISE_ATTACKS, STRIPPED
from .sound_page import sound_context
from .validation import SIZES, WITHIN_CLIPS

# name: (heading, digits, +1 if more is better)
FIGURES = {
    "quality_score": ("quality score", 1, 1),
    "published_score": ("published score", 1, 1),
    "skill": ("skill", 2, 1),
    "skill_v1": ("skill, v1", 2, 1),
    "modulation_distance": ("modulation distance", 0, -1),
    "kid": ("KID", 2, -1),
    "precision": ("precision", 2, 1),
    "recall": ("recall", 2, 1),
    "density": ("density", 2, 1),
    "coverage": ("coverage", 2, 1),
    "authenticity": ("authenticity", 2, 1),
}
# PROTOCOL, section 1: 600 excerpts against 600 of each candidate
PROTOCOL_TABLE = {
    "other songs": 99.1,
    "copies": 100.0,
    "blur": 93.9,
    "time-shuffle": 93.0,
    "gaussian-levels, not clamped": 82.2,
    "gaussian-levels": 94.0,
    "joint-gaussian": 98.8,
    "mean-spectrogram": 60.5,
    "band-ar1, not clamped": 57.7,
    WITHIN_CLIPS: 57.7,
    "flip": 54.5,
    "band-white, not clamped": 44.1,
    "white, not clamped": 20.9,
}


def write_page(results: Mapping[str, Any], folder: str | Path, command: str) -> Path:
    """Write `metric-validation.md` and three figures into a folder.

    Args:
        results: The results of `validation.validate`.
        folder: The folder to write to.
        command: The command that made the results, shown on the page.

    Returns:
        The path of the page.
    """
    folder = Path(folder)
    pictures = {"ladder": scale_picture, "faults": faults_picture, "sizes": sizes_picture}
    for name, draw in pictures.items():
        atomic_write(folder / f"metric-validation-{name}.png", to_png(draw(results), dpi=80))
    page = folder / "metric-validation.md"
    atomic_write(page, markdown(results, command))
    return page


def markdown(results: Mapping[str, Any], command: str) -> str:
    """Render the page as Markdown."""
    return render(
        "metric-validation.md.jinja",
        number=number,
        results=results,
        command=command,
        figures=FIGURES,
        noises=NOISES,
        protocol_noises=PROTOCOL_NOISES,
        noise_attacks=NOISE_ATTACKS,
        stripped=STRIPPED,
        hybrids=HYBRIDS,
        protocol_table=PROTOCOL_TABLE,
        movements=movements(results),
        unordered=unordered(results),
        unordered_above_noise=unordered(results, floor=0.0),
        missed=missed(results),
        targets=targets(results),
        differing=differing(results),
        skill_dimension=get_embedder(SKILL_SPACE).dimension,
        **sound_context(results.get("sound")),
    )


def number(value: float, digits: int = 2) -> str:
    """Format a number, rounded, with thousands separators; a dash for NaN; two significant digits from 100,000."""
    if value is None or np.isnan(value):
        return "-"
    if abs(value) >= 1e5:
        return f"{value:.1e}"
    text = f"{value:,.{digits}f}"
    return text.removeprefix("-") if float(text.replace(",", "")) == 0 else text


def movements(results: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    """Compute by fault and figure how much worse the strongest step is than undamaged songs, in units of noise.

    The unit is the difference between two sets of undamaged songs, but at least 1 % of the figure's own size.
    """
    songs, again = results["ladder"]["other songs"], results["ladder"]["other songs again"]
    table = {}
    for name, fault in results["degradations"].items():
        worst = fault["steps"][-1]
        table[name] = {
            figure: sign * (songs[figure] - worst[figure]) / _unit(figure, songs, again)
            for figure, (_, _, sign) in FIGURES.items()
        }
    return table


def _unit(figure: str, songs: Mapping[str, float], again: Mapping[str, float]) -> float:
    scale = 1.0 if figure in ("skill", "skill_v1", "kid") else abs(songs[figure])
    return max(abs(songs[figure] - again[figure]), 0.01 * scale, 1e-6)


def missed(results: Mapping[str, Any], figure: str = "published_score", least: float = 3.0) -> list[str]:
    """List the faults whose strongest step makes a figure worse by under `least` units, or better."""
    return [name for name, moved in movements(results).items() if not moved[figure] >= least]


def unordered(
    results: Mapping[str, Any], figure: str = "skill", slack: float = 0.02, floor: float = -np.inf
) -> list[str]:
    """List the faults on which a figure, limited to `floor`, does not fall from undamaged songs through every step."""
    sign = FIGURES[figure][2]
    start = results["ladder"]["other songs"][figure]
    found = []
    for name, fault in results["degradations"].items():
        values = sign * np.maximum([start, *(step[figure] for step in fault["steps"])], floor)
        if not (np.diff(values) <= slack).all():
            found.append(name)
    return found


def differing(results: Mapping[str, Any]) -> list[str]:
    """List the rows of PROTOCOL's table whose total differs by over a point."""
    table = results["published_table"]
    return [name for name, total in PROTOCOL_TABLE.items() if abs(table[name][-1] - total) > 1]


def targets(results: Mapping[str, Any]) -> dict[str, Any]:
    """Collect the measurements that PROTOCOL, section 2, sets targets for."""
    ladder, attacks = results["ladder"], results["attacks"]
    noises = {name: {**ladder, **attacks}[name]["quality_score"] for name in (*NOISES, *NOISE_ATTACKS)}
    best = max(noises, key=lambda name: noises[name])
    return {
        "best_noise": best,
        "best_noise_score": noises[best],
        "best_noise_published": {**ladder, **attacks}[best]["published_score"],
        "songs": min(ladder[name]["skill"] for name in ("other songs", "other songs again")),
        "surrogates": max(ladder[name]["skill"] for name in (*NOISES, "mean-spectrogram")),
        "noise_attacks": max(attacks[name]["skill"] for name in NOISE_ATTACKS),
        "stripped": max(attacks[name]["skill"] for name in STRIPPED),
    }


def scale_picture(results: Mapping[str, Any]) -> Figure:
    """Draw the quality score and the skill of music, music taken apart, and noise, side by side."""
    candidates = {**results["ladder"], **results["attacks"]}
    names = sorted(candidates, key=lambda name: candidates[name]["skill"])
    figure = Figure(figsize=(9, 6.2), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    colours = [_colour(name) for name in names]
    left.barh(names, [candidates[name]["quality_score"] for name in names], color=colours)
    left.axvline(70, color="black", linewidth=0.8, linestyle=":")
    left.set(xlabel="quality score (70 and more is 'excellent')", xlim=(0, 100))
    right.barh(names, [max(candidates[name]["skill"], -2.0) for name in names], color=colours)
    for value in (0, 1):
        right.axvline(value, color="black", linewidth=0.8, linestyle=":")
    right.set(xlabel="skill: 0 the best noise, 1 other music (cut at -2)", xlim=(-2.05, 1.3))
    for side in (left, right):
        side.spines[["top", "right"]].set_visible(False)
        side.tick_params(labelsize=8)
    handles = [Patch(color=colour) for colour in _COLOURS.values()]
    right.legend(handles, list(_COLOURS), fontsize=8, frameon=False, loc="upper left")
    return figure


_COLOURS = {"music": "#2a9d8f", "music taken apart": "#e9c46a", "noise": "#c1443c"}


def _colour(name: str) -> str:
    if name in ("other songs", "other songs again", "copies"):
        return _COLOURS["music"]
    noise = name in (*NOISES, "mean-spectrogram", *NOISE_ATTACKS)
    return _COLOURS["noise" if noise else "music taken apart"]


def faults_picture(results: Mapping[str, Any]) -> Figure:
    """Draw how far the strongest step of each fault moves each figure."""
    table = movements(results)
    values = np.array([[table[fault][figure] for figure in FIGURES] for fault in table])
    shown = np.clip(np.nan_to_num(values), -30, 30)
    figure = Figure(figsize=(9, 5), layout="constrained")
    axes = figure.add_subplot()
    axes.imshow(np.sign(shown) * np.log1p(np.abs(shown)), cmap="RdYlGn", vmin=-3.4, vmax=3.4, aspect="auto")
    for row, column in np.ndindex(values.shape):
        value = float(values[row, column])
        text = number(value, 0) if abs(value) < 1000 else "1000+"
        axes.text(
            column, row, text, ha="center", va="center", fontsize=7, color="black" if abs(value) < 15 else "white"
        )
    axes.set_xticks(range(len(FIGURES)), [heading for heading, _, _ in FIGURES.values()], rotation=35, ha="right")
    axes.set_yticks(range(len(table)), list(table))
    axes.set_title("Fall at the strongest step, in differences between two sets of undamaged songs", fontsize=9)
    axes.tick_params(labelsize=8)
    return figure


def sizes_picture(results: Mapping[str, Any]) -> Figure:
    """Draw how figures depend on N."""
    shown = ("quality_score", "modulation_distance", "kid", "coverage")
    figure = Figure(figsize=(9, 2.8), layout="constrained")
    for axes, name in zip(figure.subplots(1, len(shown)), shown, strict=True):
        for kind, colour in zip(("other songs", "joint-gaussian", "impulse-noise"), _LINES, strict=True):
            rows: Sequence[Mapping[str, Any]] = [row for row in results["sizes"] if row["set"] == kind]
            axes.plot([row["n"] for row in rows], [row[name] for row in rows], ".-", color=colour, label=kind)
        axes.set_xscale("log")
        axes.set_xticks(SIZES[::2], [str(size) for size in SIZES[::2]])
        axes.minorticks_off()
        axes.set_title(FIGURES[name][0], fontsize=9)
        axes.set_xlabel("N", fontsize=8)
        axes.tick_params(labelsize=7)
        axes.spines[["top", "right"]].set_visible(False)
        if name == "kid":
            axes.set_yscale("symlog", linthresh=0.1)
    figure.axes[0].legend(fontsize=7, frameon=False)
    return figure


_LINES = ("#2a9d8f", "#e07b39", "#7b2d8b")
