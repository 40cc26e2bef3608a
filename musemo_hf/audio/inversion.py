"""Log-mel to waveform: non-negative least squares on the mel filters, then Griffin-Lim with momentum."""

from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from typing import Any

import numpy as np
import scipy.sparse
import torch
from torch import Tensor

from .clip_threads import clip_threads, map_clips
from .mel import MelSettings, mel_filters

COLUMNS_AT_ONCE = 256  # frames whose magnitudes are found together
FRAMES_AT_ONCE = 128  # frames that are transformed together: their buffers stay within the cache
Over = Callable[[Callable[[Any], Any], Sequence[Any]], list[Any]]  # what `clip_threads` gives


@lru_cache(maxsize=8)
def _filter_matrices(settings: MelSettings) -> tuple[Any, Any, Tensor]:
    """Return the sparse filters, their transpose, and their dense pseudo-inverse."""
    dense = mel_filters(settings).numpy()
    return scipy.sparse.csr_matrix(dense), scipy.sparse.csr_matrix(dense.T), torch.from_numpy(np.linalg.pinv(dense))


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
    batch, n_mels, n_frames = mel_db.shape
    with clip_threads(-(-batch * n_frames // COLUMNS_AT_ONCE)) as over:
        columns = mel_db.float().cpu().permute(1, 0, 2).reshape(n_mels, -1)
        parts = over(lambda part: _magnitude(part, settings, n_iter), columns.split(COLUMNS_AT_ONCE, dim=1))
        return torch.cat(parts, dim=1).reshape(-1, batch, n_frames).permute(1, 0, 2)


def _magnitude(mel_db: Tensor, settings: MelSettings, n_iter: int) -> Tensor:
    """Return the magnitudes `(1 + n_fft // 2, n)` of single frames `(n_mels, n)`."""
    filters, transposed, inverse = _filter_matrices(settings)
    power = torch.pow(10.0, mel_db / 10)
    target = transposed @ power.numpy()
    # a bin that no filter reaches stays at the floor; the others need a strictly positive start
    solution = np.maximum((inverse @ power).numpy(), 1e-3 * target) + np.float32(1e-12)
    for _ in range(n_iter):
        np.divide(target, (transposed @ (filters @ solution)) + np.float32(1e-12), out=(ratio := np.empty_like(target)))
        solution *= ratio
    return torch.from_numpy(np.sqrt(solution, dtype=np.float32))


class FrameTransform:
    """Computes the STFT and its inverse on frames-major arrays `(B, n_frames, ...)`, where every frame is contiguous.

    It equals `torch.stft(pad_mode="constant")` and `torch.istft`, but avoids their transposed copies, reuses its
    buffers and works on a part of the frames at a time, so that Griffin-Lim runs several times as fast.
    """

    def __init__(self, settings: MelSettings, batch: int, n_frames: int, device: torch.device) -> None:
        if settings.n_fft % settings.hop_length:
            raise ValueError(f"expected hop_length to divide n_fft {settings.n_fft}, got {settings.hop_length}")
        self.n_fft, self.hop, self.overlaps = settings.n_fft, settings.hop_length, settings.n_fft // settings.hop_length
        self.n_frames, self.n_blocks = n_frames, n_frames + self.overlaps - 1
        self.window = torch.hann_window(settings.n_fft, device=device)
        self.frames = torch.empty(batch, n_frames, self.n_fft, device=device)
        self.blocks = torch.empty(batch, self.n_blocks, self.hop, device=device)
        self.inverse_envelope = torch.ones(1, device=device).expand_as(self.blocks[:1])
        self.frames[:] = self.window.square()
        self.add_frames(slice(0, self.n_blocks))
        self.inverse_envelope = self.blocks[:1].clamp_min(1e-8).reciprocal()

    def write_frames(self, spectrum: Tensor, part: slice) -> None:
        """Write the windowed frames `part` of a spectrum `(B, n_frames, n_fft / 2 + 1)`."""
        frames = torch.fft.irfft(spectrum[:, part], n=self.n_fft, out=self.frames[:, part])
        frames *= self.window

    def add_frames(self, part: slice) -> None:
        """Add up the overlapping frames in the blocks `part` of the signal; a block has `hop_length` samples."""
        parts = self.frames.unflatten(-1, (self.overlaps, self.hop))
        blocks = self.blocks[:, part].zero_()
        for k in range(self.overlaps):
            first, last = max(part.start - k, 0), min(part.stop - k, self.n_frames)
            if first < last:
                blocks[:, first + k - part.start : last + k - part.start] += parts[:, first:last, k]
        blocks *= self.inverse_envelope[:, part]

    def inverse(self, spectrum: Tensor) -> Tensor:
        """Return the signal of a spectrum `(B, n_frames, n_fft / 2 + 1)`, padded by `n_fft / 2` samples at each end.

        The result is a buffer that the next call overwrites.
        """
        self.write_frames(spectrum, slice(0, self.n_frames))
        self.add_frames(slice(0, self.n_blocks))
        return self.blocks.flatten(1)

    def silence_ends(self, padded: Tensor) -> None:
        """Set the padding of a signal to zero."""
        padded[:, : self.n_fft // 2] = 0
        padded[:, -(self.n_fft // 2) :] = 0

    def forward(self, padded: Tensor, out: Tensor, part: slice | None = None) -> Tensor:
        """Write the spectrum `(B, n_frames, n_fft / 2 + 1)` of the padded signal, or its frames `part`, into `out`."""
        part = slice(0, self.n_frames) if part is None else part
        frames = torch.mul(padded.unfold(-1, self.n_fft, self.hop)[:, part], self.window, out=self.frames[:, part])
        return torch.fft.rfft(frames, out=out[:, part])


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
    n_frames = magnitude.shape[-1]
    length = (n_frames - 1) * settings.hop_length if n_samples is None else n_samples
    # the same phases for every clip, so that a clip sounds the same in any batch
    phases = 2 * torch.pi * torch.rand(n_frames, magnitude.shape[1], generator=torch.Generator().manual_seed(seed))
    search = partial(_search, phases=phases, settings=settings, weight=momentum / (1 + momentum), n_iter=n_iter)
    if len(magnitude) == 1 and magnitude.device.type == "cpu":
        with clip_threads(-(-n_frames // FRAMES_AT_ONCE)) as over:
            signal = search(magnitude, over=over)
    elif magnitude.device.type == "cpu":
        signal = torch.cat(map_clips(lambda clip: search(clip[None]), list(magnitude)))
    else:
        signal = search(magnitude, at_once=n_frames)
    return torch.nn.functional.pad(signal[:, :length], (0, max(length - signal.shape[1], 0)))


def _in_turn(function: Callable[[Any], Any], parts: Sequence[Any]) -> list[Any]:
    return [function(part) for part in parts]


@torch.no_grad()
def _search(
    magnitude: Tensor,
    phases: Tensor,
    settings: MelSettings,
    weight: float,
    n_iter: int,
    over: Over = _in_turn,
    at_once: int = FRAMES_AT_ONCE,
) -> Tensor:
    """Return the signals of magnitudes `(B, bins, n_frames)` from their first sample on; see `griffin_lim`.

    Args:
        magnitude: The magnitudes.
        phases: The phases `(n_frames, bins)` to begin with.
        settings: The signal convention.
        weight: The weight of the spectrum before.
        n_iter: The number of iterations.
        over: A function that applies a function to all parts.
        at_once: The number of frames of a part.
    """
    magnitude = magnitude.transpose(1, 2).contiguous()
    batch, n_frames, _ = magnitude.shape
    transform = FrameTransform(settings, batch, n_frames, magnitude.device)
    padded, half = transform.blocks.flatten(1), settings.n_fft // 2
    spectrum = torch.polar(magnitude, phases.to(magnitude.device).expand_as(magnitude))
    gain, rebuilt = torch.empty_like(magnitude), [torch.empty_like(spectrum), torch.zeros_like(spectrum)]
    parts, blocks = (
        [slice(start, min(start + at_once, length)) for start in range(0, length, at_once)]
        for length in (n_frames, transform.n_blocks)
    )

    def improve(part: slice) -> None:
        transform.forward(padded, rebuilt[0], part)
        found = torch.sub(rebuilt[0][:, part], rebuilt[1][:, part], alpha=weight, out=spectrum[:, part])
        real, imaginary = torch.view_as_real(found).unbind(-1)
        ratio = torch.mul(real, real, out=gain[:, part]).addcmul_(imaginary, imaginary)
        ratio.clamp_min_(1e-20).rsqrt_().mul_(magnitude[:, part])
        real *= ratio
        imaginary *= ratio
        transform.write_frames(spectrum, part)

    over(lambda part: transform.write_frames(spectrum, part), parts)
    over(transform.add_frames, blocks)
    for _ in range(n_iter):
        transform.silence_ends(padded)
        over(improve, parts)
        over(transform.add_frames, blocks)
        rebuilt.reverse()
    return padded[:, half:]


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
