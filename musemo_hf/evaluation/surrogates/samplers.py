"""Samplers of noise with statistics of the references but no music: a quality metric must not take it for music."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from scipy import fft

from musemo_hf.evaluation.spaces.modulation import N_BANDS, N_OCTAVES, clamp_decibels, octave_edges, octave_means

from .reference_statistics import ReferenceStatistics, covariance_root

Sampler = Callable[[np.random.Generator], np.ndarray]  # -> one clip (n_mels, n_frames), dB
BATCH_SIZE = 32
FORGOTTEN = 1e-9  # share of an innovation that float32 does not resolve
# PROTOCOL's five; attacks on modulation-v1 ("modulation-gaussian") and modulation-v3 ("impulse-noise") are added
PROTOCOL_NOISES = ("white", "band-white", "band-ar1", "gaussian-levels", "joint-gaussian")
NOISES = (*PROTOCOL_NOISES, "modulation-gaussian", "impulse-noise")
SURROGATES = (*NOISES, "mean-spectrogram")
CONSTANT = ("mean-spectrogram",)  # all clips are the same


def sample_surrogate(
    name: str,
    statistics: ReferenceStatistics,
    n_clips: int,
    seed: int = 0,
    clamp: bool = True,
) -> Iterator[np.ndarray]:
    """Draw clips of a surrogate fitted to a reference.

    Args:
        name: The name of the surrogate, one of `SURROGATES`.
        statistics: The statistics of at least two reference clips.
        n_clips: The number of clips to draw.
        seed: The seed; clip i depends on (seed, name, i) alone.
        clamp: Whether to clamp to [-60, 40] dB; PROTOCOL, section 1, also reports the surrogates as drawn.

    Yields:
        Batches of clips, float32 `(at most 32, n_mels, n_frames)` in dB.

    Raises:
        ValueError: The name is unknown, or there are too few clips.
    """
    draw = surrogate_sampler(name, statistics, seed)
    for start in range(0, n_clips, BATCH_SIZE):
        batch = np.stack([draw(row) for row in range(start, min(start + BATCH_SIZE, n_clips))])
        yield clamp_decibels(batch) if clamp else batch


def surrogate_sampler(name: str, statistics: ReferenceStatistics, seed: int = 0) -> Callable[[int], np.ndarray]:
    """Return a function from the index of a clip to the clip `(n_mels, n_frames)`, float32 dB, not clamped."""
    if name not in SURROGATES:
        raise ValueError(f"expected a surrogate out of {', '.join(SURROGATES)}, got {name!r}")
    if statistics.n_clips < 2:
        raise ValueError(f"expected at least 2 reference clips to fit surrogates, got {statistics.n_clips}")
    sampler = _SAMPLERS[name](statistics)
    order = SURROGATES.index(name)
    return lambda row: sampler(np.random.default_rng((seed, order, row))).astype(np.float32, copy=False)


def autoregressive(innovations: np.ndarray, lag: np.ndarray) -> np.ndarray:
    """Filter to a stationary AR(1) of unit variance: x_0 = e_0, x_t = lag x_{t-1} + sqrt(1 - lag^2) e_t.

    Args:
        innovations: The innovations e of unit variance `(n_mels, n_frames)`.
        lag: The lag-1 correlation of each band `(n_mels,)` in [0, 1).

    Returns:
        The filtered bands, float32 `(n_mels, n_frames)`.
    """
    driven = innovations * np.sqrt(1 - np.square(lag))[:, None].astype(np.float32)
    driven[:, 0] = innovations[:, 0]
    power, step = np.asarray(lag, dtype=np.float64)[:, None], 1
    while step < driven.shape[1] and power.max() > FORGOTTEN:  # twice as far back in each round
        driven[:, step:] += power.astype(np.float32) * driven[:, :-step]
        power, step = power * power, 2 * step
    return driven


def _normal(rng: np.random.Generator, statistics: ReferenceStatistics) -> np.ndarray:
    return rng.standard_normal((statistics.n_mels, statistics.n_frames), dtype=np.float32)


def _white(statistics: ReferenceStatistics) -> Sampler:
    """Draw independent cells with the mean and deviation of the whole set."""
    means, deviations, _ = statistics.band_moments()
    mean, deviation = np.float32(means.mean()), np.float32(np.sqrt(np.square(deviations).mean() + means.var()))
    return lambda rng: mean + deviation * _normal(rng, statistics)


def _band_white(statistics: ReferenceStatistics) -> Sampler:
    """Draw independent cells with the mean and deviation of their band."""
    mean, deviation, _ = _columns(*statistics.band_moments())
    return lambda rng: mean + deviation * _normal(rng, statistics)


def _band_ar1(statistics: ReferenceStatistics) -> Sampler:
    """Draw AR(1) bands with the mean, deviation and lag-1 correlation of their band over the whole set."""
    moments = statistics.band_moments()
    mean, deviation, _ = _columns(*moments)
    return lambda rng: mean + deviation * autoregressive(_normal(rng, statistics), moments[2])


def _gaussian_levels(statistics: ReferenceStatistics) -> Sampler:
    """Draw a clip's band levels from their Gaussian over clips, and AR(1) about them as within reference clips."""
    draw, lag = statistics.levels().sampler(), statistics.within_lag()
    deviation = _columns(statistics.within_deviation())[0]

    def sample(rng: np.random.Generator) -> np.ndarray:
        level = _columns(draw(rng))[0]
        return level + deviation * autoregressive(_normal(rng, statistics), lag)

    return sample


