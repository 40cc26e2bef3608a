"""What a music-free surrogate may know of the reference: sums over clips, streamed and mergeable."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from .modulation import MIN_DB, clamp_decibels, modulation_spectrum

TINY_DEVIATION = 1e-3  # dB; a band silent throughout a clip has deviation 0 and no logarithm


class Gaussian(NamedTuple):
    """A multivariate Gaussian: `mean` (P,), `covariance` (P, P)."""

    mean: np.ndarray
    covariance: np.ndarray

    def root(self) -> np.ndarray:
        """`(P, P)` R with R R^T = covariance; rank-deficient fits (fewer clips than P) are allowed."""
        values, vectors = np.linalg.eigh(self.covariance)
        return vectors * np.sqrt(np.maximum(values, 0.0))


@dataclass
class ReferenceStatistics:
    """Sums over reference clips from which every surrogate is drawn; memory does not grow with the clips.

    Statistics of two shards add up (`merge`), and `arrays` / `from_arrays` carry them between processes.

    Attributes:
        n_clips: clips seen.
        profile_sum: (3 n_mels,) over clips of [band means (dB), log band deviations, log modulation powers].
        profile_outer: the same vector's outer products, (3 n_mels, 3 n_mels).
        spectrogram_sum: (n_mels, n_frames), dB.
        square_sum: (n_mels,) over all cells of dB squared.
        lag_sum: (n_mels,) of x_t x_{t+1}.
        correlation: (n_mels, n_mels), of each clip standardised band by band.
        lag_correlation: (n_mels, n_mels), the same one frame apart: E[z_t z_{t-1}^T].
    """

    n_clips: int
    profile_sum: np.ndarray
    profile_outer: np.ndarray
    spectrogram_sum: np.ndarray
    square_sum: np.ndarray
    lag_sum: np.ndarray
    correlation: np.ndarray
    lag_correlation: np.ndarray

    @classmethod
    def empty(cls, n_mels: int = 128, n_frames: int = 1292) -> ReferenceStatistics:
        """Statistics of no clips."""
        profile = 2 * n_mels + modulation_spectrum(np.full((1, n_mels, n_frames), MIN_DB)).size
        shapes = [(profile,), (profile, profile), (n_mels, n_frames), (n_mels,), (n_mels,), (n_mels, n_mels)]
        return cls(0, *(np.zeros(shape) for shape in [*shapes, (n_mels, n_mels)]))

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
            self._add(clip)

    def _add(self, clip: np.ndarray) -> None:
        mean = clip.mean(axis=1, dtype=np.float64)
        centred = clip - mean[:, None].astype(np.float32)
        deviation = np.maximum(np.sqrt(np.square(centred).mean(axis=1, dtype=np.float64)), TINY_DEVIATION)
        profile = np.concatenate([mean, np.log(deviation), modulation_spectrum(clip[None])[0].ravel()])
        self.n_clips += 1
        self.profile_sum += profile
        self.profile_outer += np.outer(profile, profile)
        self.spectrogram_sum += clip
        self.square_sum += np.square(clip).sum(axis=1, dtype=np.float64)
        self.lag_sum += np.einsum("bt,bt->b", clip[:, 1:], clip[:, :-1], dtype=np.float64)
        standard = centred / deviation[:, None].astype(np.float32)
        self.correlation += standard @ standard.T / self.n_frames
        self.lag_correlation += standard[:, 1:] @ standard[:, :-1].T / (self.n_frames - 1)

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

    def profile(self) -> Gaussian:
        """The joint Gaussian, over clips, of band means, log band deviations and log modulation powers.

        Raises:
            ValueError: under two clips were seen.
        """
        if self.n_clips < 2:
            raise ValueError(f"expected at least 2 reference clips to fit surrogates, got {self.n_clips}")
        mean = self.profile_sum / self.n_clips
        scatter = self.profile_outer - self.n_clips * np.outer(mean, mean)
        return Gaussian(mean, scatter / (self.n_clips - 1))

    def levels(self) -> Gaussian:
        """The Gaussian of the clips' band means, dB, `(n_mels,)`."""
        mean, covariance = self.profile()
        return Gaussian(mean[: self.n_mels], covariance[: self.n_mels, : self.n_mels])

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
        return Gaussian(scale, self.correlation * scale[:, None] * scale[None, :]).root()

    def innovation_root(self) -> np.ndarray:
        """`(n_mels, n_mels)` R: R w are unit innovations of AR(1) bands, correlated across bands as the reference's."""
        lag = self.within_lag()
        same, later = self.correlation / self.n_clips, self.lag_correlation / self.n_clips
        cross = later * lag[None, :]
        innovation = same - cross - cross.T + lag[:, None] * same * lag[None, :]
        scale = 1 / np.sqrt(np.maximum(np.diag(innovation), 1e-12))
        return Gaussian(lag, innovation * scale[:, None] * scale[None, :]).root()
