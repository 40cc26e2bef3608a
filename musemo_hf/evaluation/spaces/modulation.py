"""The octave-modulation space: how fast each band of a log-mel rises and falls."""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise

import numpy as np
from scipy import fft

MIN_DB, MAX_DB = -60.0, 40.0  # the extractor's range; everything is clamped to it before it is measured
N_OCTAVES = 8
N_BANDS = 16
POWER_FLOOR = 1e-2  # dB^2 per bin: a silent band has no modulation, and its logarithm must not rule the distance


def clamp_decibels(clips_db: np.ndarray) -> np.ndarray:
    """float32 copy of clips in dB, clamped to [-60, 40]."""
    return np.clip(clips_db, MIN_DB, MAX_DB, dtype=np.float32)


@lru_cache(maxsize=8)
def octave_edges(n_frames: int, n_octaves: int = N_OCTAVES) -> tuple[int, ...]:
    """First bins, `n_octaves + 1` of them, of octaves counted down from half the frame rate.

    Octave j (0 the slowest) holds the bins of (0.5 / 2^(n - j), 0.5 / 2^(n - j - 1)] cycles a frame: at 43.07 frames a
    second 0.08 - 0.17 Hz up to 10.8 - 21.5 Hz.

    Raises:
        ValueError: the clip is too short for a bin in the slowest octave.
    """
    bounds = [int(n_frames / 2 ** (n_octaves + 1 - j)) + 1 for j in range(n_octaves + 1)]
    if any(later <= first for first, later in pairwise(bounds)):
        raise ValueError(f"expected at least {2**n_octaves} frames for {n_octaves} modulation octaves, got {n_frames}")
    return tuple(bounds)


def modulation_spectrum(clips_db: np.ndarray, taper: bool = False) -> np.ndarray:
    """Mean log power of octave modulation bands by mel bands, the modulation-v1 space of PROTOCOL, section 2.

    Each mel row, less its mean, is Fourier transformed over time without a taper; the natural logarithm of its power is
    averaged over the bins of an octave and over the rows of a band.

    Args:
        clips_db: `(B, n_mels, n_frames)`, dB; clamped to [-60, 40] here.
        taper: with a Hann taper, as modulation-v3 looks at it; modulation-v1 has none.

    Returns:
        float64 `(B, 8 octaves, 16 bands)`, the slowest octave and the lowest band first.

    Raises:
        ValueError: too few frames, or mel rows that do not divide into bands.
    """
    n_clips, n_mels, n_frames = clips_db.shape
    if n_mels % N_BANDS:
        raise ValueError(f"expected a multiple of {N_BANDS} mel bands, got {n_mels}")
    edges = octave_edges(n_frames)
    result = np.empty((n_clips, N_OCTAVES, N_BANDS))
    for row, clip in enumerate(clamp_decibels(clips_db)):
        bands = octave_means(log_power(clip, taper), edges).reshape(N_BANDS, n_mels // N_BANDS, N_OCTAVES)
        result[row] = bands.mean(axis=1).T
    return result


def octave_means(spectrum: np.ndarray, edges: tuple[int, ...]) -> np.ndarray:
    """Means of `(..., bins)` over the bins of each octave, `(..., octaves)`."""
    sums = np.add.reduceat(spectrum[..., : edges[-1]], edges[:-1], axis=-1)
    return sums / np.diff(edges).astype(np.float32)


def log_power(clip: np.ndarray, taper: bool = False) -> np.ndarray:
    """Log modulation power of one clip `(n_mels, n_frames)` in dB: `(n_mels, n_frames // 2 + 1)`, dB^2 a frame."""
    centred = clip - clip.mean(axis=-1, keepdims=True)
    if taper:
        window = np.hanning(clip.shape[-1]).astype(np.float32)
        centred = centred * (window / np.sqrt(np.square(window).mean()))
    spectrum = fft.rfft(centred, axis=-1)
    power = (spectrum.real**2 + spectrum.imag**2) / np.float32(clip.shape[-1])
    return np.log(power + np.float32(POWER_FLOOR))
