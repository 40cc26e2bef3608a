"""What a music-free surrogate may know of the reference: sums over clips, streamed and mergeable."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from musemo_hf.evaluation.spaces.modulation import N_BANDS, N_OCTAVES, clamp_decibels, modulation_spectrum

TINY_DEVIATION = 1e-3  # dB; a band silent throughout a clip has deviation 0 and no logarithm


class Gaussian(NamedTuple):
    """A multivariate Gaussian: `mean` (P,), `covariance` (P, P)."""

    mean: np.ndarray
    covariance: np.ndarray

    def sampler(self) -> Callable[[np.random.Generator], np.ndarray]:
        """Draws `(P,)` from the Gaussian."""
        root = covariance_root(self.covariance)
        return lambda rng: self.mean + root @ rng.standard_normal(len(root))


def covariance_root(covariance: np.ndarray) -> np.ndarray:
    """`(P, P)` symmetric R with R R = covariance; rank-deficient fits (fewer clips than P) are allowed.

    The symmetric root, without the eigenvalues that are rounding error, does not hang on the sign or the order of
    eigenvectors: statistics summed in another order draw the same clips.
    """
    values, vectors = np.linalg.eigh(covariance)
    kept = values > values[-1] * len(values) * np.finfo(np.float64).eps
    return (vectors[:, kept] * np.sqrt(values[kept])) @ vectors[:, kept].T


def clip_statistics(clip: np.ndarray, modulation: np.ndarray | None = None) -> dict[str, np.ndarray]:
    """What one clip adds to the sums of `ReferenceStatistics`, but for those that follow from these and the clip.

    Args:
        clip: `(n_mels, n_frames)` in [-60, 40] dB, float32.
        modulation: its `modulation_spectrum`, where that is known.

    Returns:
        float64 by name of the sum.
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
    ends = mean * (centred[:, 0] + centred[:, -1])  # a sum over all frames but one, of numbers about their mean
    return {
        "profile_sum": np.concatenate([mean, np.log(deviation), *map(np.ravel, powers)]),
        "square_sum": n_frames * (np.diag(covariance) + mean**2),
        "lag_sum": (n_frames - 1) * (np.diag(lagged) + mean**2) - ends,
        "correlation": covariance / scale,
        "lag_correlation": lagged / scale,
        "innovation_moments": _innovation_moments(centred, np.diag(lagged) / deviation**2, deviation),
    }


def _innovation_moments(centred: np.ndarray, lag: np.ndarray, deviation: np.ndarray) -> np.ndarray:
    """Second to fourth moments `(3, n_mels)` of x_t - lag x_{t-1}, in deviations of x."""
    steps = centred[:, 1:] - lag[:, None].astype(np.float32) * centred[:, :-1]
    steps *= (1 / deviation)[:, None].astype(np.float32)
    square = steps * steps
    pairs = (steps, steps), (square, steps), (square, square)
    return np.stack([np.einsum("bt,bt->b", *pair) for pair in pairs]).astype(np.float64) / steps.shape[1]


