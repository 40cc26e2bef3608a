"""The page and the picture on the swapped valence and arousal of DEAM's static labels of 2013.

musemo audit-labels DEAM --emomusic DIR
"""

from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.figure import Figure

from musemo_hf.files import atomic_path, atomic_write
from musemo_hf.reporting.templates import render

from .evidence import COLUMNS, DIMENSIONS, DRAWS, RIDGE, Correlation, EmoMusicEvidence, LabelAudit

_COLOURS = {"valence_mean": "#b8560f", "arousal_mean": "#1f5fa8"}
_YEARS = {"later": "2014-15", "2013": "2013"}


def write_audit(audit: LabelAudit, folder: str | Path) -> Path:
    """Write `deam-labels.md` and `deam-labels.png` into a folder, and return the path of the page."""
    folder = Path(folder)
    with atomic_path(folder / "deam-labels.png") as part:
        draw_audit(audit).savefig(part, format="png", dpi=110, metadata={"Software": None})
    page = folder / "deam-labels.md"
    atomic_write(page, audit_page(audit))
    return page


def draw_audit(audit: LabelAudit) -> Figure:
    """Draw a panel for each piece of evidence."""
    panels = 3 + (audit.emomusic is not None)
    with matplotlib.rc_context({"font.size": 9, "axes.spines.top": False, "axes.spines.right": False}):
        figure = Figure(figsize=(3.3 * panels, 3.7), layout="constrained")
        axes = list(figure.subplots(1, panels, width_ratios=[1.2] * (panels - 3) + [1, 0.75, 1]))
        if audit.emomusic is not None:
            _draw_emomusic(axes.pop(0), audit.emomusic)
        _draw_bars(
            axes[0],
            [(_YEARS[years], {name: audit.loudness[years, name] for name in COLUMNS}) for years in _YEARS],
            "Loudness follows arousal.\nIn 2013 it follows `valence_mean`.",
            "r with a song's loudness",
        )
        _draw_difference(axes[1], audit)
        _draw_folds(axes[2], audit)
    return figure


def _draw_emomusic(axis: Any, evidence: EmoMusicEvidence) -> None:
    for column, values in (("arousal_mean", evidence.arousal_mean), ("valence_mean", evidence.valence_mean)):
        r = evidence.correlations[column, "arousal"].r
        axis.scatter(
            evidence.dynamic_arousal, values, s=5, alpha=0.55, color=_COLOURS[column], label=f"{column}, r = {r:.2f}"
        )
    axis.set(xlabel="emoMusic's second-by-second AROUSAL", ylabel="DEAM 2013, as published (1-9)")
    axis.set_title("The same songs in emoMusic:\n`valence_mean` is its arousal.", loc="left", fontsize=10)
    handles, names = axis.get_legend_handles_labels()
    axis.legend(handles[::-1], names[::-1], frameon=False, markerscale=3, loc="upper left", fontsize=8)
    axis.set_ylim(1, 10)


def _draw_bars(axis: Any, groups: list[tuple[str, dict[str, Correlation]]], title: str, label: str) -> None:
    for place, (_, bars) in enumerate(groups):
        for offset, (column, value) in zip((-0.2, 0.2), bars.items(), strict=True):
            _draw_bar(axis, place + offset, value, _COLOURS[column], column if place == 0 else None)
    axis.set_xticks(range(len(groups)), [f"{name}\n(n = {next(iter(bars.values())).n})" for name, bars in groups])
    axis.set_title(title, loc="left", fontsize=10)
    axis.set_ylabel(label)
    axis.set_ylim(0, 1)
    axis.legend(frameon=False, loc="upper center", fontsize=8, ncols=1)


def _draw_bar(axis: Any, place: float, value: Correlation, colour: str, label: str | None = None) -> None:
    axis.bar(place, value.r, 0.36, color=colour, label=label)
    axis.plot([place, place], [value.low, value.high], color="black", linewidth=1)
    edge, align = (value.high + 0.02, "bottom") if value.r >= 0 else (value.low - 0.02, "top")
    axis.text(place, edge, f"{value.r:.2f}", ha="center", va=align, fontsize=8)


def _draw_difference(axis: Any, audit: LabelAudit) -> None:
    for place, years in enumerate(_YEARS):
        _draw_bar(axis, place, audit.difference[years], "#4a4a4a")
    axis.axhline(0, color="black", linewidth=0.8)
    axis.set_xticks(range(2), [f"{name}\n(n = {audit.difference[years].n})" for years, name in _YEARS.items()])
    axis.set_ylim(-0.8, 0.8)
    axis.set_ylabel("r of valence - arousal, predicted by sound")
    axis.set_title("What 2014-15 teach\npredicts 2013 upside down.", loc="left", fontsize=10)


def _draw_folds(axis: Any, audit: LabelAudit) -> None:
    for place, dimension in enumerate(DIMENSIONS):
        for offset, labels, colour in ((-0.2, "published", "#b9b9b9"), (0.2, "corrected", "#2f7d4f")):
            name = f"labels {labels}" if place == 0 else None
            _draw_bar(axis, place + offset, audit.folds[labels, dimension], colour, name)
    axis.set_xticks(range(2), DIMENSIONS)
    axis.set_ylim(0, 1)
    axis.set_ylabel("r of out-of-fold predictions")
    axis.set_title("Put right, arousal is learnt better;\nvalence loses its share of arousal.", loc="left", fontsize=10)
    axis.legend(frameon=False, loc="upper left", fontsize=8)


def audit_page(audit: LabelAudit) -> str:
    """Write the page in Markdown; each of its numbers is from `audit`."""
    return render("deam-labels.md.jinja", audit=audit, years=_YEARS, draws=DRAWS, ridge=RIDGE)
