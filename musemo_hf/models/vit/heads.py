"""What the head is given besides the pooled tokens: statistics of the log-mel itself."""

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import initialization as init

N_KINDS = 3  # mean, deviation, deviation of the difference from frame to frame


def band_statistics(spectrogram: Tensor) -> Tensor:
    """Mean, deviation, and deviation of the frame-to-frame difference over time, per band.

    Args:
        spectrogram: normalised log-mel `(B, 1, n_mels, n_frames)`.

    Returns:
        float32 `(B, 3 * n_mels)`. A constant band's deviation is 1e-3 (0.05 dB), where the root's gradient is finite.
    """
    mel = spectrogram[:, 0].float()
    step = mel.diff(dim=-1) if mel.shape[-1] > 1 else torch.zeros_like(mel)
    deviations = [(x.var(dim=-1, unbiased=False) + 1e-6).sqrt() for x in (mel, step)]
    return torch.cat([mel.mean(dim=-1), *deviations], dim=-1)


class BandStatistics(nn.Module):
    """Band statistics, standardised over the training songs, through one hidden layer.

    Args:
        n_mels: bands.
        size: of the output.
        dropout: of the standardised statistics; that of the output is the head's.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, n_mels: int, size: int, dropout: float) -> None:
        super().__init__()
        # standardised with constants of the training songs: within a clip it would take out the clip's level
        self.register_buffer("mean", torch.zeros(N_KINDS * n_mels))
        self.register_buffer("scale", torch.ones(N_KINDS * n_mels))
        self.dropout, self.linear = nn.Dropout(dropout), nn.Linear(N_KINDS * n_mels, size)

    @torch.no_grad()
    def reset(self) -> None:
        """As if nothing had been fitted; only where no checkpoint gave the constants."""
        init.zeros_(self.mean)
        init.ones_(self.scale)

    @torch.no_grad()
    def fit(self, spectrogram: Tensor, batch_size: int = 256) -> None:
        """Take the constants from training songs, `(N, 1, n_mels, n_frames)`."""
        values = torch.cat([band_statistics(part) for part in spectrogram.split(batch_size)])
        self.mean.copy_(values.mean(dim=0))
        self.scale.copy_(values.std(dim=0, unbiased=False).clamp(min=1e-3))

    def forward(self, spectrogram: Tensor) -> Tensor:
        """`(B, 1, n_mels, n_frames)` -> `(B, size)`."""
        standardised = (band_statistics(spectrogram) - self.mean) / self.scale
        # ten deviations are far outside any music: a broken input may not reach the head with a thousand
        within = standardised.clamp(-10, 10).to(self.linear.weight.dtype)
        return functional.gelu(self.linear(self.dropout(within)))
