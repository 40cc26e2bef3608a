"""The valence-arousal plane: one to click on, one that shows where a song lies."""

import gradio as gr
import numpy as np
from markup import asset, render, signed
from presets import PRESETS

LEFT, TOP, SIZE = 40, 8, 380  # of the field, user units; JavaScript reads them off the picture

CORNERS = (  # name, valence, arousal, colour class
    ("angry · tense", -1, 1, "red"),
    ("happy · energetic", 1, 1, "gold"),
    ("sad · calm", -1, -1, "blue"),
    ("content · relaxed", 1, -1, "green"),
)


def to_x(valence: float) -> float:
    """Valence in [-1, 1] -> user units, two digits."""
    return round(LEFT + (valence + 1) / 2 * SIZE, 2)


def to_y(arousal: float) -> float:
    """Arousal in [-1, 1] -> user units, upwards, two digits."""
    return round(TOP + (1 - arousal) / 2 * SIZE, 2)


def _plane(name: str, label: str, **drawn: object) -> str:
    nothing: dict[str, object] = {"click": False, "interval": None, "way": [], "mean": None}
    common = {"corners": CORNERS, "presets": PRESETS, "size": SIZE, "x": to_x, "y": to_y}
    return render("plane.svg.jinja2", name=name, label=label, **common, **{**nothing, **drawn})


def click_plane(valence: float, arousal: float, elem_id: str) -> gr.HTML:
    """A plane to choose a point on, by mouse, touch or arrow keys; its value is `{"valence": v, "arousal": a}`.

    Events: `input` while the point moves, `select` where it was let go, or Enter was pressed.
    """
    svg = _plane(
        "make",
        "Plane of valence and arousal",
        click=True,
        click_x=f"{LEFT} + (value.valence + 1) / 2 * {SIZE}",
        click_y=f"{TOP} + (1 - value.arousal) / 2 * {SIZE}",
    )
    value = {"valence": valence, "arousal": arousal}
    return gr.HTML(value, html_template=svg, js_on_load=asset("plane.js"), apply_default_css=False, elem_id=elem_id)


def empty_plane() -> str:
    """The plane before a song was dropped."""
    return _plane("listen", "Plane of valence and arousal, no song yet")


def song_plane(way: np.ndarray, mean: np.ndarray, spread: np.ndarray | None) -> str:
    """A plane with the way that a song takes.

    Args:
        way: `(n, 2)` (valence, arousal) over time, in [-1, 1].
        mean: `(2,)`.
        spread: `(2,)` half-widths of the interval around the mean; None for no interval.
    """
    interval = None
    if spread is not None:
        (left, bottom), (right, top) = np.clip(mean - spread, -1, 1), np.clip(mean + spread, -1, 1)
        x, y = to_x(left), to_y(top)
        interval = {"x": x, "y": y, "width": round(to_x(right) - x, 2), "height": round(to_y(bottom) - y, 2)}
    return _plane(
        "listen",
        f"The song lies at valence {signed(mean[0])}, arousal {signed(mean[1])}",
        way=[(to_x(valence), to_y(arousal)) for valence, arousal in way],
        mean=(to_x(mean[0]), to_y(mean[1])),
        interval=interval,
    )
