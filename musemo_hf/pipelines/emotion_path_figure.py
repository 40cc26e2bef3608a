"""Figure of the emotion of songs over time on the valence-arousal plane."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from matplotlib.figure import Figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from musemo_hf.pipelines.emotion_path import EmotionPath

# words of Russell's circumplex (1980) for each quarter of the plane, (valence, arousal)
QUARTERS = ((-1, 1, "tense, angry"), (1, 1, "excited, happy"), (-1, -1, "sad, tired"), (1, -1, "calm, content"))
COLUMNS = 3
# the label of the cross, by the source of the path's interval
INTERVALS: dict[str | None, str] = {
    "deviation": "95 % interval, from this song's own deviations",
    "error": "95 % interval, from one error for all songs",
    "windows": "spread over windows, not an error",
}


def draw_emotion_paths(paths: "Mapping[str, EmotionPath]") -> Figure:
    """Draw a plane for each song, in rows of at most three.

    Args:
        paths: The path of each song by its title.

    Raises:
        ValueError: There is no path.
    """
    if not paths:
        raise ValueError("expected at least one path to draw, got none")
    columns = min(COLUMNS, len(paths))
    rows = -(-len(paths) // columns)
    figure = Figure(figsize=(5.6 * columns, 5.4 * rows), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes, (title, path) in zip(grid, paths.items(), strict=False):
        draw_emotion_path(path, axes, title)
    for axes in grid[len(paths) :]:
        axes.set_axis_off()
    return figure


def draw_emotion_path(path: "EmotionPath", axes: "Axes", title: str = "") -> None:
    """Draw the windows of a song from dark (beginning) to light (end), and its mean with a cross of its interval."""
    _draw_plane(axes)
    valence, arousal = path.emotion.T
    axes.plot(valence, arousal, color="#9a9aa8", linewidth=1, zorder=2)
    points = axes.scatter(
        valence, arousal, c=path.middles, cmap="viridis", s=46, edgecolors="white", linewidths=0.6, zorder=3
    )
    if len(valence) > 1:
        axes.figure.colorbar(points, ax=axes, label="seconds into the song", fraction=0.046)
        for index, word, offset in ((0, "start", (-6, -14)), (-1, "end", (6, 7))):  # apart where a path comes back
            place = (valence[index], arousal[index])
            align = "right" if index == 0 else "left"
            axes.annotate(word, place, xytext=offset, textcoords="offset points", fontsize=9, ha=align, zorder=5)
    _draw_mean(axes, path)
    axes.set_title(title, loc="left", fontsize=11)


def _draw_mean(axes: "Axes", path: "EmotionPath") -> None:
    valence, arousal = path.mean
    label = f"the song: valence {valence:+.2f}, arousal {arousal:+.2f}"
    style: dict[str, Any] = {"color": "#c2362b", "zorder": 4}
    axes.plot(valence, arousal, "o", markersize=13, markerfacecolor="none", markeredgewidth=2.2, label=label, **style)
    if path.interval is not None:
        (left, right), (low, high) = path.interval
        kind = INTERVALS[path.interval_source]
        axes.plot([left, right], [arousal, arousal], linewidth=1.6, label=kind, **style)
        axes.plot([valence, valence], [low, high], linewidth=1.6, **style)
    axes.legend(loc="upper left", bbox_to_anchor=(-0.03, -0.12), fontsize=9, frameon=False)


def _draw_plane(axes: "Axes") -> None:
    for line in (axes.axhline, axes.axvline):
        line(0, color="#d0d0da", linewidth=1, zorder=1)
    for valence, arousal, words in QUARTERS:
        across, up = "left" if valence < 0 else "right", "bottom" if arousal < 0 else "top"
        axes.text(0.95 * valence, 0.95 * arousal, words, color="#8a8a9c", fontsize=10, style="italic", ha=across, va=up)
    axes.set(xlim=(-1.02, 1.02), ylim=(-1.02, 1.02), aspect="equal")
    axes.set_xlabel("valence: unpleasant to pleasant")
    axes.set_ylabel("arousal: calm to excited")
    ticks = [-1, -0.5, 0, 0.5, 1]
    axes.set_xticks(ticks)
    axes.set_yticks(ticks)
