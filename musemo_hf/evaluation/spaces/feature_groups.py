"""The modulation-v3 space: three aspects of music, each of which noise has to get right before it passes.

modulation-v1 knows the power of each octave of modulation, which is second-order: Gaussian noise of those spectra has
all of it. What noise lacks is in the phases, and so in higher moments: bands that start together, starts that are
sharper than ends, partials that stand still. After McDermott & Simoncelli 2011 (Neuron 71, 926), whose sound textures
are made of marginal moments, modulation power and cross-band correlations; asymmetry in time and detail in frequency
are added.

The ends of a clip are left out, with a mirror image of what is inside in their place. An mp3 that was cut and encoded
again begins with the encoder's silence, and a spectrum there is padded: events that every such clip has at the same
place, and that noise can be given without any music in it.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise

import numpy as np
from scipy import fft, ndimage

from .modulation import POWER_FLOOR, clamp_decibels, octave_edges, octave_means

EDGE = 4  # frames at either end, 93 ms; an mp3 encoder's delay is at most 2.2 frames, and half a window lies about it
N_BANDS = 32  # of 4 mel rows, from which all but the spectral detail is made
DISTANCES = (1, 3, 8)  # sixteenths of the mel range apart
ROWS_APART = (1, 2, 3, 4, 8, 16)
SURROUNDINGS = 9  # rows that a partial stands out from
LAGS = (1, 2, 4, 8, 16, 32)  # frames; 23 ms to 0.7 s
PULSE_LAGS = (1, 2, 4, 8, 16, 32, 64)  # frames; to 1.5 s
FLOOR = 0.3  # dB, beside every deviation that divides: what varies less does not sound
SPECTRUM, SYNCHRONY, EVENTS = 78, 38, 44
ASPECTS = {
    "spectrum": slice(0, SPECTRUM),
    "synchrony": slice(SPECTRUM, SPECTRUM + SYNCHRONY),
    "events": slice(SPECTRUM + SYNCHRONY, SPECTRUM + SYNCHRONY + EVENTS),
}


def aspect_features(clips_db: np.ndarray) -> np.ndarray:
    """The three aspects of clips, modulation-v3.

    Args:
        clips_db: `(B, 128, n_frames)`, dB, at least 256 frames; clamped to [-60, 40] here.

    Returns:
        float64 `(B, 160)`; `ASPECTS` says which columns are which.

    Raises:
        ValueError: too few frames, or other than 128 mel bands.
    """
    if clips_db.shape[1] != 128:
        raise ValueError(f"expected 128 mel bands for modulation-v3, got {clips_db.shape[1]}")
    inside = np.pad(clamp_decibels(clips_db)[..., EDGE:-EDGE], ((0, 0), (0, 0), (EDGE, EDGE)), mode="reflect")
    return np.stack([_clip_aspects(clip) for clip in inside])


def _clip_aspects(clip: np.ndarray) -> np.ndarray:
    means = clip.mean(axis=1, keepdims=True)
    centred = clip - means
    bands = _average(centred, N_BANDS)
    edges, spectrum = octave_edges(clip.shape[1]), _tapered_spectrum(bands)
    flux = np.diff(bands, axis=1)
    parts = [
        _average(means, 16),
        *_rate(spectrum, edges),
        *_detail(means[:, 0].astype(np.float64), centred @ centred.T / np.float32(clip.shape[1])),
        _coherence(_average(spectrum, 16), edges),
        *_starts(flux),
        *_events(_average(bands, 8), _average(flux, 8)),
    ]
    return np.concatenate([np.ravel(part) for part in parts])


def _average(rows: np.ndarray, n_groups: int) -> np.ndarray:
    """Means of neighbouring rows, `(n_groups, ...)`."""
    size = len(rows) // n_groups
    groups = rows.reshape(n_groups, size, -1)
    return np.add.reduce(groups, axis=1) / rows.dtype.type(size)


def _tapered_spectrum(bands: np.ndarray) -> np.ndarray:
    """Fourier transform over time with a Hann taper, which keeps slow swells out of the fast octaves."""
    window = np.hanning(bands.shape[1]).astype(np.float32)
    return fft.rfft(bands * (window / np.sqrt(np.square(window).sum())), axis=1)


def _rate(spectrum: np.ndarray, edges: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Log modulation power (4 bands by 8 octaves), and how far it peaks within an octave, as a steady pulse does."""
    power = spectrum.real**2 + spectrum.imag**2 + np.float32(POWER_FLOOR)
    mean_log, log_mean = octave_means(np.log(power), edges), np.log(octave_means(power, edges))
    return _average(mean_log, 4), _average(log_mean - mean_log, 2)[:, 2:]  # the slowest two have a bin or two each


