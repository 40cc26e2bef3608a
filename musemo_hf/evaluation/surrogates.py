"""Noise that knows the reference's statistics and no music: what a quality metric must not be fooled by."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from scipy import fft, signal

from .modulation import N_BANDS, N_OCTAVES, clamp_decibels, octave_edges
from .surrogate_statistics import ReferenceStatistics

Sampler = Callable[[np.random.Generator], np.ndarray]  # -> one clip (n_mels, n_frames), dB
BATCH_SIZE = 32
EULER_GAMMA = 0.5772156649  # -E[log p] of an exponential variable p of mean 1, as the power of noise is
# fewer than PROTOCOL's words, the same six things; "modulation-gaussian" is ours, fitted on modulation-v1 itself
NOISES = ("white", "band-white", "band-ar1", "gaussian-levels", "joint-gaussian", "modulation-gaussian")
SURROGATES = (*NOISES, "mean-spectrogram")


def sample_surrogate(
    name: str,
    statistics: ReferenceStatistics,
    n_clips: int,
    n_frames: int | None = None,
    seed: int = 0,
    clamp: bool = True,
) -> Iterator[np.ndarray]:
    """Draw clips of a surrogate fitted to a reference.

    Args:
        name: one of `SURROGATES`.
        statistics: the reference's, at least two clips.
        n_clips: clips to draw.
        n_frames: frames a clip, the reference's where None.
        seed: clip i depends on (seed, name, i) alone.
        clamp: clamp to [-60, 40] dB; PROTOCOL's section 1 also knows the surrogates as drawn.

    Yields:
        float32 `(at most 32, n_mels, n_frames)`, dB.

    Raises:
        ValueError: an unknown name; too few clips; `mean-spectrogram` asked for other frames than it was fitted on.
    """
    if name not in SURROGATES:
        raise ValueError(f"expected a surrogate out of {', '.join(SURROGATES)}, got {name!r}")
    if statistics.n_clips < 2:
        raise ValueError(f"expected at least 2 reference clips to fit surrogates, got {statistics.n_clips}")
    sampler = _SAMPLERS[name](statistics, n_frames or statistics.n_frames)
    order = SURROGATES.index(name)
    for start in range(0, n_clips, BATCH_SIZE):
        rows = range(start, min(start + BATCH_SIZE, n_clips))
        batch = np.stack([sampler(np.random.default_rng((seed, order, row))) for row in rows]).astype(np.float32)
        yield clamp_decibels(batch) if clamp else batch


def autoregressive(innovations: np.ndarray, lag: np.ndarray) -> np.ndarray:
    """Stationary AR(1) of unit variance in each band: x_0 = e_0, x_t = lag x_{t-1} + sqrt(1 - lag^2) e_t.

    Args:
        innovations: e, of unit variance, `(n_mels, n_frames)`.
        lag: lag-1 correlation of each band in [0, 1), `(n_mels,)`.

    Returns:
        float32 `(n_mels, n_frames)`.
    """
    driven = innovations * np.sqrt(1 - np.square(lag))[:, None].astype(np.float32)
    driven[:, 0] = innovations[:, 0]
    unit = np.ones(1, np.float32)
    coefficients = np.stack([np.ones_like(lag), -lag], axis=1).astype(np.float32)
    return np.stack([signal.lfilter(unit, row, band) for row, band in zip(coefficients, driven, strict=True)])


def _normal(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return rng.standard_normal(shape, dtype=np.float32)


def _white(statistics: ReferenceStatistics, n_frames: int) -> Sampler:
    """Independent cells with the mean and deviation of the whole set."""
    means, deviations, _ = statistics.band_moments()
    mean, deviation = np.float32(means.mean()), np.float32(np.sqrt(np.square(deviations).mean() + means.var()))
    return lambda rng: mean + deviation * _normal(rng, statistics.n_mels, n_frames)


def _band_white(statistics: ReferenceStatistics, n_frames: int) -> Sampler:
    """Independent cells with the mean and deviation of their band."""
    mean, deviation, _ = _columns(*statistics.band_moments())
    return lambda rng: mean + deviation * _normal(rng, statistics.n_mels, n_frames)


def _band_ar1(statistics: ReferenceStatistics, n_frames: int) -> Sampler:
    """AR(1) bands with the mean, deviation and lag-1 correlation of their band over the whole set."""
    moments = statistics.band_moments()
    mean, deviation, _ = _columns(*moments)
    return lambda rng: mean + deviation * autoregressive(_normal(rng, statistics.n_mels, n_frames), moments[2])


def _gaussian_levels(statistics: ReferenceStatistics, n_frames: int) -> Sampler:
    """A clip's band levels from their Gaussian over clips, and AR(1) about them as within the reference's clips."""
    levels, lag = statistics.levels(), statistics.within_lag()
    root, mean, deviation = levels.root(), levels.mean, _columns(statistics.within_deviation())[0]

    def sample(rng: np.random.Generator) -> np.ndarray:
        level = _columns(mean + root @ rng.standard_normal(root.shape[1]))[0]
        return level + deviation * autoregressive(_normal(rng, statistics.n_mels, n_frames), lag)

    return sample


def _joint_gaussian(statistics: ReferenceStatistics, n_frames: int) -> Sampler:
    """Band means and log-deviations from their joint Gaussian; AR(1) with innovations correlated across bands."""
    n_mels, lag = statistics.n_mels, statistics.within_lag()
    mean, covariance = statistics.profile()
    profile = type(statistics.profile())(mean[: 2 * n_mels], covariance[: 2 * n_mels, : 2 * n_mels])
    root, mixing = profile.root(), statistics.innovation_root().astype(np.float32)

    def sample(rng: np.random.Generator) -> np.ndarray:
        drawn = profile.mean + root @ rng.standard_normal(root.shape[1])
        level, deviation = _columns(drawn[:n_mels], np.exp(drawn[n_mels:]))
        return level + deviation * autoregressive(mixing @ _normal(rng, n_mels, n_frames), lag)

    return sample


def _modulation_gaussian(statistics: ReferenceStatistics, n_frames: int) -> Sampler:
    """Band means, log-deviations and modulation-v1 from their joint Gaussian; noise of those spectra.

    The attack on modulation-v1: every bin of a band's spectrum is a complex Gaussian, correlated across bands as the
    reference's are, with the power that the drawn octave has, so that all that modulation-v1 measures is right.
    """
    n_mels, profile = statistics.n_mels, statistics.profile()
    root, mixing = profile.root(), statistics.band_root().astype(np.float32)
    octave = np.searchsorted(octave_edges(n_frames), np.arange(n_frames // 2 + 1), side="right") - 1
    octave = np.clip(octave, 0, N_OCTAVES - 1)

    def sample(rng: np.random.Generator) -> np.ndarray:
        drawn = profile.mean + root @ rng.standard_normal(root.shape[1])
        level, deviation = _columns(drawn[:n_mels], np.exp(drawn[n_mels : 2 * n_mels]))
        powers = drawn[2 * n_mels :].reshape(N_OCTAVES, N_BANDS).repeat(n_mels // N_BANDS, axis=1)
        amplitude = np.exp(0.5 * (powers + EULER_GAMMA))[octave].T.astype(np.float32)
        shape = (n_mels, len(octave))
        spectrum = amplitude * (mixing @ (_normal(rng, *shape) + 1j * _normal(rng, *shape)))
        spectrum[:, 0] = 0
        noise = fft.irfft(spectrum, n_frames, axis=1)
        return level + noise * (deviation / np.maximum(noise.std(axis=1, keepdims=True), 1e-6))

    return sample


def _mean_spectrogram(statistics: ReferenceStatistics, n_frames: int) -> Sampler:
    """The reference's mean, over and over."""
    if n_frames != statistics.n_frames:
        raise ValueError(f"expected the reference's {statistics.n_frames} frames for mean-spectrogram, got {n_frames}")
    mean = (statistics.spectrogram_sum / statistics.n_clips).astype(np.float32)
    return lambda rng: mean


def _columns(*vectors: np.ndarray) -> tuple[np.ndarray, ...]:
    return tuple(vector[:, None].astype(np.float32) for vector in vectors)


_SAMPLERS: dict[str, Callable[[ReferenceStatistics, int], Sampler]] = {
    "white": _white,
    "band-white": _band_white,
    "band-ar1": _band_ar1,
    "gaussian-levels": _gaussian_levels,
    "joint-gaussian": _joint_gaussian,
    "modulation-gaussian": _modulation_gaussian,
    "mean-spectrogram": _mean_spectrogram,
}
