"""Standardisation of log-mels by the mean and the deviation of each mel band over the training songs."""

import torch
from torch import Tensor

from .full_precision import FullPrecision

SMALLEST = 1e-3  # deviation; a band that never changes is divided by this


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
        self.deviation.copy_(bands.std(dim=1, keepdim=True).clamp(min=SMALLEST))

    def encode(self, spectrogram: Tensor) -> Tensor:
        """Return the latents of normalised log-mels, both `(B, 1, n_mels, n_frames)`."""
        return (spectrogram - self.mean) / self.deviation

    def decode(self, latents: Tensor) -> Tensor:
        """Invert `encode`."""
        return latents * self.deviation + self.mean
