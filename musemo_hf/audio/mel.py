"""Waveform to log-mel in batched torch, equal to librosa's."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from .clip_threads import clip_threads

FRAMES_AT_ONCE = 256
FRAMES_OF_A_THREAD = 1024


@dataclass(frozen=True)
class MelSettings:
    """Defines the one signal convention of the project.

    Power mel bands (Slaney scale and norm), dB re 1.0, clipped to [`min_db`, `max_db`] only when normalised.

    Attributes:
        sampling_rate: The sampling rate in Hz.
        n_fft: The length of the (Hann) window in samples.
        hop_length: The number of samples between frames. Frames are centred, and the signal is padded with zeros.
        n_mels: The number of mel bands between 0 Hz and half the sampling rate.
        min_db: The floor in dB, -1 when normalised; also the value of padding.
        max_db: The ceiling in dB, +1 when normalised.
    """

    sampling_rate: int = 22050
    n_fft: int = 2048
    hop_length: int = 512
    n_mels: int = 128
    min_db: float = -60.0
    max_db: float = 40.0

    def n_samples(self, n_frames: int) -> int:
        """Return the samples of a signal of `n_frames` frames, rounded to 0.1 s where that has the same frames.

        431 frames are 220,500 samples (10 s), 1292 are 661,500 (30 s).
        """
        tenth = self.sampling_rate // 10
        shortest = (n_frames - 1) * self.hop_length
        rounded = -(-shortest // tenth) * tenth
        return rounded if self.n_frames(rounded) == n_frames else shortest

    def n_frames(self, n_samples: int) -> int:
        """Return the number of frames of a signal of `n_samples`."""
        return 1 + n_samples // self.hop_length


@lru_cache(maxsize=8)
def mel_filters(settings: MelSettings) -> Tensor:
    """Return the Slaney filter matrix, float32 `(n_mels, 1 + n_fft // 2)`.

    librosa and transformers have the same, which a test compares; both load slowly.
    """
    bins = np.linspace(0, settings.sampling_rate // 2, 1 + settings.n_fft // 2)[None]
    edges = _mel_edges(settings)[:, None]
    rising = (bins - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - bins) / (edges[2:] - edges[1:-1])
    filters = np.maximum(0, np.minimum(rising, falling)).astype(np.float32)
    filters *= 2 / (edges[2:] - edges[:-2])  # in single precision, as librosa
    return torch.from_numpy(filters)


def _mel_edges(settings: MelSettings) -> np.ndarray:
    """Return the frequencies in Hz `(n_mels + 2,)` where the bands begin, peak and end (Slaney 1998).

    They are linear below 1 kHz, with 15 bands, and logarithmic above, with 27 bands for a factor of 6.4.
    """
    step = 27 / np.log(6.4)
    highest = settings.sampling_rate / 2
    top = 15 + np.log(highest / 1000) * step if highest >= 1000 else 3 * highest / 200
    mel = np.linspace(0.0, top, settings.n_mels + 2)
    return np.where(mel < 15, 200 * mel / 3, 1000 * np.exp((mel - 15) / step))


@lru_cache(maxsize=8)
def _filter_blocks(settings: MelSettings) -> list[tuple[slice, slice, Tensor]]:
    """Return (bands, bins, weights): the filter matrix in blocks of 32 bands with only the bins that they reach.

    Each bin is repeated, for its real and its imaginary part.
    """
    doubled = mel_filters(settings).repeat_interleave(2, dim=1)
    blocks = []
    for start in range(0, settings.n_mels, 32):
        rows = doubled[start : start + 32]
        reached = rows.any(dim=0).nonzero().flatten().tolist() or [0]
        bins = slice(reached[0], reached[-1] + 1)
        blocks.append((slice(start, start + len(rows)), bins, rows[:, bins].contiguous()))
    return blocks


def mel_power(waveform: Tensor, settings: MelSettings = MelSettings()) -> Tensor:
    """Return the power mel spectrogram of `librosa.feature.melspectrogram(pad_mode="constant")`, without gradient.

    Args:
        waveform: The mono float samples `(..., samples)` at `settings.sampling_rate`.
        settings: The signal convention.

    Returns:
        The power `(..., n_mels, 1 + samples // hop_length)`.
    """
    return _spectrogram(waveform, settings, decibels=False)


def log_mel(waveform: Tensor, settings: MelSettings = MelSettings()) -> Tensor:
    """Return the mel spectrogram in dB re 1.0, 10 log10(max(power, 1e-10)), without `top_db` and gradient.

    Args:
        waveform: The mono float samples `(..., samples)` at `settings.sampling_rate`.
        settings: The signal convention.

    Returns:
        The log-mel `(..., n_mels, n_frames)` in dB, at least -100.

    Raises:
        ValueError: `waveform` is not floating point, or has no samples.
    """
    if not waveform.is_floating_point() or waveform.ndim == 0 or waveform.shape[-1] == 0:
        raise ValueError(
            f"expected floating-point audio of shape (..., samples), got {waveform.dtype} {tuple(waveform.shape)}"
        )
    return _spectrogram(waveform, settings, decibels=True)


def _spectrogram(waveform: Tensor, settings: MelSettings, decibels: bool) -> Tensor:
    clips = waveform.detach().reshape(-1, waveform.shape[-1])
    n_frames, half = settings.n_frames(waveform.shape[-1]), settings.n_fft // 2
    starts = range(0, n_frames, FRAMES_OF_A_THREAD)
    with clip_threads(len(clips) * len(starts)) as over:
        mels = clips.new_empty(len(clips), settings.n_mels, n_frames)
        padded = over(lambda clip: functional.pad(clip, (half, half)), list(clips))
        parts = [
            part
            for clip, mel in zip(padded, mels, strict=True)
            for part in zip(
                clip.unfold(-1, settings.n_fft, settings.hop_length).split(FRAMES_OF_A_THREAD),
                mel.split(FRAMES_OF_A_THREAD, dim=1),
                strict=True,
            )
        ]
        over(lambda part: _fill(*part, settings, decibels), parts)
    return mels.reshape(*waveform.shape[:-1], *mels.shape[-2:])


def _fill(frames: Tensor, mel: Tensor, settings: MelSettings, decibels: bool) -> None:
    """Write the mel spectrogram `(n_mels, n)` of frames `(n, n_fft)`."""
    window = torch.hann_window(settings.n_fft, dtype=frames.dtype, device=frames.device)
    blocks = [(bands, bins, weights.to(frames)) for bands, bins, weights in _filter_blocks(settings)]
    # a few frames at a time, in buffers made once, stay within the cache: twice as fast as torch.stft on the batch
    windowed = frames.new_empty(FRAMES_AT_ONCE, settings.n_fft)
    spectrum = windowed.new_empty(FRAMES_AT_ONCE, settings.n_fft // 2 + 1, dtype=windowed.dtype.to_complex())
    for part, out in zip(frames.split(FRAMES_AT_ONCE), mel.split(FRAMES_AT_ONCE, dim=1), strict=True):
        torch.mul(part, window, out=windowed[: len(part)])
        torch.fft.rfft(windowed[: len(part)], out=spectrum[: len(part)])
        squares = torch.view_as_real(spectrum[: len(part)]).flatten(-2).square_().T
        for bands, bins, weights in blocks:
            torch.mm(weights, squares[bins], out=out[bands])
    if decibels:
        mel.clamp_min_(1e-10).log10_().mul_(10)


def normalise(decibels: Tensor, settings: MelSettings = MelSettings()) -> Tensor:
    """Map dB to [-1, 1] by one fixed scale, (clip(dB, -60, 40) + 10) / 50, because loudness is part of emotion."""
    centre, half = (settings.max_db + settings.min_db) / 2, (settings.max_db - settings.min_db) / 2
    return (decibels.clamp(settings.min_db, settings.max_db) - centre) / half


def denormalise(spectrogram: Tensor, settings: MelSettings = MelSettings()) -> Tensor:
    """Map [-1, 1] to dB, the inverse of `normalise` within the range."""
    centre, half = (settings.max_db + settings.min_db) / 2, (settings.max_db - settings.min_db) / 2
    return spectrogram * half + centre
