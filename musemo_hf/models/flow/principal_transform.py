"""Vectors <-> principal components of what the emotion does not tell about them."""

import torch
from torch import Tensor, nn


class PrincipalTransform(nn.Module):
    """Vectors less their regression on the emotion, as principal components.

    Their loudness and liveliness is most of what clips have in common with their emotion, and the line of least squares
    is known before any training. It is followed no further than to the last of the training clips: beyond them, in the
    corners of the plane, it would tell of music that nobody heard. Components are divided by the power `whitening` of
    their deviation; their mean square is 1 for any power.

    Args:
        size: of a vector.
        whitening: in [0, 1]; see `ModulationTransform`.
    """

    mean: Tensor
    slope: Tensor
    reach: Tensor
    basis: Tensor
    deviation: Tensor

    def __init__(self, size: int, whitening: float) -> None:
        super().__init__()
        self.size, self.whitening = size, whitening
        self.register_buffer("mean", torch.zeros(size))
        self.register_buffer("slope", torch.zeros(2, size))
        self.register_buffer("reach", torch.zeros(2, size))
        self.register_buffer("basis", torch.eye(size))
        self.register_buffer("deviation", torch.ones(size))

    @property
    def latent_deviation(self) -> Tensor:
        """Deviations of the latents, `(size,)`."""
        left = self.deviation ** (1 - self.whitening)
        return left / left.square().mean().sqrt()

    @torch.no_grad()
    def fit(self, vectors: Tensor, emotion: Tensor) -> None:
        """Find line, components and deviations of `(N, size)` at `(N, 2)` (valence, arousal)."""
        vectors, emotion = vectors.double(), emotion.double()
        # the smallest line of all that fit, where the emotions are too few or too alike
        slope = torch.linalg.pinv(emotion - emotion.mean(dim=0)) @ (vectors - vectors.mean(dim=0))
        rest = vectors - emotion @ slope
        self.slope.copy_(slope)
        self.reach.copy_(torch.stack([(emotion @ slope).amin(dim=0), (emotion @ slope).amax(dim=0)]))
        self.mean.copy_(rest.mean(dim=0))
        centred = rest - rest.mean(dim=0)
        basis, values, _ = torch.linalg.svd(centred.T @ centred / len(centred))
        self.basis.copy_(basis)
        self.deviation.copy_(values.sqrt())
        # a constant component divides nothing
        self.deviation.clamp_(min=max(1e-3 * self.deviation.max().item(), 1e-6))

    def encode(self, vectors: Tensor, emotion: Tensor) -> Tensor:
        """`(B, size)` at `(B, 2)` -> latents `(B, size)`."""
        return (vectors - self.mean - self._line(emotion)) @ self.basis * (self.latent_deviation / self.deviation)

    def decode(self, latents: Tensor, emotion: Tensor) -> Tensor:
        """The inverse of `encode`."""
        centred = latents * (self.deviation / self.latent_deviation) @ self.basis.T
        return centred + self.mean + self._line(emotion)

    def _line(self, emotion: Tensor) -> Tensor:
        """What the emotion tells about vectors, `(B, size)`."""
        return (emotion @ self.slope).clamp(self.reach[0], self.reach[1])
