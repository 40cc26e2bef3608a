"""Log-mel -> waveform: non-negative least squares on the mel filters, then Griffin-Lim with momentum."""

import numpy as np
import scipy.sparse
import torch
from torch import Tensor

from .mel import MelSettings, mel_filters


def mel_to_magnitude(mel_db: Tensor, settings: MelSettings = MelSettings(), n_iter: int = 100) -> Tensor:  # noqa: B008 (frozen)
    """Linear magnitude whose mel spectrogram is closest to the given one.

    min ||M x - y|| over x >= 0, M the mel filters, y the mel power: multiplicative updates x <- x M'y / M'Mx (Lee &
    Seung 2001, eq. 4) from the clipped pseudo-inverse. M is sparse (two bands a bin), so an iteration costs little.

    Args:
        mel_db: dB `(B, n_mels, n_frames)`.
        settings: the signal convention.
        n_iter: updates.

    Returns:
        Magnitude `(B, 1 + n_fft // 2, n_frames)` float32.
    """
    dense = mel_filters(settings).numpy()
    filters = scipy.sparse.csr_matrix(dense)
    transposed = scipy.sparse.csr_matrix(dense.T)
    batch, n_mels, n_frames = mel_db.shape
    power = torch.pow(10.0, mel_db.float().cpu() / 10).permute(1, 0, 2).reshape(n_mels, -1).numpy()
    target = transposed @ power
    # a bin that no filter reaches stays at the floor; elsewhere the update needs a strictly positive start
    solution = np.maximum(np.linalg.pinv(dense) @ power, 1e-3 * target) + 1e-12
    for _ in range(n_iter):
        np.divide(target, (transposed @ (filters @ solution)) + 1e-12, out=(ratio := np.empty_like(target)))
        solution *= ratio
    magnitude = torch.from_numpy(np.sqrt(solution, dtype=np.float32))
    return magnitude.reshape(-1, batch, n_frames).permute(1, 0, 2)


def griffin_lim(
    magnitude: Tensor,
    settings: MelSettings = MelSettings(),  # noqa: B008 (frozen)
    n_iter: int = 32,
    momentum: float = 0.99,
    n_samples: int | None = None,
    seed: int = 0,
) -> Tensor:
    """Waveform whose spectrogram is consistent with a magnitude (Griffin & Lim 1984; Perraudin et al. 2013).

    Args:
        magnitude: `(B, 1 + n_fft // 2, n_frames)`.
        settings: the signal convention.
        n_iter: iterations.
        momentum: of the fast variant; 0 is the original algorithm.
        n_samples: length of the result; (n_frames - 1) * hop_length where None.
        seed: of the random phases that it starts from.

    Returns:
        `(B, n_samples)` float32.
    """
    window = torch.hann_window(settings.n_fft, device=magnitude.device)
    transform = {"n_fft": settings.n_fft, "hop_length": settings.hop_length, "window": window}
    phases = torch.rand(magnitude.shape, generator=torch.Generator().manual_seed(seed)).to(magnitude.device)
    spectrum = torch.polar(magnitude, 2 * torch.pi * phases)
    previous = torch.zeros_like(spectrum)
    for _ in range(n_iter):
        signal = torch.istft(spectrum, **transform)
        rebuilt = torch.stft(signal, **transform, pad_mode="constant", return_complex=True)
        accelerated = rebuilt - previous * (momentum / (1 + momentum))
        previous = rebuilt
        spectrum = accelerated * (magnitude / accelerated.abs().clamp_min(1e-16))
    return torch.istft(spectrum, **transform, length=n_samples)


def mel_to_audio(
    mel_db: Tensor,
    settings: MelSettings = MelSettings(),
    n_iter: int = 32,
    seed: int = 0,  # noqa: B008 (frozen)
) -> Tensor:
    """Log-mel -> waveform at its true loudness.

    Args:
        mel_db: dB `(B, n_mels, n_frames)`.
        settings: the signal convention.
        n_iter: Griffin-Lim iterations.
        seed: of the starting phases.

    Returns:
        `(B, settings.n_samples(n_frames))` float32: 10 s for 431 frames, 30 s for 1292.
    """
    magnitude = mel_to_magnitude(mel_db, settings).to(mel_db.device)
    return griffin_lim(magnitude, settings, n_iter, n_samples=settings.n_samples(mel_db.shape[-1]), seed=seed)
