"""The statistics of references that surrogates are drawn from: sums over clips, streamed and mergeable."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from musemo_hf.evaluation.spaces.modulation import N_BANDS, N_OCTAVES, clamp_decibels, modulation_spectrum

TINY_DEVIATION = 1e-3  # dB; a band that is silent throughout a clip has deviation 0 and no logarithm


class Gaussian(NamedTuple):
    """A multivariate Gaussian with `mean` `(P,)` and `covariance` `(P, P)`."""

    mean: np.ndarray
    covariance: np.ndarray

    def sampler(self) -> Callable[[np.random.Generator], np.ndarray]:
        """Return a function that draws `(P,)` from the Gaussian."""
        root = covariance_root(self.covariance)
        return lambda rng: self.mean + root @ rng.standard_normal(len(root))


def covariance_root(covariance: np.ndarray) -> np.ndarray:
    """Compute the symmetric root R `(P, P)` with R R = covariance; the covariance may be rank-deficient.

    The symmetric root, without the eigenvalues that are rounding errors, does not depend on the sign or the order of
    eigenvectors, so that statistics summed in another order draw the same clips.
    """
    values, vectors = np.linalg.eigh(covariance)
    kept = values > values[-1] * len(values) * np.finfo(np.float64).eps
    return (vectors[:, kept] * np.sqrt(values[kept])) @ vectors[:, kept].T


def clip_statistics(clip: np.ndarray, modulation: np.ndarray | None = None) -> dict[str, np.ndarray]:
    """Compute the summands of one clip in `ReferenceStatistics`, except those that `add` derives from them.

    Args:
        clip: The clip `(n_mels, n_frames)` in [-60, 40] dB, float32.
        modulation: The `modulation_spectrum` of the clip if it is known.

    Returns:
        The summands, float64, by the name of the sum.
    """
    n_frames = clip.shape[1]
    mean = clip.mean(axis=1, dtype=np.float64)
    centred = clip - mean[:, None].astype(np.float32)
    covariance = (centred @ centred.T).astype(np.float64) / n_frames
    lagged = (centred[:, 1:] @ centred[:, :-1].T).astype(np.float64) / (n_frames - 1)
    deviation = np.maximum(np.sqrt(np.diag(covariance)), TINY_DEVIATION)
    scale = np.outer(deviation, deviation)
    powers = [
        modulation_spectrum(clip[None]) if modulation is None else modulation,
        modulation_spectrum(clip[None], True),
    ]
    ends = mean * (centred[:, 0] + centred[:, -1])  # the sums leave out one frame at either end
    return {
        "profile_sum": np.concatenate([mean, np.log(deviation), *map(np.ravel, powers)]),
        "square_sum": n_frames * (np.diag(covariance) + mean**2),
        "lag_sum": (n_frames - 1) * (np.diag(lagged) + mean**2) - ends,
        "correlation": covariance / scale,
        "lag_correlation": lagged / scale,
        "innovation_moments": _innovation_moments(centred, np.diag(lagged) / deviation**2, deviation),
    }


def _innovation_moments(centred: np.ndarray, lag: np.ndarray, deviation: np.ndarray) -> np.ndarray:
    """Compute the second to fourth moments `(3, n_mels)` of x_t - lag x_{t-1}, in deviations of x."""
    steps = centred[:, 1:] - lag[:, None].astype(np.float32) * centred[:, :-1]
    steps *= (1 / deviation)[:, None].astype(np.float32)
    square = steps * steps
    pairs = (steps, steps), (square, steps), (square, square)
    return np.stack([np.einsum("bt,bt->b", *pair) for pair in pairs]).astype(np.float64) / steps.shape[1]


@dataclass
class ReferenceStatistics:
    """Sums over reference clips from which every surrogate is drawn; their size does not grow with the clips.

    The statistics of two processes are added by `merge`, and sent by `arrays` and `from_arrays`.

    Attributes:
        n_clips: The number of clips.
        profile_sum: The sum `(4 n_mels,)` of [band means (dB), log band deviations, log modulation powers without and
            with a taper].
        profile_outer: The sum of the outer products of the same vector `(4 n_mels, 4 n_mels)`.
        spectrogram_sum: The sum of the clips `(n_mels, n_frames)` in dB.
        square_sum: The sum of dB squared over all cells `(n_mels,)`.
        lag_sum: The sum of x_t x_{t+1} `(n_mels,)`.
        correlation: The sum of the band correlations of each clip `(n_mels, n_mels)`.
        lag_correlation: The sum of the correlations one frame apart, E[z_t z_{t-1}^T] `(n_mels, n_mels)`.
        innovation_moments: The sums of the second to fourth moments of e_t = z_t - lag z_{t-1} `(3, n_mels)`, with the
            lag of clip and band.
    """

    n_clips: int
    profile_sum: np.ndarray
    profile_outer: np.ndarray
    spectrogram_sum: np.ndarray
    square_sum: np.ndarray
    lag_sum: np.ndarray
    correlation: np.ndarray
    lag_correlation: np.ndarray
    innovation_moments: np.ndarray

    @classmethod
    def empty(cls, n_mels: int = 128, n_frames: int = 1292) -> ReferenceStatistics:
        """Create the statistics of no clips."""
        profile = 2 * n_mels + 2 * N_OCTAVES * N_BANDS
        square = (n_mels, n_mels)
        shapes = [(profile,), (profile, profile), (n_mels, n_frames), (n_mels,), (n_mels,), square, square, (3, n_mels)]
        return cls(0, *(np.zeros(shape) for shape in shapes))

    @property
    def n_mels(self) -> int:
        """The number of mel bands."""
        return self.spectrogram_sum.shape[0]

    @property
    def n_frames(self) -> int:
        """The number of frames of a clip."""
        return self.spectrogram_sum.shape[1]

    def update(self, clips_db: np.ndarray) -> None:
        """Add reference clips `(B, n_mels, n_frames)` in dB, clamped to [-60, 40] dB first.

        Raises:
            ValueError: The clips have another shape than those before.
        """
        if clips_db.ndim != 3 or clips_db.shape[1:] != self.spectrogram_sum.shape:
            raise ValueError(f"expected clips (B, {self.n_mels}, {self.n_frames}) in dB, got {clips_db.shape}")
        for clip in clamp_decibels(clips_db):  # a clip at a time stays in the cache
            self.add(clip, clip_statistics(clip))

    def add(self, clip: np.ndarray, sums: dict[str, np.ndarray]) -> None:
        """Add one clamped clip `(n_mels, n_frames)` and its `clip_statistics`."""
        self.n_clips += 1
        self.spectrogram_sum += clip
        self.profile_outer += np.outer(sums["profile_sum"], sums["profile_sum"])
        for name, value in sums.items():
            getattr(self, name).__iadd__(value)

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the sums by name, to be stored or sent to another process."""
        return {name: np.asarray(value) for name, value in vars(self).items()}

    @classmethod
    def from_arrays(cls, arrays: dict[str, np.ndarray]) -> ReferenceStatistics:
        """Invert `arrays`."""
        return cls(int(arrays["n_clips"]), **{name: arrays[name] for name in cls.__annotations__ if name != "n_clips"})

    def merge(self, other: ReferenceStatistics) -> ReferenceStatistics:
        """Return the statistics of the clips of both."""
        mine, theirs = self.arrays(), other.arrays()
        return ReferenceStatistics.from_arrays({name: mine[name] + theirs[name] for name in mine})

    def profile(self, columns: slice = slice(None)) -> Gaussian:
        """Fit the joint Gaussian, over clips, of columns of [band means, log band deviations, log modulation powers].

        Raises:
            ValueError: There are under two clips.
        """
        if self.n_clips < 2:
            raise ValueError(f"expected at least 2 reference clips to fit surrogates, got {self.n_clips}")
        mean = self.profile_sum / self.n_clips
        scatter = self.profile_outer - self.n_clips * np.outer(mean, mean)
        return Gaussian(mean[columns], scatter[columns, columns] / (self.n_clips - 1))

    def levels(self) -> Gaussian:
        """Fit the Gaussian of the clips' band means `(n_mels,)` in dB."""
        return self.profile(slice(0, self.n_mels))

    def band_moments(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Compute the mean (dB), deviation (dB) and lag-1 correlation of each band over all cells `(n_mels,)`."""
        cells = self.n_clips * self.n_frames
        total = self.spectrogram_sum.sum(axis=1)
        mean = total / cells
        variance = np.maximum(self.square_sum / cells - mean**2, TINY_DEVIATION**2)
        pairs = self.n_clips * (self.n_frames - 1)
        ends = 2 * total - self.spectrogram_sum[:, 0] - self.spectrogram_sum[:, -1]
        lagged = self.lag_sum / pairs - mean * ends / pairs + mean**2
        return mean, np.sqrt(variance), np.clip(lagged / variance, 0.0, 0.999)

    def within_deviation(self) -> np.ndarray:
        """Compute the pooled deviation of each band about the mean of its clip `(n_mels,)`, in dB."""
        means, covariance = self.levels()
        between = np.diag(covariance) * (self.n_clips - 1) / self.n_clips + means**2
        within = self.square_sum / (self.n_clips * self.n_frames) - between
        return np.sqrt(np.maximum(within, TINY_DEVIATION**2))

    def within_lag(self) -> np.ndarray:
        """Compute the lag-1 correlation of each band about the mean of its clip `(n_mels,)`."""
        unit = np.maximum(np.diag(self.correlation), 1e-12)
        return np.clip(np.diag(self.lag_correlation) / unit, 0.0, 0.999)

    def band_root(self) -> np.ndarray:
        """Compute R `(n_mels, n_mels)` such that R w is unit noise, correlated across bands as the reference is."""
        scale = 1 / np.sqrt(np.maximum(np.diag(self.correlation), 1e-12))
        return covariance_root(self.correlation * scale[:, None] * scale[None, :])

    def impulses(self) -> tuple[np.ndarray, float]:
        """Fit the part of the innovations that is shared impulses: e = m u + the rest, u a standardised gamma variable.

        u of shape k has skewness 2 / sqrt(k) and excess kurtosis 6 / k, so that m = sqrt(3/2) skewness / sqrt(excess)
        of a band, and k follows from the mean excess.

        Returns:
            The share m of each band `(n_mels,)` in [0, 0.95], and k.
        """
        second, third, fourth = self.innovation_moments / self.n_clips
        second = np.maximum(second, 1e-6)
        excess = np.maximum(fourth / second**2 - 3, 0.1)
        share = np.clip(np.sqrt(1.5) * third / second**1.5 / np.sqrt(excess), 0.0, 0.95)
        return share, float(max(6 * np.mean(share**4) / np.mean(excess), 0.02))

    def innovation_covariance(self) -> np.ndarray:
        """Compute the covariance `(n_mels, n_mels)` of the unit innovations of AR(1) bands across bands."""
        lag = self.within_lag()
        same, later = self.correlation / self.n_clips, self.lag_correlation / self.n_clips
        cross = later * lag[None, :]
        innovation = same - cross - cross.T + lag[:, None] * same * lag[None, :]
        scale = 1 / np.sqrt(np.maximum(np.diag(innovation), 1e-12))
        return innovation * scale[:, None] * scale[None, :]