def _detail(profile: np.ndarray, covariance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Partials: correlation of near rows, and what stands out from its surroundings, standing and moving.

    Args:
        profile: mean of each row `(128,)`, dB.
        covariance: of the rows over time `(128, 128)`.
    """
    deviation = np.sqrt(np.maximum(np.diag(covariance), 0)) + FLOOR
    correlation = covariance / (deviation[:, None] * deviation)
    near = np.array([np.diag(correlation, distance).mean() for distance in ROWS_APART])
    sharpen = _sharpen(len(profile))
    standing = sharpen @ profile
    moving = np.einsum("ij,ij->i", sharpen @ covariance, sharpen)
    moments = [_region(standing[region], moving[region]) for region in (slice(4, 44), slice(44, 84), slice(84, 124))]
    return near, np.array(moments)


@lru_cache(maxsize=1)
def _sharpen(n_rows: int) -> np.ndarray:
    """`(n_rows, n_rows)`: a row less the mean of the rows around it."""
    return np.eye(n_rows) - ndimage.uniform_filter1d(np.eye(n_rows), SURROUNDINGS, axis=0)


def _region(standing: np.ndarray, moving: np.ndarray) -> list[float]:
    skewness, kurtosis = _shape(standing[None])
    spreads = np.log(standing.std() + FLOOR), 0.5 * np.log(np.maximum(moving, 0).mean() + FLOOR**2)
    return [float(skewness[0]), float(kurtosis[0]), *map(float, spreads)]


def _coherence(spectrum: np.ndarray, edges: tuple[int, ...]) -> np.ndarray:
    """Do bands swell together: coherence in each octave at 3 distances, in [-1, 1], `(8, 3)`."""
    # real and imaginary parts side by side: the real part of a product with its conjugate, at half the price
    parts = [np.concatenate([spectrum.real[:, a:b], spectrum.imag[:, a:b]], axis=1) for a, b in pairwise(edges)]
    shared = np.stack([part @ part.T for part in parts])
    scale = np.sqrt(np.diagonal(shared, axis1=1, axis2=2)) + np.float32(FLOOR)
    shared /= scale[:, :, None] * scale[:, None]
    return np.stack([np.diagonal(shared, distance, 1, 2).mean(axis=1) for distance in DISTANCES], axis=1)


def _starts(flux: np.ndarray) -> tuple[np.ndarray, ...]:
    """Does the whole spectrum start, and stop, as one: level, spread, skewness, log kurtosis, and the pulse."""
    parts = []
    for side in (np.maximum(flux, 0).mean(axis=0), np.maximum(-flux, 0).mean(axis=0)):
        level = side.mean() + FLOOR
        parts += [np.array([np.log(level), np.log(side.std() / level + 0.05)]), *_shape(side[None])]
    return *parts, _pulse(np.maximum(flux, 0).mean(axis=0))


def _pulse(starts: np.ndarray) -> np.ndarray:
    """Largest autocorrelation of the starts in each of six octaves of lag."""
    centred = starts - starts.mean()
    size = fft.next_fast_len(len(starts) + PULSE_LAGS[-1])
    correlation = fft.irfft(np.abs(fft.rfft(centred, size)) ** 2, size)[: PULSE_LAGS[-1]]
    correlation = correlation / (correlation[0] + len(starts) * (0.1 * FLOOR) ** 2)
    return np.array([correlation[first:last].max() for first, last in pairwise(PULSE_LAGS)])


def _events(bands: np.ndarray, flux: np.ndarray) -> tuple[np.ndarray, ...]:
    """Skewness and log kurtosis of levels and of their changes in 8 bands; of rise and fall over 6 lags in 2."""
    halves = _average(bands, 2)
    asymmetry = [_shape(halves[:, lag:] - halves[:, :-lag])[0] for lag in LAGS]
    return (*_shape(bands), *_shape(flux), np.array(asymmetry))


def _shape(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Skewness and log kurtosis of each row `(R, n)`, both near 0 where the row hardly varies."""
    count, centred = rows.shape[1], rows.astype(np.float64)
    centred -= (np.add.reduce(centred, axis=1) / count)[:, None]
    square = centred * centred
    variance = np.add.reduce(square, axis=1) / count + FLOOR**2
    third = np.einsum("rn,rn->r", square, centred) / count
    fourth = np.einsum("rn,rn->r", square, square) / count + FLOOR**4
    return third / variance**1.5, np.log(fourth / variance**2)
