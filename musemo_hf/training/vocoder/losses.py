"""Losses of a vocoder's training."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

# windows; hops are a quarter (Yamamoto et al. 2020, table 1, up to the window of the log-mel)
WINDOWS = (256, 512, 1024, 2048)
FLOOR = 1e-3  # of a magnitude


def stft_magnitude(audio: Tensor, window: int) -> Tensor:
    """Compute the magnitudes `(B, window // 2 + 1, n_frames)` of samples `(B, samples)`, smoothly at least `FLOOR`."""
    hann = torch.hann_window(window, device=audio.device)
    spectrum = torch.stft(audio, window, window // 4, window=hann, return_complex=True)
    return torch.view_as_real(spectrum).square().sum(-1).add(FLOOR**2).sqrt()


def multi_resolution_stft_loss(audio: Tensor, target: Tensor, windows: Sequence[int] = WINDOWS) -> Tensor:
    """Compute spectral convergence plus the mean absolute difference of log-magnitudes (Yamamoto et al. 2020, eq. 4).

    Args:
        audio: The samples of the vocoder `(B, samples)`.
        target: The samples of the songs, of the same shape.
        windows: The windows whose losses are averaged.
    """
    total = audio.new_zeros(())
    for window in windows:
        found, true = stft_magnitude(audio, window), stft_magnitude(target, window)
        convergence = torch.linalg.vector_norm(found - true) / torch.linalg.vector_norm(true)
        total = total + convergence + (found.log() - true.log()).abs().mean()
    return total / len(windows)


def discriminator_loss(real: Sequence[Tensor], fake: Sequence[Tensor]) -> Tensor:
    """Compute the hinge loss of the discriminators (Lim & Ye 2017), the mean over them."""
    parts = [(1 - r).relu().mean() + (1 + f).relu().mean() for r, f in zip(real, fake, strict=True)]
    return torch.stack(parts).mean()


def adversarial_loss(fake: Sequence[Tensor]) -> Tensor:
    """Compute the hinge loss of the vocoder, the mean over the discriminators."""
    return torch.stack([(1 - logits).relu().mean() for logits in fake]).mean()


def feature_loss(real: Sequence[Tensor], fake: Sequence[Tensor]) -> Tensor:
    """Compute the mean absolute difference of the discriminators' features (Kumar et al. 2019, eq. 4)."""
    return torch.stack([functional.l1_loss(f, r.detach()) for r, f in zip(real, fake, strict=True)]).mean()
