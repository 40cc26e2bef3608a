"""How near converted log-mels are to those that are computed from the audio, for the grids of public vocoders."""

from collections.abc import Sequence
from typing import Any

import librosa
import numpy as np
import torch
from numpy.typing import NDArray

from musemo_hf.audio.decoding import resample
from musemo_hf.audio.grid_conversion import METHODS, convert_log_mel
from musemo_hf.audio.mel import log_mel
from musemo_hf.audio.vocoder_grid import PRESETS, VocoderGrid

from .channels import SETTINGS
from .figures import summary

FLOOR_DB = -80.0  # of what is compared, re 1 as the vocoder's own mel bands


def conversion_figures(songs: Sequence[NDArray], sampling_rate: int) -> dict[str, dict[str, Any]]:
    """Measure the conversion to the grid of each preset, by both methods.

    Args:
        songs: The samples of each song `(samples,)`.
        sampling_rate: The sampling rate of the songs in Hz.

    Returns:
        For each preset and method the mean absolute `error` in dB, with its interval over songs, and the mean
        difference `bias`; for each preset also `step`, the mean absolute difference of adjacent frames of the log-mel
        that is computed from the audio. Bands that reach above half of our sampling rate or that of the songs are left
        out.
    """
    found: dict[str, dict[str, Any]] = {}
    for name, grid in PRESETS.items():
        if grid == VocoderGrid.of(SETTINGS):
            continue
        highest = min(SETTINGS.sampling_rate, sampling_rate) / 2
        edges = librosa.mel_frequencies(
            grid.n_mels + 2, fmin=grid.f_min, fmax=grid.f_max or grid.sampling_rate / 2, htk=grid.mel_scale == "htk"
        )
        bands = np.flatnonzero(edges[2:] <= highest)
        differences: dict[str, list[NDArray]] = {method: [] for method in METHODS}
        steps = []
        for song in songs:
            true = _decibels(grid, grid.log_mel(_at(song, sampling_rate, grid.sampling_rate)))[bands]
            steps.append(np.abs(np.diff(true, axis=1)).mean())
            ours = log_mel(_at(song, sampling_rate, SETTINGS.sampling_rate))
            for method in METHODS:
                values = convert_log_mel(ours.clamp(SETTINGS.min_db, SETTINGS.max_db), SETTINGS, grid, method)
                converted = _decibels(grid, values)[bands]
                n_frames = min(converted.shape[1], true.shape[1])
                differences[method].append(converted[:, :n_frames] - true[:, :n_frames])
        found[name] = {"step": float(np.mean(steps)), "grid": _described(grid)}
        for method, parts in differences.items():
            error = summary([np.abs(part).mean() for part in parts])
            found[name][method] = {"error": error, "bias": float(np.mean([part.mean() for part in parts]))}
    return found


def _at(song: NDArray, sampling_rate: int, wanted: int) -> torch.Tensor:
    return torch.from_numpy(resample(song, sampling_rate, wanted))[None]


def _decibels(grid: VocoderGrid, values: torch.Tensor) -> NDArray:
    return grid.decibels(values)[0].clamp_min(FLOOR_DB).numpy()


def _described(grid: VocoderGrid) -> str:
    return f"{grid.sampling_rate:,} Hz, {grid.n_mels} bands, hop {grid.hop_length}, window {grid.n_fft}"
