"""Principal components of vectors after regression on the emotion."""

from itertools import product

import torch
from torch import Tensor

from .full_precision import FullPrecision

KNOTS = (-1.0, -0.5, 0.0, 0.5, 1.0)  # of valence and of arousal: the centres of the radial basis
WIDTH = 0.5  # of a basis function; the distance between knots
RIDGE = 1.0  # the weight of one clip: matters only where the plane has hardly any clips


class PrincipalTransform(FullPrecision):
    """Represents vectors, less their regression on the emotion, by principal components.

    Level and local energy are most of what clips of one emotion have in common, and a smooth surface over the plane
    describes them without training: ridge regression on a grid of radial basis functions (Broomhead & Lowe 1988). A
    straight line would extrapolate where songs are rare, in the corners of the plane; this surface levels off there,
    and is limited to its range over the training clips. Components are divided by the power `whitening` of their
    deviation; their mean square is 1 for any power.

    Args:
        size: The length of a vector.
        whitening: The power, in [0, 1], see `ModulationTransform`.
    """

    mean: Tensor
    centre: Tensor
    weight: Tensor
    reach: Tensor
    basis: Tensor
    deviation: Tensor
    knots: Tensor

    def __init__(self, size: int, whitening: float) -> None:
        super().__init__()
        self.size, self.whitening = size, whitening
        knots = torch.tensor(list(product(KNOTS, KNOTS)))
        self.register_buffer("knots", knots, persistent=False)
        self.register_buffer("mean", torch.zeros(size))
        self.register_buffer("centre", torch.zeros(len(knots)))
        self.register_buffer("weight", torch.zeros(len(knots), size))
        self.register_buffer("reach", torch.zeros(2, size))
        self.register_buffer("basis", torch.eye(size))
        self.register_buffer("deviation", torch.ones(size))

    @property
    def latent_deviation(self) -> Tensor:
        """The standard deviations of the latents, `(size,)`."""
        left = self.deviation ** (1 - self.whitening)
        return left / left.square().mean().sqrt()

    @torch.no_grad()
    def fit(self, vectors: Tensor, emotion: Tensor) -> None:
        """Fit surface, components and deviations to vectors `(N, size)` of emotions `(N, 2)` (valence, arousal)."""
        vectors, radial = vectors.double(), self._radial(emotion.double())
        self.centre.copy_(radial.mean(dim=0))
        centred = radial - radial.mean(dim=0)
        ridge = RIDGE * torch.eye(len(self.knots)).to(centred)
        weight = torch.linalg.solve(centred.T @ centred + ridge, centred.T @ (vectors - vectors.mean(dim=0)))
        surface = centred @ weight
        rest = vectors - surface
        self.weight.copy_(weight)
        self.reach.copy_(torch.stack([surface.amin(dim=0), surface.amax(dim=0)]))
        self.mean.copy_(rest.mean(dim=0))
        rest = rest - rest.mean(dim=0)
        basis, values, _ = torch.linalg.svd(rest.T @ rest / len(rest))
        self.basis.copy_(basis)
        self.deviation.copy_(values.sqrt())
        # a constant component must not be divided by 0
        self.deviation.clamp_(min=max(1e-3 * self.deviation.max().item(), 1e-6))

    def encode(self, vectors: Tensor, emotion: Tensor) -> Tensor:
        """Return the latents `(B, size)` of vectors `(B, size)` of emotions `(B, 2)`."""
        return (vectors - self.mean - self._surface(emotion)) @ self.basis * (self.latent_deviation / self.deviation)

    def decode(self, latents: Tensor, emotion: Tensor, strength: float = 1.0) -> Tensor:
        """Invert `encode`; `strength` scales the regression on the emotion, from 0 (left out) to 1."""
        rest = latents * (self.deviation / self.latent_deviation) @ self.basis.T
        return rest + self.mean + strength * self._surface(emotion)

    def _surface(self, emotion: Tensor) -> Tensor:
        """Return the regression on the emotion, `(B, size)`, whose mean over the training clips is 0."""
        return ((self._radial(emotion) - self.centre) @ self.weight).clamp(self.reach[0], self.reach[1])

    def _radial(self, emotion: Tensor) -> Tensor:
        """Return the radial basis functions `(B, n_knots)` of emotions `(B, 2)`."""
        squares = (emotion[:, None] - self.knots.to(emotion)).square().sum(dim=-1)
        return (-squares / (2 * WIDTH**2)).exp()
