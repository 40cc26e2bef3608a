"""Griffin-Lim with momentum: the phases of magnitudes, or a signal that has the given mel bands."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from .clip_threads import clip_threads, map_clips
from .mel import MelSettings, mel_filters

FRAMES_AT_ONCE = 128  # frames that are transformed together: their buffers stay within the cache
Over = Callable[[Callable[[Any], Any], Sequence[Any]], list[Any]]  # what `clip_threads` gives


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
    mel_db: Tensor | None = None,
) -> Tensor:
    """Estimate the waveform of a magnitude spectrogram (Griffin & Lim 1984; Perraudin et al. 2013).

    Args:
        magnitude: The magnitude `(B, 1 + n_fft // 2, n_frames)`.
        settings: The signal convention.
        n_iter: The number of iterations.
        momentum: The momentum of the fast variant; 0 is the original algorithm.
        n_samples: The length of the result (default: (n_frames - 1) * hop_length).
        seed: The seed of the initial phases.
        mel_db: The log-mels `(B, n_mels, n_frames)` in dB to keep; the magnitude is then only the start. See `refine`.

    Returns:
        The samples `(B, n_samples)`, float32.
    """
    n_frames = magnitude.shape[-1]
    length = (n_frames - 1) * settings.hop_length if n_samples is None else n_samples
    # the same phases for every clip, so that a clip sounds the same in any batch
    phases = 2 * torch.pi * torch.rand(n_frames, magnitude.shape[1], generator=torch.Generator().manual_seed(seed))
    start, phases = magnitude.transpose(1, 2).contiguous(), phases.to(magnitude.device)
    kept = start if mel_db is None else _mel_power(mel_db).to(magnitude)
    return _searched(start, phases, kept, settings, n_iter, momentum, length)


def refine(
    audio: Tensor,
    mel_db: Tensor,
    settings: MelSettings = MelSettings(),  # noqa: B008 (frozen)
    n_iter: int = 8,
    momentum: float = 0.99,
) -> Tensor:
    """Bring audio nearer to log-mels by the iterations of Griffin-Lim.

    An iteration keeps the magnitudes of the signal, times the gains that give its mel bands the level of the
    log-mels. So the magnitudes stay those of a signal, which a magnitude that was found from the bands is not. The
    audio of a frame depends on three further frames to either side for each iteration.

    Args:
        audio: The samples `(B, samples)` to begin with.
        mel_db: The log-mels `(B, n_mels, n_frames)` in dB.
        settings: The signal convention.
        n_iter: The number of iterations.
        momentum: The momentum of the fast variant.

    Returns:
        The samples `(B, samples)`, float32.
    """
    n_samples, n_frames = audio.shape[1], mel_db.shape[-1]
    window = torch.hann_window(settings.n_fft, device=audio.device)
    padded = functional.pad(audio, (0, max(0, n_frames * settings.hop_length - n_samples)))
    options: dict[str, Any] = {"hop_length": settings.hop_length, "window": window, "pad_mode": "constant"}
    spectrum = torch.stft(padded, settings.n_fft, **options, return_complex=True)[..., :n_frames].transpose(1, 2)
    kept = _mel_power(mel_db).to(audio)
    return _searched(spectrum.abs(), spectrum.angle(), kept, settings, n_iter, momentum, n_samples)


def _mel_power(mel_db: Tensor) -> Tensor:
    return torch.pow(10.0, mel_db.float() / 10).transpose(1, 2).contiguous()


def _searched(
    start: Tensor, phases: Tensor, kept: Tensor, settings: MelSettings, n_iter: int, momentum: float, length: int
) -> Tensor:
    """Return the samples `(B, length)`; see `_search`."""
    n_frames = start.shape[1]
    search = partial(_search, settings=settings, weight=momentum / (1 + momentum), n_iter=n_iter)
    if len(start) == 1 and start.device.type == "cpu":
        with clip_threads(-(-n_frames // FRAMES_AT_ONCE)) as over:
            signal = search(start, phases, kept, over=over)
    elif start.device.type == "cpu":
        clips = list(zip(start[:, None], phases.expand_as(start), kept[:, None], strict=True))
        signal = torch.cat(map_clips(lambda clip: search(*clip), clips))
    else:
        signal = search(start, phases, kept, at_once=n_frames)
    return functional.pad(signal[:, :length], (0, max(length - signal.shape[1], 0)))


def _in_turn(function: Callable[[Any], Any], parts: Sequence[Any]) -> list[Any]:
    return [function(part) for part in parts]


@torch.no_grad()
def _search(
    start: Tensor,
    phases: Tensor,
    kept: Tensor,
    settings: MelSettings,
    weight: float,
    n_iter: int,
    over: Over = _in_turn,
    at_once: int = FRAMES_AT_ONCE,
) -> Tensor:
    """Return the signals of spectrograms `(B, n_frames, ...)` from their first sample on; see `griffin_lim`.

    Args:
        start: The magnitudes to begin with.
        phases: The phases to begin with, `(n_frames, bins)` or for each clip.
        kept: What the iterations keep: magnitudes or, with as many values as bands, the mel power.
        settings: The signal convention.
        weight: The weight of the spectrum before.
        n_iter: The number of iterations.
        over: A function that applies a function to all parts.
        at_once: The number of frames of a part.
    """
    batch, n_frames, n_bins = start.shape
    transform = FrameTransform(settings, batch, n_frames, start.device)
    padded, half = transform.blocks.flatten(1), settings.n_fft // 2
    spectrum = torch.polar(start, phases.expand_as(start))
    gain, rebuilt = torch.empty_like(start), [torch.empty_like(spectrum), torch.zeros_like(spectrum)]
    filters = None if kept.shape[-1] == n_bins else mel_filters(settings).to(start)
    parts, blocks = (
        [slice(first, min(first + at_once, length)) for first in range(0, length, at_once)]
        for length in (n_frames, transform.n_blocks)
    )

    def improve(part: slice) -> None:
        transform.forward(padded, rebuilt[0], part)
        found = torch.sub(rebuilt[0][:, part], rebuilt[1][:, part], alpha=weight, out=spectrum[:, part])
        real, imaginary = torch.view_as_real(found).unbind(-1)
        ratio = torch.mul(real, real, out=gain[:, part]).addcmul_(imaginary, imaginary)
        if filters is None:
            ratio.clamp_min_(1e-20).rsqrt_().mul_(kept[:, part])
        else:
            torch.matmul(kept[:, part] / (ratio @ filters.T).clamp_min_(1e-12), filters, out=ratio)
            ratio.div_(filters.sum(dim=0).clamp_min(1e-12)).sqrt_()  # the mean of the gains of a bin's bands
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
