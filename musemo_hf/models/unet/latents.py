"""Latents, which are log-mels standardised in each mel band, and the cosines of their patches."""

import math

import torch
from torch import Tensor
from torch.nn import functional

from .full_precision import FullPrecision

SMALLEST_BAND = 1e-3  # deviation; a band that never changes is divided by this
SMALLEST = 1e-3  # deviation of a cosine, for one that never occurs


class BandStandardisation(FullPrecision):
    """Turns normalised log-mels into latents of mean 0 and variance 1 in each mel band, and back.

    Args:
        n_mels: The number of mel bands.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, n_mels: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(n_mels, 1))
        self.register_buffer("deviation", torch.ones(n_mels, 1))

    def fit(self, spectrogram: Tensor) -> None:
        """Set mean and deviation from the normalised log-mels `(N, 1, n_mels, n_frames)` of the training clips."""
        bands = spectrogram.transpose(0, 2).flatten(1)
        self.mean.copy_(bands.mean(dim=1, keepdim=True))
        self.deviation.copy_(bands.std(dim=1, keepdim=True).clamp(min=SMALLEST_BAND))

    def encode(self, spectrogram: Tensor) -> Tensor:
        """Return the latents of normalised log-mels, both `(B, 1, n_mels, n_frames)`."""
        return (spectrogram - self.mean) / self.deviation

    def decode(self, latents: Tensor) -> Tensor:
        """Invert `encode`."""
        return latents * self.deviation + self.mean


class PatchCosines(FullPrecision):
    """Turns square patches of a log-mel into the coefficients of an orthonormal cosine transform, and back.

    White noise stays white, but neighbouring cells of music are alike: most of its variance is in the slow cosines of a
    patch. The deviation of each cosine in each row of patches is what the preconditioning of the network needs.

    Args:
        n_mels: The number of mel bands, which `patch` divides.
        patch: The number of mel bands, and of frames, of a patch.
    """

    basis: Tensor
    deviation: Tensor

    def __init__(self, n_mels: int, patch: int) -> None:
        super().__init__()
        self.patch = patch
        place = torch.arange(patch) + 0.5
        waves = torch.stack([torch.cos(math.pi / patch * order * place) for order in range(patch)])
        waves = functional.normalize(waves, dim=1)
        self.register_buffer("basis", torch.kron(waves, waves), persistent=False)
        self.register_buffer("deviation", torch.ones(patch**2, n_mels // patch, 1))

    def fit(self, latents: Tensor) -> None:
        """Set the deviations from the latents `(N, 1, n_mels, n_frames)` of the training clips."""
        whole = latents[..., : latents.shape[-1] // self.patch * self.patch]
        squares = torch.stack([self.encode(each[None])[0].square().mean(dim=-1, keepdim=True) for each in whole])
        self.deviation.copy_(squares.mean(dim=0).sqrt().clamp(min=SMALLEST))

    def encode(self, latents: Tensor) -> Tensor:
        """Return the coefficients `(B, patch^2, rows, columns)` of latents `(B, 1, n_mels, n_frames)`."""
        cells = functional.pixel_unshuffle(latents, self.patch)
        return torch.einsum("oc,bchw->bohw", self.basis, cells)

    def decode(self, coefficients: Tensor) -> Tensor:
        """Invert `encode`."""
        cells = torch.einsum("oc,bohw->bchw", self.basis, coefficients)
        return functional.pixel_shuffle(cells, self.patch)
