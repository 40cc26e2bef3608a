"""A head by kernel ridge regression on texture statistics, fitted in closed form."""

import torch
from torch import Tensor

from .full_precision import FullPrecision
from .texture import texture_size, texture_statistics

FARTHEST = 4.0  # limit of standardised statistics, which keeps a broken input near music
RIDGE = 1.0  # of the kernel matrix, whose diagonal is 1


class KernelHead(FullPrecision):
    """Predicts emotion by kernel ridge regression (Saunders et al. 1998) with a Gaussian kernel on texture statistics.

    A ridge shrinks predictions towards the mean, which concordance punishes. So they are rescaled such that the
    leave-one-out predictions of the training songs, which have a closed form, have the labels' deviation.

    Args:
        n_frames: The number of frames of a spectrogram.
        n_clips: The number of training songs that are kept; 0 before fitting.
    """

    mean: Tensor
    scale: Tensor
    clips: Tensor
    weight: Tensor
    bias: Tensor

    def __init__(self, n_frames: int, n_clips: int) -> None:
        super().__init__()
        size = texture_size(n_frames)
        self.register_buffer("mean", torch.zeros(size))
        self.register_buffer("scale", torch.ones(size))
        self.register_buffer("clips", torch.zeros(n_clips, size, dtype=torch.float16))  # of values up to 4
        self.register_buffer("weight", torch.zeros(n_clips, 2))
        self.register_buffer("bias", torch.zeros(2))

    @torch.no_grad()
    def fit(self, spectrogram: Tensor, emotion: Tensor, batch_size: int = 32) -> None:
        """Fit to training songs.

        Args:
            spectrogram: The normalised log-mels `(N, 1, n_mels, n_frames)` of at least 2 songs.
            emotion: The emotions `(N, 2)` (valence, arousal).
            batch_size: The number of songs whose statistics are computed at once.

        Raises:
            ValueError: There are fewer than 2 songs.
        """
        if len(spectrogram) < 2:
            raise ValueError(f"expected at least 2 songs to fit a kernel head to, got {len(spectrogram)}")
        statistics = torch.cat([texture_statistics(part.to(self.mean)) for part in spectrogram.split(batch_size)])
        self.mean.copy_(statistics.mean(dim=0))
        self.scale.copy_(statistics.std(dim=0, unbiased=False).clamp(min=1e-3))
        self.clips = self._standardised(statistics).half()
        labels = emotion.to(self.clips.device, torch.float64)
        kernel = self._kernel(self.clips.float()).double()
        inverse = torch.linalg.inv(kernel + RIDGE * torch.eye(len(kernel), device=kernel.device, dtype=kernel.dtype))
        weight = inverse @ (labels - labels.mean(dim=0))
        without_itself = labels - weight / inverse.diagonal()[:, None]  # Rasmussen & Williams 2006, eq. 5.12
        spread = labels.std(dim=0) / without_itself.std(dim=0).clamp(min=1e-6)
        self.weight, self.bias = (weight * spread).to(self.bias), labels.mean(dim=0).to(self.bias)

    def forward(self, spectrogram: Tensor) -> Tensor:
        """Predict (valence, arousal) `(B, 2)` from normalised log-mels `(B, 1, n_mels, n_frames)`."""
        return self.bias + self._kernel(self._standardised(texture_statistics(spectrogram))) @ self.weight

    def _standardised(self, statistics: Tensor) -> Tensor:
        return ((statistics - self.mean) / self.scale).clamp(-FARTHEST, FARTHEST)

    def _kernel(self, statistics: Tensor) -> Tensor:
        """Return the kernel with the kept songs, `(B, n_clips)`; it is 1 for the same song and falls with distance."""
        clips = self.clips.to(statistics)
        norms = statistics.square().sum(dim=-1, keepdim=True) + clips.square().sum(dim=-1)
        squared = (norms - 2 * statistics @ clips.T).clamp(min=0)
        return torch.exp(-0.5 * squared / statistics.shape[-1])
