"""Conversion of the project's log-mels to those that another vocoder expects."""

import math
from functools import lru_cache

import librosa
import numpy as np
import torch
from torch import Tensor

from .inversion import mel_to_magnitude
from .mel import MelSettings
from .vocoder_grid import VocoderGrid

METHODS = ("magnitude", "bands")
FRAMES_AT_ONCE = 1024
# mean magnitude of Gaussian noise of power 1: bins of music within a band scatter as those of noise do
RAYLEIGH = math.sqrt(math.pi) / 2


def convert_log_mel(
    mel_db: Tensor,
    source: MelSettings,
    target: VocoderGrid,
    method: str = "magnitude",
    start: int = 0,
    stop: int | None = None,
) -> Tensor:
    """Convert log-mels in dB to the values that a vocoder takes.

    Args:
        mel_db: The log-mels `(B, source.n_mels, n_frames)` in dB.
        source: The settings of the log-mels.
        target: The grid of the vocoder.
        method: "magnitude" finds the magnitude of each bin by non-negative least squares and computes the vocoder's
            bands of it; "bands" interpolates between bands, without the magnitude. On real songs they are as near on
            the average of grids, and "magnitude" is nearer for AudioLDM's (`docs/sound.md`).
        start: The first frame of the vocoder that is wanted.
        stop: The frame after the last one that is wanted (default: the end of the song).

    Returns:
        The values `(B, target.n_mels, stop - start)`, float32 on the CPU. Bands above half the source's sampling rate
        are at the floor.

    Raises:
        ValueError: The shape or the method is another.
    """
    if mel_db.ndim != 3 or mel_db.shape[1] != source.n_mels or not mel_db.numel():
        raise ValueError(f"expected log-mels (B, {source.n_mels}, n_frames) in dB, got {tuple(mel_db.shape)}")
    if method not in METHODS:
        raise ValueError(f"expected a method out of {', '.join(METHODS)}, got {method!r}")
    n_frames = mel_db.shape[-1]
    end = target.n_frames(source.n_samples(n_frames) / source.sampling_rate) if stop is None else stop
    parts = []
    for first in range(start, end, FRAMES_AT_ONCE):
        # positions of the vocoder's frames, in frames of the source; the ends of a song are repeated
        times = target.times(first, min(first + FRAMES_AT_ONCE, end))
        position = (times * source.sampling_rate / source.hop_length).clamp(0, n_frames - 1)
        low, high = int(position[0]), min(int(position[-1]) + 2, n_frames)
        part = mel_db[..., low:high].float().cpu()
        parts.append((_by_magnitude if method == "magnitude" else _by_bands)(part, position - low, source, target))
    return torch.cat(parts, dim=-1)


def _by_magnitude(mel_db: Tensor, position: Tensor, source: MelSettings, target: VocoderGrid) -> Tensor:
    magnitude = _at(mel_to_magnitude(mel_db, source), position)
    power = _resampling(source, target) @ magnitude.square()
    bands = power if target.power == 2 else RAYLEIGH * power.sqrt()
    return target.compress(target.filters @ bands)


def _by_bands(mel_db: Tensor, position: Tensor, source: MelSettings, target: VocoderGrid) -> Tensor:
    """Interpolate the level of bands, as if the spectrum were flat within each of them."""
    centres, wanted = _centres(VocoderGrid.of(source)), _centres(target)
    place = np.interp(wanted, centres, np.arange(len(centres)))
    level = _at(_at(mel_db, position).transpose(1, 2), torch.from_numpy(place)).transpose(1, 2)
    # the power of one bin, from the sum over a band of unit area, and back
    per_bin = 10 ** (level / 10) * source.sampling_rate / source.n_fft * _ratio(source, target)
    area = target.filters.sum(dim=1, keepdim=True)
    bands = area * per_bin if target.power == 2 else area * RAYLEIGH * per_bin.sqrt()
    return target.compress(bands * torch.from_numpy(wanted <= source.sampling_rate / 2)[:, None])


def _at(values: Tensor, position: Tensor) -> Tensor:
    """Interpolate linearly along the last axis."""
    before = position.floor().long().clamp(0, values.shape[-1] - 1)
    share = (position - before).to(values.dtype)
    return values[..., before] * (1 - share) + values[..., (before + 1).clamp_max(values.shape[-1] - 1)] * share


def _ratio(source: MelSettings, target: VocoderGrid) -> float:
    """Return the power of a bin of the target over that of the source, for noise of one density per Hz."""
    return target.sampling_rate * target.n_fft / (source.sampling_rate * source.n_fft)


@lru_cache(maxsize=8)
def _resampling(source: MelSettings, target: VocoderGrid) -> Tensor:
    """Return the matrix `(1 + target.n_fft // 2, 1 + source.n_fft // 2)` from power to power.

    A bin of the target is the mean of the source over the bin's width, in proportion to the energy of the windows.
    """
    step = source.sampling_rate / source.n_fft
    edges = (np.arange(2 + target.n_fft // 2) - 0.5) * target.sampling_rate / target.n_fft / step
    own = np.arange(2 + source.n_fft // 2) - 0.5
    shared = np.minimum(edges[1:, None], own[None, 1:]) - np.maximum(edges[:-1, None], own[None, :-1])
    weights = np.maximum(shared, 0)
    total = weights.sum(axis=1, keepdims=True)
    means = np.divide(weights, total, out=np.zeros_like(weights), where=total > 0)
    return torch.from_numpy((means * _ratio(source, target)).astype(np.float32))


def _centres(grid: VocoderGrid) -> np.ndarray:
    highest = grid.f_max or grid.sampling_rate / 2
    return librosa.mel_frequencies(grid.n_mels + 2, fmin=grid.f_min, fmax=highest, htk=grid.mel_scale == "htk")[1:-1]
