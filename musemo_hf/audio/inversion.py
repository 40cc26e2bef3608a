"""Log-mel to waveform: non-negative least squares on the mel filters, then Griffin-Lim with momentum."""

import numpy as np
import scipy.sparse
import torch
from torch import Tensor

from .mel import MelSettings, mel_filters


def mel_to_magnitude(mel_db: Tensor, settings: MelSettings = MelSettings(), n_iter: int = 100) -> Tensor:  # noqa: B008 (frozen)
    """Return the linear magnitude whose mel spectrogram is closest to the given one.

    min ||M x - y|| over x >= 0, M the mel filters, y the mel power: multiplicative updates x <- x M'y / M'Mx (Lee &
    Seung 2001, eq. 4) from the clipped pseudo-inverse. M is sparse (two bands a bin), so an iteration costs little.

    Args:
        mel_db: The log-mels `(B, n_mels, n_frames)` in dB.
        settings: The signal convention.
        n_iter: The number of updates.

    Returns:
        The magnitude `(B, 1 + n_fft // 2, n_frames)`, float32.
    """
    dense = mel_filters(settings).numpy()
    filters = scipy.sparse.csr_matrix(dense)
    transposed = scipy.sparse.csr_matrix(dense.T)
    batch, n_mels, n_frames = mel_db.shape
    power = torch.pow(10.0, mel_db.float().cpu() / 10).permute(1, 0, 2).reshape(n_mels, -1).numpy()
    target = transposed @ power
    # a bin that no filter reaches stays at the floor; the others need a strictly positive start
    solution = np.maximum(np.linalg.pinv(dense) @ power, 1e-3 * target) + 1e-12
    for _ in range(n_iter):
        np.divide(target, (transposed @ (filters @ solution)) + 1e-12, out=(ratio := np.empty_like(target)))
        solution *= ratio
    magnitude = torch.from_numpy(np.sqrt(solution, dtype=np.float32))
    return magnitude.reshape(-1, batch, n_frames).permute(1, 0, 2)


class FrameTransform:
    """Computes the STFT and its inverse on frames-major arrays `(B, n_frames, ...)`, where every frame is contiguous.

    It equals `torch.stft(pad_mode="constant")` and `torch.istft`, but avoids their transposed copies and reuses its
    buffers, so that the inner loop of Griffin-Lim runs several times as fast.
    """

    def __init__(self, settings: MelSettings, batch: int, n_frames: int, device: torch.device) -> None:
        if settings.n_fft % settings.hop_length:
            raise ValueError(f"expected hop_length to divide n_fft {settings.n_fft}, got {settings.hop_length}")
        self.n_fft, self.hop, self.overlaps = settings.n_fft, settings.hop_length, settings.n_fft // settings.hop_length
        self.window = torch.hann_window(settings.n_fft, device=device)
        self.frames = torch.empty(batch, n_frames, self.n_fft, device=device)
        self.blocks = torch.empty(batch, n_frames + self.overlaps - 1, self.hop, device=device)
        self.frames[:] = self.window.square()
        self.inverse_envelope = self._overlap_add().clamp_min(1e-8).reciprocal()

    def _overlap_add(self) -> Tensor:
        """Add up the overlapping frames, `(B, (n_frames - 1) * hop + n_fft)`."""
        batch, n_frames, _ = self.frames.shape
        parts = self.frames.view(batch, n_frames, self.overlaps, self.hop)
        self.blocks.zero_()
        for k in range(self.overlaps):
            self.blocks[:, k : k + n_frames] += parts[:, :, k]
        return self.blocks.flatten(1)

    def inverse(self, spectrum: Tensor) -> Tensor:
        """Return the signal of a spectrum `(B, n_frames, n_fft / 2 + 1)`, padded by `n_fft / 2` samples at each end.

        The result is a buffer that the next call overwrites.
        """
        torch.fft.irfft(spectrum, n=self.n_fft, out=self.frames)
        self.frames *= self.window
        return self._overlap_add().mul_(self.inverse_envelope)

    def forward(self, padded: Tensor, out: Tensor) -> Tensor:
        """Write the spectrum `(B, n_frames, n_fft / 2 + 1)` of the padded signal into `out`."""
        padded[:, : self.n_fft // 2] = 0
        padded[:, -(self.n_fft // 2) :] = 0
        torch.mul(padded.unfold(-1, self.n_fft, self.hop), self.window, out=self.frames)
        return torch.fft.rfft(self.frames, out=out)


def griffin_lim(
    magnitude: Tensor,
    settings: MelSettings = MelSettings(),  # noqa: B008 (frozen)
    n_iter: int = 32,
    momentum: float = 0.99,
    n_samples: int | None = None,
    seed: int = 0,
) -> Tensor:
    """Estimate the waveform of a magnitude spectrogram (Griffin & Lim 1984; Perraudin et al. 2013).

    Args:
        magnitude: The magnitude `(B, 1 + n_fft // 2, n_frames)`.
        settings: The signal convention.
        n_iter: The number of iterations.
        momentum: The momentum of the fast variant; 0 is the original algorithm.
        n_samples: The length of the result (default: (n_frames - 1) * hop_length).
        seed: The seed of the initial phases.

    Returns:
        The samples `(B, n_samples)`, float32.
    """
    magnitude = magnitude.transpose(1, 2).contiguous()
    batch, n_frames, _ = magnitude.shape
    transform = FrameTransform(settings, batch, n_frames, magnitude.device)
    # the same phases for every clip, so that a clip sounds the same in any batch
    phases = torch.rand(magnitude.shape[1:], generator=torch.Generator().manual_seed(seed)).to(magnitude.device)
    spectrum = torch.polar(magnitude, (2 * torch.pi * phases).expand_as(magnitude))
    rebuilt, previous, gain = torch.empty_like(spectrum), torch.zeros_like(spectrum), torch.empty_like(magnitude)
    for _ in range(n_iter):
        transform.forward(transform.inverse(spectrum), out=rebuilt)
        torch.sub(rebuilt, previous, alpha=momentum / (1 + momentum), out=spectrum)
        rebuilt, previous = previous, rebuilt
        real, imaginary = torch.view_as_real(spectrum).unbind(-1)
        torch.mul(real, real, out=gain).addcmul_(imaginary, imaginary).clamp_min_(1e-20).rsqrt_().mul_(magnitude)
        real *= gain
        imaginary *= gain
    half = settings.n_fft // 2
    length = (n_frames - 1) * settings.hop_length if n_samples is None else n_samples
    signal = transform.inverse(spectrum)[:, half : half + length]
    return torch.nn.functional.pad(signal, (0, length - signal.shape[1]))


def mel_to_audio(
    mel_db: Tensor,
    settings: MelSettings = MelSettings(),  # noqa: B008 (frozen)
    n_iter: int = 32,
    seed: int = 0,
) -> Tensor:
    """Convert log-mels to audio at its true loudness.

    Args:
        mel_db: The log-mels `(B, n_mels, n_frames)` in dB.
        settings: The signal convention.
        n_iter: The number of Griffin-Lim iterations.
        seed: The seed of the initial phases.

    Returns:
        The samples `(B, settings.n_samples(n_frames))`, float32: 10 s for 431 frames, 30 s for 1292.
    """
    magnitude = mel_to_magnitude(mel_db, settings).to(mel_db.device)
    return griffin_lim(magnitude, settings, n_iter, n_samples=settings.n_samples(mel_db.shape[-1]), seed=seed)
