"""The valence-arousal plane, to click on or to show a song."""

import json
from functools import cache
from typing import Any

import gradio as gr
import numpy as np
from markup import ASSETS, asset, data_uri, render, signed, to_png
from PIL import Image, ImageFilter
from presets import PRESETS

LEFT, TOP, SIZE = 40, 8, 380  # of the field in user units; JavaScript reads them from the SVG

CORNERS = (  # name, valence, arousal, colour class
    ("angry · tense", -1, 1, "red"),
    ("happy · energetic", 1, 1, "gold"),
    ("sad · calm", -1, -1, "blue"),
    ("content · relaxed", 1, -1, "green"),
)
MANY_SONGS = 30  # from here on the plane is in full colour
VEIL = (251, 250, 247)
HINT = "Click or drag to hear it. Pale: few songs to learn from."


def to_x(valence: float) -> float:
    """Convert valence in [-1, 1] to user units, rounded to two digits."""
    return round(LEFT + (valence + 1) / 2 * SIZE, 2)


def to_y(arousal: float) -> float:
    """Convert arousal in [-1, 1] to user units (upwards), rounded to two digits."""
    return round(TOP + (1 - arousal) / 2 * SIZE, 2)


@cache
def _songs() -> dict[str, Any]:
    """Return the counts of training songs over the plane, see docs/make_density.py."""
    return json.loads((ASSETS / "songs.json").read_text(encoding="utf-8"))


def songs_near(valence: float, arousal: float) -> int:
    """Return how many training songs lie near a point of the plane; 0 for fewer than three."""
    counts = _songs()["counts"]
    row, column = (min(int((1 + place) / 2 * len(counts)), len(counts) - 1) for place in (-arousal, valence))
    return counts[row][column]


@cache
def _veil() -> str:
    """Return a picture of the field, which is paler where fewer songs are."""
    pale = 1 - np.minimum(np.sqrt(np.array(_songs()["counts"]) / MANY_SONGS), 1)
    alpha = Image.fromarray((255 * 0.7 * pale).astype(np.uint8)).resize((200, 200), Image.Resampling.BICUBIC)
    alpha = alpha.filter(ImageFilter.GaussianBlur(5))
    veil = Image.new("RGBA", alpha.size, VEIL)
    veil.putalpha(alpha)
    return data_uri(to_png(veil), "image/png")


def _plane(name: str, label: str, **drawn: object) -> str:
    nothing: dict[str, object] = {"click": False, "interval": None, "way": [], "mean": None}
    common = {"corners": CORNERS, "presets": PRESETS, "size": SIZE, "x": to_x, "y": to_y, "veil": _veil()}
    return render("plane.svg.jinja2", name=name, label=label, **common, **{**nothing, **drawn})


def click_plane(valence: float, arousal: float, elem_id: str) -> gr.HTML:
    """Return a plane to choose a point on, by mouse, touch or arrow keys, with the value `{"valence", "arousal"}`.

    It sends `input` while the point moves, and `select` when it rests or is released, or Enter is pressed. It shows
    what is recognised in sounds (`found`, see `found_on_plane`) and the start of a walk (`start`, see `place`).
    """
    svg = _plane(
        "make",
        "Plane of valence and arousal",
        click=True,
        click_x=f"{LEFT} + (value.valence + 1) / 2 * {SIZE}",
        click_y=f"{TOP} + (1 - value.arousal) / 2 * {SIZE}",
    )
    return gr.HTML(
        {"valence": valence, "arousal": arousal},
        html_template=svg,
        js_on_load=asset("plane.js"),
        apply_default_css=False,
        elem_id=elem_id,
        found={"pairs": [], "text": HINT},
        start=None,
    )


def place(valence: float, arousal: float) -> tuple[float, float]:
    """Return where a point of the plane is drawn, in user units."""
    return to_x(valence), to_y(arousal)


def found_on_plane(pairs: list[tuple[tuple[float, float], np.ndarray]], half: np.ndarray | None) -> dict[str, Any]:
    """Return what the plane shows about sounds: pairs of points in user units, and a sentence.

    Args:
        pairs: The requested and the recognised (valence, arousal) of each sound.
        half: The half widths of the recogniser's intervals of valence and arousal, `(2,)`; None if it has none.
    """
    valence, arousal = np.mean([found for _, found in pairs], axis=0)
    spread = "" if half is None else f" (± {max(half):.1f})"
    mean = " on average" if len(pairs) > 1 else ""
    text = f"\N{BLACK DIAMOND} Recognised{mean}: valence {signed(valence)}, arousal {signed(arousal)}{spread}."
    if min(songs_near(*asked) for asked, _ in pairs) == 0:
        text += " Few songs to learn from lie at this point."
    return {"pairs": [(*place(*asked), *place(*found)) for asked, found in pairs], "text": text}


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
