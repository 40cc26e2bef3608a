"""Uncorrelated coefficients, sorted by rate of change, of the components of patches over time."""

import math
from itertools import pairwise

import torch
from torch import Tensor

from .clip_gains import ClipGains, membership
from .full_precision import FullPrecision

FLOOR = 0.03  # silence, relative to the root mean square of training clips


def octave_edges(n_columns: int) -> list[int]:
    """Return 0, 1, 2, 4, 8, ..., `n_columns`: the mean of a clip alone, then octaves of the rate of change."""
    return sorted({0, 1, n_columns, *(2**power for power in range(1, 32) if 2**power < n_columns)})


def cosines(n_columns: int) -> Tensor:
    """Return the orthonormal cosine transform DCT-II, `(n_columns, n_columns)`; its first row gives the mean."""
    column = torch.arange(n_columns, dtype=torch.float64)
    rows = torch.cos(math.pi / n_columns * (column + 0.5) * column[:, None]) * math.sqrt(2 / n_columns)
    rows[0] /= math.sqrt(2)
    return rows.float()


class ModulationTransform(FullPrecision):
    """Turns components of patches into latents by a cosine transform over time and a rotation in each octave of it.

    In each octave of the rate of change, the latents are the principal components across the patches of one column. So
    the covariance of music, from the level of a clip to its beats, is that of independent latents. Latents are divided
    by the power `whitening` of their deviation: 1 makes all equally large, as is usual for diffusion models, and 0
    keeps their sizes. In between, large latents emerge from the noise earlier than small ones and are decided first.
    Their mean square is 1 for any power.

    Each clip has gains of its own, in each octave of rate but the mean, for the first principal component, the second,
    the next two, four and so on (`ClipGains`): whether it changes as a whole or each part of it separately.

    Args:
        rows: The number of patches in a column.
        columns: The number of patches over time.
        n_components: The number of components of a patch.
        whitening: The power, in [0, 1].
        clip_gains: Whether clips have gains of their own.
    """

    rotation: Tensor
    deviation: Tensor
    rest: Tensor
    cosine: Tensor

    def __init__(self, rows: int, columns: int, n_components: int, whitening: float, clip_gains: bool = True) -> None:
        super().__init__()
        self.rows, self.columns, self.n_components = rows, columns, n_components
        self.width, self.whitening = rows * n_components, whitening
        self.sizes = [stop - start for start, stop in pairwise(octave_edges(columns))]
        groups = [stop - start for start, stop in pairwise(octave_edges(self.width))]
        octaves = membership(self.sizes[1:], n_before=1) if clip_gains else torch.zeros(0, columns)
        self.gains = ClipGains(octaves, membership(groups), FLOOR)
        self.register_buffer("cosine", cosines(columns), persistent=False)
        self.register_buffer("rotation", torch.eye(self.width).repeat(len(self.sizes), 1, 1))
        self.register_buffer("deviation", torch.ones(len(self.sizes), self.width))
        self.register_buffer("rest", torch.ones(len(self.sizes), self.width))

    @property
    def latent_deviation(self) -> Tensor:
        """The standard deviations of the latents, `(columns, width)`, whose mean square is 1."""
        left = self._spread_out(self.deviation) ** (1 - self.whitening)
        return left / left.square().mean().sqrt()

    @torch.no_grad()
    def fit(self, components: Tensor) -> None:
        """Fit to the components of training clips, `(N, rows, columns, n_components)`."""
        for octave, part in enumerate(self._changes(components).split(self.sizes, dim=1)):
            flat = part.flatten(0, 1).double()
            vectors, values, _ = torch.linalg.svd(flat.T @ flat / len(flat))
            self.rotation[octave].copy_(vectors)
            self.deviation[octave].copy_(values.sqrt())
        # a constant latent must not be divided by 0
        self.deviation.clamp_(min=max(1e-3 * self.deviation.max().item(), 1e-6))
        turned = self._turned(components)
        self.gains.fit(turned)
        for octave, part in enumerate(self.gains.split(turned)[1].split(self.sizes, dim=1)):
            self.rest[octave].copy_(part.square().mean(dim=(0, 1)).sqrt().clamp(min=1e-3))

    def encode(self, components: Tensor) -> tuple[Tensor, Tensor]:
        """Return gains `(B, gains.size)` and latents `(B, columns, width)` of `(B, rows, columns, n_components)`."""
        gains, turned = self.gains.split(self._turned(components))
        return gains, turned * (self.latent_deviation / self._spread_out(self.rest))

    def decode(self, gains: Tensor, latents: Tensor) -> Tensor:
        """Invert `encode`, for latents of any gains, which are replaced."""
        turned = self.gains.join(gains, latents * (self._spread_out(self.rest) / self.latent_deviation))
        return self.to_patches(turned * self._spread_out(self.deviation))

    def to_patches(self, coefficients: Tensor) -> Tensor:
        """Return patches `(B, rows, columns, n_components)` of coefficients `(B, columns, width)`; orthonormal."""
        over_time = self.cosine.T @ self._rotate(coefficients, self.rotation.mT)
        return over_time.unflatten(-1, (self.rows, self.n_components)).transpose(1, 2)

    def to_coefficients(self, patches: Tensor) -> Tensor:
        """Invert `to_patches`."""
        return self._rotate(self._changes(patches), self.rotation)

    def _turned(self, components: Tensor) -> Tensor:
        """Return coefficients `(B, columns, width)` divided by their deviations in training clips."""
        return self.to_coefficients(components) / self._spread_out(self.deviation)

    def _changes(self, components: Tensor) -> Tensor:
        return self.cosine @ components.transpose(1, 2).flatten(2)

    def _rotate(self, coefficients: Tensor, rotation: Tensor) -> Tensor:
        parts = coefficients.split(self.sizes, dim=1)
        return torch.cat([part @ turn for part, turn in zip(parts, rotation, strict=True)], dim=1)

    def _spread_out(self, values: Tensor) -> Tensor:
        """Repeat the row of each octave for its coefficients, `(columns, width)`."""
        return torch.cat([row.expand(size, -1) for row, size in zip(values, self.sizes, strict=True)])
