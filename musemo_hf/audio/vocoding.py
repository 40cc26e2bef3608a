"""Log-mel to waveform by a neural vocoder, in blocks that overlap."""

import math
from typing import Any

import librosa
import torch
from torch import Tensor
from torch.nn import functional

from .decoding import resample
from .grid_conversion import convert_log_mel
from .griffin_lim import refine
from .mel import MelSettings, normalise
from .vocoder_grid import VocoderGrid, grid_of

BLOCK = 1024  # frames of the vocoder that are played at once
# A vocoder ends at full scale, and a generated log-mel can be far louder. The loudest frame is brought to this level in
# dB below full scale, which leaves room for its peaks, and the audio back to its true loudness.
LOUDEST_DB = -12.0
FRAMES_OF_AN_ITERATION = 3  # frames to either side that an iteration of `refine` reaches


@torch.no_grad()
def vocode(mel_db: Tensor, vocoder: Any, settings: MelSettings = MelSettings(), block: int = BLOCK) -> Tensor:  # noqa: B008 (frozen)
    """Convert log-mels to audio at true loudness by a vocoder, which may expect another grid.

    A long song is played in blocks, which overlap by what the network sees. They are equal to the whole within
    rounding, and memory beside the audio does not grow with the song.

    Args:
        mel_db: The log-mels `(B, n_mels, n_frames)` in dB.
        vocoder: A `MusemoVocoder`, a `SpeechT5HifiGan` of transformers, or a generator of HiFi-GAN's or BigVGAN's own
            code.
        settings: The settings of the log-mels.
        block: The number of the vocoder's frames in a block.

    Returns:
        The samples `(B, settings.n_samples(n_frames))` at `settings.sampling_rate`, float32 on the CPU.

    Raises:
        ValueError: The vocoder's grid is unknown (see `grid_of`), or its audio is not finite or of another length.
        TypeError: It is no vocoder.
    """
    grid, reach = grid_of(vocoder), reach_in_frames(vocoder)
    n_samples = settings.n_samples(mel_db.shape[-1])
    n_frames = grid.n_frames(n_samples / settings.sampling_rate)
    mel_db = mel_db.float().cpu()
    gain_db = (LOUDEST_DB - loudest_frame(mel_db, settings)).clamp_max(0)
    quieter = mel_db + gain_db[:, None, None]
    parts = []
    for start in range(0, n_frames, block):
        first, stop = max(0, start - reach), min(start + block, n_frames)
        values = _values(quieter, settings, grid, first, min(stop + reach, n_frames))
        audio = _play(vocoder, values, grid)
        if n_iter := refinement(vocoder):
            audio = refine(audio, quieter[..., first : first + values.shape[-1]], settings, n_iter)
        parts.append(audio[:, (start - first) * grid.hop_length : (stop - first) * grid.hop_length])
    audio = torch.cat(parts, dim=1) * 10 ** (-gain_db[:, None] / 20)
    if grid.sampling_rate != settings.sampling_rate:
        clips = [resample(clip.numpy(), grid.sampling_rate, settings.sampling_rate) for clip in audio]
        audio = torch.stack([torch.from_numpy(clip) for clip in clips])
    return functional.pad(audio[:, :n_samples], (0, max(0, n_samples - audio.shape[1])))


def loudest_frame(mel_db: Tensor, settings: MelSettings) -> Tensor:
    """Return the root mean square of the loudest frame of each log-mel, `(B,)` in dB re full scale."""
    edges = librosa.mel_frequencies(settings.n_mels + 2, fmin=0, fmax=settings.sampling_rate / 2)
    width = torch.from_numpy((edges[2:] - edges[:-2]) / 2).to(mel_db.dtype)  # each band's filter has the area 1 over it
    energy = torch.einsum("bmt,m->bt", 10 ** (mel_db / 10), width)
    window = 0.375 * settings.n_fft  # the sum of the squared Hann window
    return 10 * torch.log10(2 * energy.amax(dim=1) / (settings.n_fft * window))


def refinement(vocoder: Any) -> int:
    """Return the number of iterations of `refine` after the network, which a `MusemoVocoder` has in its settings."""
    return getattr(vocoder.config, "refinement", 0) if hasattr(vocoder, "mel_settings") else 0


def reach_in_frames(vocoder: Any) -> int:
    """Return how many frames to either side the audio of a frame depends on, rounded up."""
    if (reach := getattr(vocoder, "reach", None)) is not None:
        return reach + FRAMES_OF_AN_ITERATION * refinement(vocoder)
    own = getattr(vocoder, "h", None)
    shape = own if own is not None else vocoder.config.to_dict()
    filters = 0 if own is None else 6  # samples that each filtered activation of BigVGAN reaches: 12 taps, twice, at 2x
    widest = 0
    for kernel, dilations in zip(shape["resblock_kernel_sizes"], shape["resblock_dilation_sizes"], strict=True):
        dilated = sum((kernel - 1) * (dilation + 1) // 2 + 2 * filters for dilation in dilations)
        widest = max(widest, dilated)
    frames, rate = 3.0, 1  # the first convolution has 7 taps
    for upsampling, kernel in zip(shape["upsample_rates"], shape["upsample_kernel_sizes"], strict=True):
        frames += kernel / (upsampling * rate)
        rate *= upsampling
        frames += widest / rate
    return math.ceil(frames + (3 + filters) / rate) + 1


def _values(mel_db: Tensor, settings: MelSettings, grid: VocoderGrid, start: int, stop: int) -> Tensor:
    """Return what the vocoder takes for its frames from `start` to `stop`."""
    if grid == VocoderGrid.of(settings):
        return normalise(mel_db[..., start:stop], settings)
    return convert_log_mel(mel_db, settings, grid, start=start, stop=stop)


def _play(vocoder: Any, values: Tensor, grid: VocoderGrid) -> Tensor:
    """Return the samples `(B, n_frames * hop_length)` of values `(B, n_mels, n_frames)`."""
    weight = next(vocoder.parameters())
    # the networks of transformers take frames first, HiFi-GAN's and BigVGAN's own code bands first
    arranged = values if hasattr(vocoder, "h") else values.transpose(1, 2)
    audio = vocoder(arranged.to(weight.device, weight.dtype)).float().cpu().reshape(len(values), -1)
    wanted = values.shape[-1] * grid.hop_length
    if not 0 <= audio.shape[1] - wanted < grid.hop_length:  # AudioLDM's odd upsampling adds a few samples at the end
        raise ValueError(f"expected {wanted} samples of the vocoder, {grid.hop_length} a frame, got {audio.shape[1]}")
    if not torch.isfinite(audio).all():
        raise ValueError("expected finite audio of the vocoder, got NaN or infinity")
    return audio[:, :wanted]
