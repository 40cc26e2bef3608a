"""The valence-arousal plane, to click on or to show a song."""

import gradio as gr
import numpy as np
from markup import asset, render, signed
from presets import PRESETS

LEFT, TOP, SIZE = 40, 8, 380  # of the field in user units; JavaScript reads them from the SVG

CORNERS = (  # name, valence, arousal, colour class
    ("angry · tense", -1, 1, "red"),
    ("happy · energetic", 1, 1, "gold"),
    ("sad · calm", -1, -1, "blue"),
    ("content · relaxed", 1, -1, "green"),
)


def to_x(valence: float) -> float:
    """Convert valence in [-1, 1] to user units, rounded to two digits."""
    return round(LEFT + (valence + 1) / 2 * SIZE, 2)


def to_y(arousal: float) -> float:
    """Convert arousal in [-1, 1] to user units (upwards), rounded to two digits."""
    return round(TOP + (1 - arousal) / 2 * SIZE, 2)


def _plane(name: str, label: str, **drawn: object) -> str:
    nothing: dict[str, object] = {"click": False, "interval": None, "way": [], "mean": None}
    common = {"corners": CORNERS, "presets": PRESETS, "size": SIZE, "x": to_x, "y": to_y}
    return render("plane.svg.jinja2", name=name, label=label, **common, **{**nothing, **drawn})


def click_plane(valence: float, arousal: float, elem_id: str) -> gr.HTML:
    """Return a plane to choose a point on, by mouse, touch or arrow keys, with the value `{"valence", "arousal"}`.

    It sends `input` while the point moves, and `select` when it is released or Enter is pressed.
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
    """Return the plane before a song is uploaded."""
    return _plane("listen", "Plane of valence and arousal, no song yet")


def song_plane(way: np.ndarray, mean: np.ndarray, interval: np.ndarray | None) -> str:
    """Return a plane with the way of a song.

    Args:
        way: The (valence, arousal) over time `(n, 2)`, in [-1, 1].
        mean: The mean (valence, arousal) `(2,)`.
        interval: The [low, high] of valence and of arousal `(2, 2)`, in [-1, 1]; None for no interval.
    """
    box = None
    if interval is not None:
        (left, right), (bottom, top) = interval
        x, y = to_x(left), to_y(top)
        box = {"x": x, "y": y, "width": round(to_x(right) - x, 2), "height": round(to_y(bottom) - y, 2)}
    return _plane(
        "listen",
        f"The song lies at valence {signed(mean[0])}, arousal {signed(mean[1])}",
        way=[(to_x(valence), to_y(arousal)) for valence, arousal in way],
        mean=(to_x(mean[0]), to_y(mean[1])),
        interval=box,
    )
