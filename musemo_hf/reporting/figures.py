"""Figures of spectrograms and curves, and their embedding in a page."""

import base64
import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import librosa
import numpy as np
from matplotlib.figure import Figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MEL_TICKS_HZ = (100, 500, 1000, 2000, 4000, 8000)


def draw_spectrogram(
    decibels: np.ndarray,
    axes: "Axes | None" = None,
    sampling_rate: int = 22050,
    hop_length: int = 512,
    title: str = "",
) -> "Axes":
    """Draw a log-mel over seconds and Hz, coloured from -60 to 40 dB.

    Args:
        decibels: The log-mel in dB `(n_mels, n_frames)`.
        axes: The axes to draw on, by default those of a new figure.
        sampling_rate: The sampling rate in Hz.
        hop_length: The number of samples between frames.
        title: The title of the axes.
    """
    if axes is None:
        axes = Figure(figsize=(7, 2.6), layout="constrained").add_subplot()
    n_mels, n_frames = decibels.shape
    seconds = n_frames * hop_length / sampling_rate
    axes.imshow(
        decibels, origin="lower", aspect="auto", cmap="magma", vmin=-60, vmax=40, extent=(0, seconds, 0, n_mels)
    )
    edges = librosa.mel_frequencies(n_mels + 2, fmin=0, fmax=sampling_rate / 2)[1:-1]
    ticks = [hz for hz in MEL_TICKS_HZ if hz < sampling_rate / 2]
    axes.set_yticks(np.interp(ticks, edges, np.arange(n_mels) + 0.5), [f"{hz:,}" for hz in ticks])
    axes.set(xlabel="s", ylabel="Hz", title=title)
    return axes


def spectrogram_grid(rows: Mapping[str, Sequence[np.ndarray]], columns: Sequence[str]) -> Figure:
    """Draw spectrograms in a table with a row for each name and a column for each title.

    Args:
        rows: The log-mels in dB `(n_mels, n_frames)` by name of row; None leaves a place empty.
        columns: The titles of the columns.
    """
    figure = Figure(figsize=(3.1 * len(columns), 2.2 * len(rows)), layout="constrained")
    grid = figure.subplots(len(rows), len(columns), squeeze=False, sharex=True, sharey=True)
    for row, (name, spectrograms) in enumerate(rows.items()):
        for column, decibels in enumerate(spectrograms):
            axes = grid[row][column]
            if decibels is None:
                axes.set_axis_off()
                continue
            draw_spectrogram(decibels, axes, title=columns[column] if row == 0 else "")
            axes.set_ylabel(f"{name}\nHz" if column == 0 else "")
            axes.set_xlabel("s" if row == len(rows) - 1 else "")
    return figure


def curves(
    series: Mapping[str, Mapping[str, Sequence[float]]], ylabel: str, band: tuple[float, float] | None
) -> Figure:
    """Draw lines over training steps.

    Args:
        series: The steps and values as {"step": [...], "value": [...]}, by name of line.
        ylabel: The label of the values.
        band: The target range (low, high) to shade, if any.
    """
    figure = Figure(figsize=(7, 2.8), layout="constrained")
    axes = figure.add_subplot()
    if band:
        axes.axhspan(*band, color="tab:green", alpha=0.12, label=f"target {band[0]:g} to {band[1]:g}")
    for name, line in series.items():
        axes.plot(line["step"], line["value"], label=name, linewidth=1.2)
    axes.set(xlabel="step", ylabel=ylabel)
    axes.legend(fontsize=8, frameon=False)
    return figure


def to_png(figure: Figure, dpi: int = 90) -> bytes:
    """Encode a figure as PNG."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=dpi)
    return buffer.getvalue()


def to_data_uri(content: bytes, mime: str) -> str:
    """Encode bytes as a data URI, so that a page stands alone."""
    return f"data:{mime};base64,{base64.b64encode(content).decode()}"
