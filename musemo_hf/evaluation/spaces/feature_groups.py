"""The modulation-v3 space: three groups of features, each of which noise has to get right before it passes for music.

modulation-v1 measures the power of each octave of modulation, which is a second-order statistic: Gaussian noise with
the same spectra has all of it. Noise differs from music in the phases, and so in higher moments: in music bands start
together, starts are sharper than ends, and partials stand still. The features follow McDermott & Simoncelli 2011
(Neuron 71, 926), who describe sound textures by marginal moments, modulation power and cross-band correlations;
asymmetry in time and detail in frequency are added.

The first and last frames of a clip are replaced by a mirror image of the frames inside. An mp3 that was cut and encoded
again begins with the encoder's silence, and the first spectra are padded: every such clip has these events at the same
place, and noise can be given them without any music in it.

The features are written for any array namespace: numpy for the embedder, torch where a gradient is needed.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise
from typing import Any

import numpy as np
import scipy  # whose parts load slowly, when they are first used

from .modulation import POWER_FLOOR, clamp_decibels, octave_edges, octave_means

EDGE = 4  # frames replaced at either end, 93 ms; an mp3 encoder's delay is at most 2.2 frames, plus half a window
N_BANDS = 32  # of 4 mel rows each; everything but the spectral detail is computed from them
DISTANCES = (1, 3, 8)  # in sixteenths of the mel range
ROWS_APART = (1, 2, 3, 4, 8, 16)  # in mel rows
SURROUNDINGS = 9  # mel rows that a partial is compared with
REGIONS = (slice(4, 44), slice(44, 84), slice(84, 124))  # mel rows in which partials are described
LAGS = (1, 2, 4, 8, 16, 32)  # frames; 23 ms to 0.7 s
PULSE_LAGS = (1, 2, 4, 8, 16, 32, 64)  # frames; to 1.5 s
FLOOR = 0.3  # dB, added to every deviation in a denominator: smaller variations are inaudible
TINY = 1e-24  # dB^2, lower limit of a variance: the gradient of the root is infinite at 0
SPECTRUM, SYNCHRONY, EVENTS = 78, 38, 44
FEATURE_GROUPS = {
    "spectrum": slice(0, SPECTRUM),
    "synchrony": slice(SPECTRUM, SPECTRUM + SYNCHRONY),
    "events": slice(SPECTRUM + SYNCHRONY, SPECTRUM + SYNCHRONY + EVENTS),
}


def grouped_features(clips_db: np.ndarray) -> np.ndarray:
    """Compute the modulation-v3 features of clips.

    Args:
        clips_db: The clips `(B, 128, n_frames)` in dB, of at least 256 frames; they are clamped to [-60, 40] dB first.

    Returns:
        The features, float64 `(B, 160)`; `FEATURE_GROUPS` names the columns of each group.

    Raises:
        ValueError: There are too few frames, or the clips do not have 128 mel bands.
    """
    if clips_db.shape[1] != 128:
        raise ValueError(f"expected 128 mel bands for modulation-v3, got {clips_db.shape[1]}")
    return np.stack([features_of(clip, np) for clip in clamp_decibels(clips_db)])  # one clip at a time stays in cache


def features_of(clips: Any, xp: Any) -> Any:
    """Compute the modulation-v3 features in any array namespace; differentiable where the namespace is.

    Args:
        clips: The clips `(..., 128, n_frames)` in [-60, 40] dB.
        xp: The namespace of `clips`, numpy or torch. Numpy sums moments in float64.

    Returns:
        The features `(..., 160)`.
    """
    clips = _mirrored_ends(clips, xp)
    means = clips.mean(axis=-1, keepdims=True)
    centred = clips - means
    bands = _average(centred, N_BANDS)
    edges, spectrum = octave_edges(clips.shape[-1]), _tapered_spectrum(bands, xp)
    flux = bands[..., 1:] - bands[..., :-1]
    parts = [
        _average(means, 16),
        *_modulation_power(spectrum, edges, xp),
        *_partials(_double(means[..., 0], xp), centred @ xp.swapaxes(centred, -1, -2) / clips.shape[-1], xp),
        _coherence(_average(spectrum, 16), edges, xp),
        *_onsets(flux, xp),
        *_moments(_average(bands, 8), _average(flux, 8), xp),
    ]
    return xp.concatenate([part.reshape((*clips.shape[:-2], -1)) for part in parts], axis=-1)


def _mirrored_ends(clips: Any, xp: Any) -> Any:
    """Replace the frames at both ends by a mirror image of those inside."""
    first, last = clips[..., EDGE + 1 : 2 * EDGE + 1], clips[..., -2 * EDGE - 1 : -EDGE - 1]
    return xp.concatenate([xp.flip(first, (-1,)), clips[..., EDGE:-EDGE], xp.flip(last, (-1,))], axis=-1)


def _double(values: Any, xp: Any) -> Any:
    """Convert numpy arrays to float64; a tensor keeps its type."""
    return values.astype(np.float64) if xp is np else values


def _fft(xp: Any) -> Any:
    """Return the Fourier transforms of a namespace: for numpy scipy's, which modulation-v1 uses."""
    return scipy.fft if xp is np else xp.fft