def _joint_gaussian(statistics: ReferenceStatistics) -> Sampler:
    """Draw band means and log-deviations from their joint Gaussian, and AR(1) with correlated innovations."""
    n_mels, lag = statistics.n_mels, statistics.within_lag()
    draw = statistics.profile(slice(0, 2 * n_mels)).sampler()
    mixing = covariance_root(statistics.innovation_covariance()).astype(np.float32)

    def sample(rng: np.random.Generator) -> np.ndarray:
        drawn = draw(rng)
        level, deviation = _columns(drawn[:n_mels], np.exp(drawn[n_mels:]))
        return level + deviation * autoregressive(mixing @ _normal(rng, statistics), lag)

    return sample


def _modulation_gaussian(statistics: ReferenceStatistics) -> Sampler:
    """Draw band means and modulation-v1 features from their joint Gaussian, and noise with these spectra.

    This is the attack on modulation-v1: the noise is Gaussian, correlated across bands as the frames of the references
    are, and has everything that modulation-v1 measures.
    """
    n_mels, mixing = statistics.n_mels, statistics.band_root().astype(np.float32)
    draw = statistics.profile(slice(0, 3 * n_mels)).sampler()

    def sample(rng: np.random.Generator) -> np.ndarray:
        drawn = draw(rng)
        noise = impose_powers(mixing @ _normal(rng, statistics), drawn[2 * n_mels :])
        return _columns(drawn[:n_mels])[0] + noise

    return sample


def _impulse_noise(statistics: ReferenceStatistics) -> Sampler:
    """Draw noise with tapered modulation powers, whose bands are driven together by sparse random impulses.

    This is the attack on modulation-v3. AR(1) bands are driven by Gaussian innovations and by shared gamma impulses
    with the skewness and kurtosis of the reference's innovations, so that rises are sharper than falls, and many bands
    rise at once.
    """
    n_mels, lag, (share, shape) = statistics.n_mels, statistics.within_lag(), statistics.impulses()
    rest = covariance_root(statistics.innovation_covariance() - np.outer(share, share)).astype(np.float32)
    draw, struck = statistics.profile().sampler(), _columns(share)[0]

    def sample(rng: np.random.Generator) -> np.ndarray:
        drawn = draw(rng)
        impulses = ((rng.standard_gamma(shape, statistics.n_frames) - shape) / np.sqrt(shape)).astype(np.float32)
        noise = autoregressive(struck * impulses + rest @ _normal(rng, statistics), lag)
        return _columns(drawn[:n_mels])[0] + impose_powers(noise, drawn[-N_OCTAVES * N_BANDS :])

    return sample


def impose_powers(noise: np.ndarray, log_powers: np.ndarray) -> np.ndarray:
    """Give each row a mean log power in each modulation octave, and keep its phases.

    Args:
        noise: The noise `(n_mels, n_frames)`.
        log_powers: The wanted log powers `(128,)`, 8 octaves by 16 bands as in `modulation_spectrum`.

    Returns:
        The noise with these powers, float32 `(n_mels, n_frames)`, dB about a mean of 0.
    """
    n_mels, n_frames = noise.shape
    edges = octave_edges(n_frames)
    spectrum = fft.rfft(noise, axis=1)
    found = octave_means(np.log((spectrum.real**2 + spectrum.imag**2) / n_frames + 1e-9), edges)
    wanted = log_powers.reshape(N_OCTAVES, N_BANDS).repeat(n_mels // N_BANDS, axis=1).T
    widths = np.diff(edges)
    widths[0] += edges[0] - 1  # bins below the slowest octave, which only long clips have, belong to it
    spectrum[:, 1 : edges[-1]] *= np.exp(0.5 * (wanted - found)).repeat(widths, axis=1).astype(np.float32)
    spectrum[:, 0] = 0
    return fft.irfft(spectrum, n_frames, axis=1)


def _mean_spectrogram(statistics: ReferenceStatistics) -> Sampler:
    """Repeat the mean of the references."""
    mean = (statistics.spectrogram_sum / statistics.n_clips).astype(np.float32)
    return lambda rng: mean


def _columns(*vectors: np.ndarray) -> tuple[np.ndarray, ...]:
    return tuple(vector[:, None].astype(np.float32) for vector in vectors)


_SAMPLERS: dict[str, Callable[[ReferenceStatistics], Sampler]] = {
    "white": _white,
    "band-white": _band_white,
    "band-ar1": _band_ar1,
    "gaussian-levels": _gaussian_levels,
    "joint-gaussian": _joint_gaussian,
    "modulation-gaussian": _modulation_gaussian,
    "impulse-noise": _impulse_noise,
    "mean-spectrogram": _mean_spectrogram,
}
