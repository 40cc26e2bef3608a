"""The page `docs/sound.md` and its picture, from the results of `measurement.measure`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import librosa
import matplotlib
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from musemo_hf.data.demo_corpus import perform
from musemo_hf.data.demo_scores import demo_scores
from musemo_hf.data.demo_synthesis import draw_instrument
from musemo_hf.reporting.numbers import with_interval
from musemo_hf.reporting.templates import render

from .channels import DEFAULT, KEEPS_BANDS, SETTINGS, TRUE_MAGNITUDES, Channel, channels, magnitudes
from .conversion import FLOOR_DB
from .figures import FLOOR
from .measurement import SECONDS, START

PICTURE = "sound.png"
AIM = 0.02  # of a concordance correlation coefficient, before and after a channel
SHOWN_SECONDS, SHOWN_HZ = 4.0, 3000


def write_page(
    results: Mapping[str, Any], ways: Mapping[str, Channel], folder: str | Path, command: str, corpus: str
) -> Path:
    """Write `sound.md` and `sound.png` into a folder.

    Args:
        results: The results of `measure`, with `conversion`, and with the `labels` of `measure_against_labels` or None.
        ways: The channels by name, for the picture.
        folder: The folder of the page.
        command: The command that made the results.
        corpus: What the page calls the songs.

    Returns:
        The path of the page.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    draw(results, ways).savefig(folder / PICTURE, dpi=90, metadata={"Software": None})
    page = folder / "sound.md"
    page.write_text(sound_page(results, command, corpus), encoding="utf-8")
    return page


def sound_page(results: Mapping[str, Any], command: str, corpus: str) -> str:
    """Write the page in Markdown; each of its numbers is from `results`."""
    facts = {"default": DEFAULT, "true_magnitudes": TRUE_MAGNITUDES, "floor": FLOOR, "floor_db": FLOOR_DB}
    facts |= {"start": START, "seconds": SECONDS, "picture": PICTURE, "command": command, "corpus": corpus}
    vocoders = [name for name in results["channels"] if name not in channels({})]
    facts |= {"keeps_bands": KEEPS_BANDS, "vocoders": vocoders, "aim": AIM, "within": _within}
    return render("sound.md.jinja", **{"labels": None, **results}, **facts, shown=_shown)


def _shown(figure: Mapping[str, Any] | None, digits: int = 2, sign: str = "") -> str:
    return "" if figure is None else with_interval(figure["value"], figure.get("interval"), digits, sign)


def _within(after: Mapping[str, Any]) -> list[str]:
    """Return the channels after which the concordance changes by no more than the aim, in both dimensions."""
    return [
        name for name, row in after.items() if all(abs(change["value"]) <= AIM for change in row["change"].values())
    ]


def draw(results: Mapping[str, Any], ways: Mapping[str, Channel]) -> Figure:
    """Draw a synthetic song after each channel over the distances of real songs.

    The song is one of the demonstration corpus, since real songs are not ours to show.
    """
    song = demo_song()
    rows = {"the song itself": song, **{name: channel(song) for name, channel in ways.items()}}
    columns = min(3, len(rows))
    with matplotlib.rc_context({"font.size": 9, "axes.spines.top": False, "axes.spines.right": False}):
        n_rows = -(-len(rows) // columns)
        figure = Figure(figsize=(10, 2.3 * n_rows + 2.6), layout="constrained")
        upper, lower = list(figure.subfigures(2, 1, height_ratios=[2.3 * n_rows, 2.6], squeeze=False)[:, 0])
        axes = upper.subplots(n_rows, columns, squeeze=False, sharex=True, sharey=True).ravel()
        for axis in axes[len(rows) :]:
            axis.set_axis_off()
        for axis, (name, samples) in zip(axes, rows.items(), strict=False):
            _draw_magnitudes(axis, samples, name)
        upper.suptitle("A song of the demonstration corpus, before and after", fontsize=10)
        _draw_distances(lower, results["channels"])
    return figure


def demo_song(seed: int = 3) -> NDArray:
    """Return ten seconds of a melody with chords and a bass on a synthetic instrument, `(samples,)` at 22,050 Hz."""
    rng = np.random.default_rng(seed)
    emotion = np.array([0.5, 0.3])
    song = perform(demo_scores()[0], emotion, draw_instrument(rng), SECONDS, rng)
    return song[: round(SECONDS * SETTINGS.sampling_rate)]


def _draw_magnitudes(axis: Any, samples: NDArray, title: str) -> None:
    import torch

    n_frames = round(SHOWN_SECONDS * SETTINGS.sampling_rate / SETTINGS.hop_length)
    n_bins = round(SHOWN_HZ * SETTINGS.n_fft / SETTINGS.sampling_rate)
    values = magnitudes(torch.from_numpy(np.ascontiguousarray(samples))[None])[0, :n_bins, :n_frames].numpy()
    decibels = librosa.amplitude_to_db(values, ref=256.0, top_db=None)  # dB re full scale, about
    extent = (0, SHOWN_SECONDS, 0, SHOWN_HZ / 1000)
    axis.imshow(decibels, origin="lower", aspect="auto", cmap="magma", vmin=-80, vmax=-10, extent=extent)
    axis.set_title(title, fontsize=9)
    axis.set(xlabel="s", ylabel="kHz")
    axis.label_outer()


def _draw_distances(figure: Any, found: Mapping[str, Any]) -> None:
    shown = {"convergence": "spectral convergence", "log_stft": "log-STFT distance", "external": "external distance"}
    shown = {key: title for key, title in shown.items() if all(key in figures for figures in found.values())}
    names = list(found)
    for axis, (key, title) in zip(figure.subplots(1, len(shown), squeeze=False)[0], shown.items(), strict=True):
        values = [found[name][key]["value"] for name in names]
        ends = np.array([found[name][key]["interval"] for name in names]).T
        axis.barh(names, values, color=["#b8560f" if name == DEFAULT else "#1f5fa8" for name in names])
        axis.errorbar(values, names, xerr=np.abs(ends - values), fmt="none", ecolor="black", elinewidth=1)
        axis.invert_yaxis()
        axis.set_title(f"{title} (0 is the song)", fontsize=9)
        axis.label_outer()
