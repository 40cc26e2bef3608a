"""The octave-modulation space modulation-v1: how fast each band of a log-mel rises and falls."""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise

import numpy as np
import scipy

MIN_DB, MAX_DB = -60.0, 40.0  # the range of the feature extractor; clips are clamped to it before they are measured
N_OCTAVES = 8
N_BANDS = 16
POWER_FLOOR = 1e-2  # dB^2 per bin: the logarithm of a silent band must not dominate the distance


def clamp_decibels(clips_db: np.ndarray) -> np.ndarray:
    """Return a float32 copy of clips in dB, clamped to [-60, 40]."""
    return np.clip(clips_db, MIN_DB, MAX_DB, dtype=np.float32)


@lru_cache(maxsize=8)
def octave_edges(n_frames: int) -> tuple[int, ...]:
    """Return the first bin of each modulation octave and the end, nine bins.

    Octaves are counted down from half the frame rate. Octave j (0 is the slowest) holds the bins of
    (0.5 / 2^(n - j), 0.5 / 2^(n - j - 1)] cycles a frame: at 43.07 frames a second 0.08 - 0.17 Hz up to 10.8 - 21.5 Hz.

    Raises:
        ValueError: The clip is too short for a bin in the slowest octave.
    """
    bounds = [int(n_frames / 2 ** (N_OCTAVES + 1 - j)) + 1 for j in range(N_OCTAVES + 1)]
    if any(later <= first for first, later in pairwise(bounds)):
        raise ValueError(f"expected at least {2**N_OCTAVES} frames for {N_OCTAVES} modulation octaves, got {n_frames}")
    return tuple(bounds)


def modulation_spectrum(clips_db: np.ndarray, taper: bool = False) -> np.ndarray:
    """Compute the mean log power of octave modulation bands by mel bands (PROTOCOL, section 2).

    Each mel row, less its mean, is Fourier transformed over time; the natural logarithm of its power is averaged over
    the bins of an octave and over the rows of a band.

    Args:
        clips_db: The clips `(B, n_mels, n_frames)` in dB; they are clamped to [-60, 40] dB first.
        taper: Whether a Hann window is applied, as in modulation-v3; modulation-v1 has none.

    Returns:
        The spectrum, float64 `(B, 8 octaves, 16 bands)`, the slowest octave and the lowest band first.

    Raises:
        ValueError: There are too few frames, or the mel rows do not divide into bands.
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
    """Average `(..., bins)` over the bins of each octave: `(..., octaves)`."""
    sums = np.add.reduceat(spectrum[..., : edges[-1]], edges[:-1], axis=-1)
    return sums / np.diff(edges).astype(np.float32)


def log_power(clip: np.ndarray, taper: bool = False) -> np.ndarray:
    """Compute the log modulation power of one clip `(n_mels, n_frames)` in dB: `(n_mels, n_frames // 2 + 1)`."""
    centred = clip - clip.mean(axis=-1, keepdims=True)
    if taper:
        window = np.hanning(clip.shape[-1]).astype(np.float32)
        centred = centred * (window / np.sqrt(np.square(window).mean()))
    spectrum = scipy.fft.rfft(centred, axis=-1)
    power = (spectrum.real**2 + spectrum.imag**2) / np.float32(clip.shape[-1])
    return np.log(power + np.float32(POWER_FLOOR))