@dataclass
class ReferenceStatistics:
    """Sums over reference clips from which every surrogate is drawn; memory does not grow with the clips.

    Statistics of two shards add up (`merge`), and `arrays` / `from_arrays` carry them between processes.

    Attributes:
        n_clips: clips seen.
        profile_sum: (4 n_mels,) over clips of [band means (dB), log band deviations, log modulation powers without and
            with a taper].
        profile_outer: the same vector's outer products, (4 n_mels, 4 n_mels).
        spectrogram_sum: (n_mels, n_frames), dB.
        square_sum: (n_mels,) over all cells of dB squared.
        lag_sum: (n_mels,) of x_t x_{t+1}.
        correlation: (n_mels, n_mels), of each clip standardised band by band.
        lag_correlation: (n_mels, n_mels), the same one frame apart: E[z_t z_{t-1}^T].
        innovation_moments: (3, n_mels), second to fourth moments of e_t = z_t - lag z_{t-1}, lag that of clip and band.
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
        """Statistics of no clips."""
        profile = 2 * n_mels + 2 * N_OCTAVES * N_BANDS
        square = (n_mels, n_mels)
        shapes = [(profile,), (profile, profile), (n_mels, n_frames), (n_mels,), (n_mels,), square, square, (3, n_mels)]
        return cls(0, *(np.zeros(shape) for shape in shapes))

    @property
    def n_mels(self) -> int:
        """Mel bands."""
        return self.spectrogram_sum.shape[0]

    @property
    def n_frames(self) -> int:
        """Frames a clip."""
        return self.spectrogram_sum.shape[1]

    def update(self, clips_db: np.ndarray) -> None:
        """Add reference clips, `(B, n_mels, n_frames)` in dB; they are clamped to [-60, 40] first.

        Raises:
            ValueError: clips of another shape than those before.
        """
        if clips_db.ndim != 3 or clips_db.shape[1:] != self.spectrogram_sum.shape:
            raise ValueError(f"expected clips (B, {self.n_mels}, {self.n_frames}) in dB, got {clips_db.shape}")
        for clip in clamp_decibels(clips_db):  # a clip at a time stays in the cache
            self.add(clip, clip_statistics(clip))

    def add(self, clip: np.ndarray, sums: dict[str, np.ndarray]) -> None:
        """Add one clamped clip `(n_mels, n_frames)` and its `clip_statistics`, which any thread may have made."""
        self.n_clips += 1
        self.spectrogram_sum += clip
        self.profile_outer += np.outer(sums["profile_sum"], sums["profile_sum"])
        for name, value in sums.items():
            getattr(self, name).__iadd__(value)

    def arrays(self) -> dict[str, np.ndarray]:
        """The sums by name, to be stored or sent to another process."""
        return {name: np.asarray(value) for name, value in vars(self).items()}

    @classmethod
    def from_arrays(cls, arrays: dict[str, np.ndarray]) -> ReferenceStatistics:
        """The inverse of `arrays`."""
        return cls(int(arrays["n_clips"]), **{name: arrays[name] for name in cls.__annotations__ if name != "n_clips"})

    def merge(self, other: ReferenceStatistics) -> ReferenceStatistics:
        """The statistics of the clips of both."""
        mine, theirs = self.arrays(), other.arrays()
        return ReferenceStatistics.from_arrays({name: mine[name] + theirs[name] for name in mine})

    def profile(self, columns: slice = slice(None)) -> Gaussian:
        """The joint Gaussian, over clips, of columns of [band means, log band deviations, log modulation powers].

        Raises:
            ValueError: under two clips were seen.
        """
        if self.n_clips < 2:
            raise ValueError(f"expected at least 2 reference clips to fit surrogates, got {self.n_clips}")
        mean = self.profile_sum / self.n_clips
        scatter = self.profile_outer - self.n_clips * np.outer(mean, mean)
        return Gaussian(mean[columns], scatter[columns, columns] / (self.n_clips - 1))

    def levels(self) -> Gaussian:
        """The Gaussian of the clips' band means, dB, `(n_mels,)`."""
        return self.profile(slice(0, self.n_mels))

    def band_moments(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Mean (dB), deviation (dB) and lag-1 correlation of each band over all cells, each `(n_mels,)`."""
        cells = self.n_clips * self.n_frames
        total = self.spectrogram_sum.sum(axis=1)
        mean = total / cells
        variance = np.maximum(self.square_sum / cells - mean**2, TINY_DEVIATION**2)
        pairs = self.n_clips * (self.n_frames - 1)
        ends = 2 * total - self.spectrogram_sum[:, 0] - self.spectrogram_sum[:, -1]
        lagged = self.lag_sum / pairs - mean * ends / pairs + mean**2
        return mean, np.sqrt(variance), np.clip(lagged / variance, 0.0, 0.999)

    def within_deviation(self) -> np.ndarray:
        """Pooled deviation of each band about its clip's own mean, dB, `(n_mels,)`."""
        means, covariance = self.levels()
        between = np.diag(covariance) * (self.n_clips - 1) / self.n_clips + means**2
        within = self.square_sum / (self.n_clips * self.n_frames) - between
        return np.sqrt(np.maximum(within, TINY_DEVIATION**2))

    def within_lag(self) -> np.ndarray:
        """Lag-1 correlation of each band about its clip's own mean, `(n_mels,)`."""
        unit = np.maximum(np.diag(self.correlation), 1e-12)
        return np.clip(np.diag(self.lag_correlation) / unit, 0.0, 0.999)

    def band_root(self) -> np.ndarray:
        """`(n_mels, n_mels)` R: R w are unit noises, correlated across bands as the reference's frames are."""
        scale = 1 / np.sqrt(np.maximum(np.diag(self.correlation), 1e-12))
        return covariance_root(self.correlation * scale[:, None] * scale[None, :])

    def impulses(self) -> tuple[np.ndarray, float]:
        """The part of the innovations that is shared impulses: e = m u + the rest, u a standardised gamma variable.

        u of shape k has skewness 2 / sqrt(k) and excess kurtosis 6 / k, so that m = sqrt(3/2) skewness / sqrt(excess)
        of a band, and k follows from the mean excess.

        Returns:
            m of each band in [0, 0.95], `(n_mels,)`, and k.
        """
        second, third, fourth = self.innovation_moments / self.n_clips
        second = np.maximum(second, 1e-6)
        excess = np.maximum(fourth / second**2 - 3, 0.1)
        share = np.clip(np.sqrt(1.5) * third / second**1.5 / np.sqrt(excess), 0.0, 0.95)
        return share, float(max(6 * np.mean(share**4) / np.mean(excess), 0.02))

    def innovation_covariance(self) -> np.ndarray:
        """`(n_mels, n_mels)`, of the unit innovations of AR(1) bands, correlated across bands as the reference's."""
        lag = self.within_lag()
        same, later = self.correlation / self.n_clips, self.lag_correlation / self.n_clips
        cross = later * lag[None, :]
        innovation = same - cross - cross.T + lag[:, None] * same * lag[None, :]
        scale = 1 / np.sqrt(np.maximum(np.diag(innovation), 1e-12))
        return innovation * scale[:, None] * scale[None, :]