def _average(rows: Any, n_groups: int) -> Any:
    """Average neighbouring rows of `(..., rows, n)`: `(..., n_groups, n)`."""
    return rows.reshape((*rows.shape[:-2], n_groups, -1, rows.shape[-1])).mean(axis=-2)


def _deviation(values: Any, xp: Any) -> Any:
    """Compute the population deviation over the last axis."""
    centred = values - values.mean(axis=-1, keepdims=True)
    return xp.sqrt(xp.clip((centred * centred).mean(axis=-1), TINY, None))


def _tapered_spectrum(bands: Any, xp: Any) -> Any:
    """Fourier transform over time, with a Hann window that keeps slow swells out of the fast octaves."""
    window = np.hanning(bands.shape[-1]).astype(np.float32)
    return _fft(xp).rfft(bands * xp.asarray(window / np.sqrt(np.square(window).sum())))


def _octave_means(values: Any, edges: tuple[int, ...], xp: Any) -> Any:
    """Average `(..., bins)` over the bins of each octave: `(..., 8)`."""
    if xp is np:
        return octave_means(values, edges)
    return xp.stack([values[..., first:last].mean(axis=-1) for first, last in pairwise(edges)], axis=-1)


def _modulation_power(spectrum: Any, edges: tuple[int, ...], xp: Any) -> tuple[Any, Any]:
    """Compute the log modulation power (4 bands, 8 octaves) and how far it peaks within an octave, as a pulse does."""
    power = spectrum.real**2 + spectrum.imag**2 + POWER_FLOOR
    mean_log, log_mean = _octave_means(xp.log(power), edges, xp), xp.log(_octave_means(power, edges, xp))
    return _average(mean_log, 4), _average(log_mean - mean_log, 2)[..., 2:]  # the slowest two have one or two bins


def _partials(profile: Any, covariance: Any, xp: Any) -> tuple[Any, Any]:
    """Correlate near rows, and describe by region how far rows stand out from their surroundings.

    Args:
        profile: The mean of each row `(..., 128)` in dB.
        covariance: The covariance of the rows over time `(..., 128, 128)`.
        xp: The array namespace.
    """
    deviation = xp.sqrt(xp.clip(xp.diagonal(covariance, 0, -2, -1), TINY, None)) + FLOOR
    correlation = covariance / (deviation[..., :, None] * deviation[..., None, :])
    near = xp.stack([xp.diagonal(correlation, apart, -2, -1).mean(axis=-1) for apart in ROWS_APART], axis=-1)
    sharpen = xp.asarray(_sharpen(profile.shape[-1]), dtype=profile.dtype)
    standing = profile @ sharpen.T
    moving = xp.clip(((sharpen @ covariance) * sharpen).sum(axis=-1), 0, None)
    regions = []
    for region in REGIONS:
        spread = xp.log(_deviation(standing[..., region], xp) + FLOOR)
        moved = 0.5 * xp.log(moving[..., region].mean(axis=-1) + FLOOR**2)
        regions.append(xp.stack([*_shape(standing[..., region], xp), spread, moved], axis=-1))
    return near, xp.stack(regions, axis=-2)


