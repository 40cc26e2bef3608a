"""The page and the picture on the swapped valence and arousal of DEAM's static labels of 2013.

musemo audit-labels DEAM --emomusic DIR
"""

from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.figure import Figure

from musemo_hf.data.deam.label_evidence import (
    COLUMNS,
    DIMENSIONS,
    DRAWS,
    RIDGE,
    Correlation,
    EmoMusicEvidence,
    LabelAudit,
    audit_labels,
)

__all__ = ["LabelAudit", "audit_labels", "write_audit"]

_COLOURS = {"valence_mean": "#b8560f", "arousal_mean": "#1f5fa8"}
_YEARS = {"later": "2014-15", "2013": "2013"}


def write_audit(audit: LabelAudit, folder: str | Path) -> Path:
    """Write `deam-labels.md` and `deam-labels.png` into a folder, and return the path of the page."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    figure = draw_audit(audit)
    figure.savefig(folder / "deam-labels.png", dpi=110, metadata={"Software": None})
    page = folder / "deam-labels.md"
    page.write_text(audit_page(audit), encoding="utf-8")
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
    blocks = [_HEAD.format(n=audit.n_2013)]
    if audit.emomusic is not None:
        blocks.append(_emomusic_block(audit.emomusic))
    loudness, transfer, difference, folds = audit.loudness, audit.transfer, audit.difference, audit.folds
    rows = [
        [name, *(str(loudness[years, column]) for column in COLUMNS), str(loudness[years, COLUMNS[0]].n)]
        for years, name in _YEARS.items()
    ]
    blocks.append(
        "## Loudness changes sides\n\nCorrelation of a song's loudness (mean dB of its log-mel) with each column:"
    )
    blocks.append(_table(["songs of", *(f"`{column}`" for column in COLUMNS), "n"], rows))
    blocks.append(_TRANSFER)
    rows = [[f"predicted {name}", *(str(transfer[name, column]) for column in COLUMNS)] for name in DIMENSIONS]
    blocks.append(_table(["songs of 2013", *(f"`{column}`" for column in COLUMNS)], rows))
    blocks.append(_DIFFERENCE.format(later=difference["later"], early=difference["2013"]))
    rows = [[labels, *(str(folds[labels, name]) for name in DIMENSIONS)] for labels in ("published", "corrected")]
    blocks.append(_FOLDS)
    blocks.append(_table(["labels", *DIMENSIONS], rows))
    blocks.append(_FOLDS_MEANING)
    blocks.append(
        _METHOD.format(early=audit.n_2013, later=audit.n_later, artists=audit.n_artists, draws=DRAWS, ridge=RIDGE)
    )
    return "\n\n".join(blocks) + "\n"


def _emomusic_block(evidence: EmoMusicEvidence) -> str:
    columns = ("valence_mean", "arousal_mean", "valence_std", "arousal_std")
    rows = []
    for column in columns:
        tail = "_std" if column.endswith("_std") else ""
        cells = [str(evidence.correlations[column, f"{name}{tail}"]) for name in DIMENSIONS]
        what = "deviation of static ratings" if tail else "second-by-second ratings"
        rows.append([f"`{column}`", what, *cells])
    table = _table(["DEAM, as published", "emoMusic", *DIMENSIONS], rows)
    return _EMOMUSIC.format(n=evidence.n, same=evidence.equal_same, opposite=evidence.equal_opposite, table=table)


def _table(header: list[str], rows: list[list[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


_HEAD = """\
# DEAM's labels of 2013: valence and arousal are swapped

In DEAM's `static_annotations_averaged_songs_1_2000.csv`, the songs with an id up to 1000 ({n} of them here) carry
**arousal under `valence_mean` and `valence_std`, and valence under `arousal_mean` and `arousal_std`**. Ids from 1001
on are right. `DeamSpectrograms` puts it right by default (`labels="corrected"`); `labels="published"` leaves the file
as it is, to compare with results that were made from it.

![The signs of the swap](deam-labels.png)"""

_EMOMUSIC = """\
## The same songs, published elsewhere, have the opposite names

DEAM's songs of 2013 first appeared as emoMusic. Of {n} songs in both, DEAM's pair (`valence_mean`, `arousal_mean`)
equals emoMusic's (arousal, valence) in **{opposite:.1%}**, and its (valence, arousal) in {same:.1%} (to DEAM's one
decimal; the latter are songs whose two values are alike). emoMusic's second-by-second ratings, collected apart from
the static ones, say which of the two files has the names right:

{table}"""

_TRANSFER = """\
## What the later songs teach, 2013 contradicts

A ridge regression learns valence and arousal from the log-mels of 2014 and 2015, without the artists that 2013 has
too, and predicts the songs of 2013. Correlation of what it predicts with each published column:"""

_DIFFERENCE = """\
Predicted arousal belongs to `valence_mean`. The first row alone would decide nothing: what sound tells of valence is
largely what it tells of arousal, so that both predictions lean to the column that holds arousal. Their difference,
which has nothing of what they share, decides: predicted valence - arousal correlates with the published
`valence_mean` - `arousal_mean` at **{later}**
within 2014-15 (out of fold), and at **{early}** in 2013."""

_FOLDS = """\
## Put right, the labels of all years fit together

The same regression on all songs, in the same five artist-disjoint folds, learning and judged by the published labels
or by the corrected ones. Correlation of out-of-fold predictions with labels:"""

_FOLDS_MEANING = """\
Arousal gains. Valence loses, as it should: of the published `valence_mean`, the part of 2013 is arousal, which is
easier to hear, so that a score for "valence" on the published file is too good."""

_METHOD = """\
## How it was measured

`musemo audit-labels DEAM --emomusic DIR` makes this page from the files alone: {early} songs of 2013 and {later} of
2014-15, by {artists} artists, in ten-second excerpts. Intervals are 95 %, from {draws} bootstrap draws of artists
(seed 0). The regression has means, deviations and mean changes from frame to frame of 128 mel bands, standardised,
with a penalty of {ridge:g}. Nothing in it was tuned.

Sources: Aljanaki, Yang, Soleymani, "Developing a benchmark for emotional analysis of music", PLoS ONE 12(3), 2017
(DEAM); Soleymani, Caro, Schmidt, Sha, Yang, "1000 songs for emotional analysis of music", CrowdMM 2013 (emoMusic)."""