@lru_cache(maxsize=1)
def _sharpen(n_rows: int) -> np.ndarray:
    """`(n_rows, n_rows)`: subtracts from each row the mean of the rows around it."""
    return np.eye(n_rows) - scipy.ndimage.uniform_filter1d(np.eye(n_rows), SURROUNDINGS, axis=0)


def _coherence(spectrum: Any, edges: tuple[int, ...], xp: Any) -> Any:
    """Compute whether bands swell together: the coherence in each octave at 3 distances, in [-1, 1], `(..., 8, 3)`."""
    # with real and imaginary parts side by side, a product is the real part of that with the complex conjugate
    parts = [xp.concatenate([spectrum.real[..., a:b], spectrum.imag[..., a:b]], axis=-1) for a, b in pairwise(edges)]
    shared = xp.stack([part @ xp.swapaxes(part, -1, -2) for part in parts], axis=-3)
    scale = xp.sqrt(xp.clip(xp.diagonal(shared, 0, -2, -1), TINY, None)) + FLOOR
    shared = shared / (scale[..., :, None] * scale[..., None, :])
    return xp.stack([xp.diagonal(shared, apart, -2, -1).mean(axis=-1) for apart in DISTANCES], axis=-1)


def _onsets(flux: Any, xp: Any) -> list[Any]:
    """Describe whether all bands rise, and fall, at once: level, spread, skewness, log kurtosis; and the pulse."""
    rises, falls = (xp.clip(side, 0, None).mean(axis=-2) for side in (flux, -flux))
    parts = []
    for side in (rises, falls):
        level = side.mean(axis=-1) + FLOOR
        spread = xp.log(_deviation(side, xp) / level + 0.05)
        parts.append(xp.stack([xp.log(level), spread, *_shape(side, xp)], axis=-1))
    return [*parts, _pulse(rises, xp)]


def _pulse(rises: Any, xp: Any) -> Any:
    """Find the largest autocorrelation of the rises in each of six octaves of lag."""
    n_steps = rises.shape[-1]
    size = scipy.fft.next_fast_len(n_steps + PULSE_LAGS[-1])
    spectrum = _fft(xp).rfft(rises - rises.mean(axis=-1, keepdims=True), size)
    correlation = _fft(xp).irfft(xp.abs(spectrum) ** 2, size)[..., : PULSE_LAGS[-1]]
    correlation = correlation / (correlation[..., :1] + n_steps * (0.1 * FLOOR) ** 2)
    return xp.stack([xp.amax(correlation[..., a:b], axis=-1) for a, b in pairwise(PULSE_LAGS)], axis=-1)


def _moments(bands: Any, flux: Any, xp: Any) -> list[Any]:
    """Compute skewness and log kurtosis of levels and changes in 8 bands, and the skewness over 6 lags in 2 bands."""
    halves = _average(bands, 2)
    asymmetry = [_shape(halves[..., lag:] - halves[..., :-lag], xp)[0] for lag in LAGS]
    return [*_shape(bands, xp), *_shape(flux, xp), xp.stack(asymmetry, axis=-2)]


def _shape(values: Any, xp: Any) -> tuple[Any, Any]:
    """Compute skewness and log kurtosis over the last axis, both near 0 where the values hardly vary."""
    values = _double(values, xp)
    centred = values - values.mean(axis=-1, keepdims=True)
    square = centred * centred
    variance = square.mean(axis=-1) + FLOOR**2
    fourth = (square * square).mean(axis=-1) + FLOOR**4
    return (square * centred).mean(axis=-1) / variance**1.5, xp.log(fourth / variance**2)
