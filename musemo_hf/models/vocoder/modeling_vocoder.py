"""A vocoder with an inverse STFT (Vocos, Siuzdak 2023): it works at the rate of frames, so that a CPU suffices."""

import math
from typing import Any

import numpy as np
import torch
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from torch import Tensor, nn
from transformers.audio_utils import hertz_to_mel, mel_filter_bank

from .verification import VerifiedModelMixin

KERNEL = 7  # frames of a convolution
LARGEST = 9.0  # natural logarithm of a magnitude; a full-scale sine has 6.2


class ConvNeXtBlock(nn.Module):
    """A residual block of one dimension (Liu et al. 2022): depthwise convolution, and two layers for each frame.

    Args:
        channels: The number of channels.
        expansion: The ratio of the hidden channels to the channels.
        scale: The initial value of the layer scale.
    """

    def __init__(self, channels: int, expansion: int, scale: float) -> None:
        super().__init__()
        self.depthwise = nn.Conv1d(channels, channels, KERNEL, padding=KERNEL // 2, groups=channels)
        self.norm = nn.LayerNorm(channels)
        self.widen = nn.Linear(channels, expansion * channels)
        self.narrow = nn.Linear(expansion * channels, channels)
        self.scale = nn.Parameter(torch.full((channels,), scale))

    def forward(self, hidden: Tensor) -> Tensor:
        """Return the features `(B, n_frames, channels)` of the next block."""
        mixed = self.norm(self.depthwise(hidden.transpose(1, 2)).transpose(1, 2))
        return hidden + self.scale * self.narrow(nn.functional.gelu(self.widen(mixed)))


class MusemoVocoder(VerifiedModelMixin, ModelMixin, ConfigMixin):
    """Turns the project's normalised log-mels into audio.

    ConvNeXt blocks over frames predict the phase of each bin, and by how much its log-magnitude differs from that of
    the log-mel, interpolated between bands. An inverse STFT makes the audio of them.

    Args:
        channels: The number of channels of the blocks.
        layers: The number of blocks.
        expansion: The ratio of a block's hidden channels to its channels.
        n_mels: The number of mel bands.
        sampling_rate: The sampling rate in Hz.
        n_fft: The length of the (Hann) window in samples.
        hop_length: The number of samples between frames, a quarter of `n_fft`.
        min_db: The level in dB that is -1 in a normalised log-mel.
        max_db: The level in dB that is +1 in a normalised log-mel.
        refinement: The number of iterations by which `vocode` brings the audio nearer to the log-mel. They are no part
            of `forward`.

    Raises:
        ValueError: `hop_length` is not a quarter of `n_fft`.
    """

    config_name = "config.json"

    @register_to_config
    def __init__(
        self,
        channels: int = 256,
        layers: int = 8,
        expansion: int = 3,
        n_mels: int = 128,
        sampling_rate: int = 22050,
        n_fft: int = 2048,
        hop_length: int = 512,
        min_db: float = -60.0,
        max_db: float = 40.0,
        refinement: int = 0,
    ) -> None:
        super().__init__()
        if n_fft != 4 * hop_length:
            raise ValueError(f"expected hop_length as a quarter of n_fft {n_fft}, got {hop_length}")
        self.embed = nn.Conv1d(n_mels, channels, KERNEL, padding=KERNEL // 2)
        self.embed_norm = nn.LayerNorm(channels)
        self.blocks = nn.ModuleList(ConvNeXtBlock(channels, expansion, 1 / layers) for _ in range(layers))
        self.norm = nn.LayerNorm(channels)
        self.to_magnitude = nn.Linear(channels, 1 + n_fft // 2)
        self.to_phase = nn.Linear(channels, 1 + n_fft // 2)
        nn.init.zeros_(self.to_magnitude.weight)  # the magnitude begins as that of the log-mel
        nn.init.zeros_(self.to_magnitude.bias)
        with torch.no_grad():  # a pulse in the middle of the window, which at its ends would not be heard
            self.to_phase.bias.copy_(math.pi * (torch.arange(1 + n_fft // 2) % 2))
        for name, values in _interpolation(n_mels, sampling_rate, n_fft).items():
            self.register_buffer(name, torch.from_numpy(values))

    @property
    def mel_settings(self) -> dict[str, Any]:
        """The arguments of the `MelSettings` of the log-mels."""
        names = ("sampling_rate", "n_fft", "hop_length", "n_mels", "min_db", "max_db")
        return {name: self.config[name] for name in names}

    @property
    def reach(self) -> int:
        """How many frames to either side the audio of a frame depends on."""
        return (1 + self.config.layers) * (KERNEL // 2) + self.config.n_fft // 2 // self.config.hop_length

    def forward(self, spectrogram: Tensor) -> Tensor:
        """Return the audio of normalised log-mels.

        Args:
            spectrogram: The log-mels `(B, n_frames, n_mels)` in [-1, 1].

        Returns:
            The samples `(B, n_frames * hop_length)`, float32.
        """
        hidden = self.embed_norm(self.embed(spectrogram.transpose(1, 2)).transpose(1, 2))
        for block in self.blocks:
            hidden = block(hidden)
        hidden = self.norm(hidden)
        level = torch.lerp(spectrogram[..., self.lower], spectrogram[..., self.lower + 1], self.share)
        decibels = level.float() * (self.config.max_db - self.config.min_db) / 2
        decibels = decibels + (self.config.max_db + self.config.min_db) / 2 + self.offset.float()
        logarithm = decibels * (math.log(10) / 20) + self.to_magnitude(hidden).float()
        spectrum = torch.polar(logarithm.clamp_max(LARGEST).exp(), self.to_phase(hidden).float())
        window = torch.hann_window(self.config.n_fft, device=spectrum.device)
        length = spectrogram.shape[1] * self.config.hop_length
        options: dict[str, Any] = {"hop_length": self.config.hop_length, "window": window, "length": length}
        return torch.istft(spectrum.transpose(1, 2), self.config.n_fft, **options)


def _interpolation(n_mels: int, sampling_rate: int, n_fft: int) -> dict[str, np.ndarray]:
    """Return, for each bin, the lower of the two bands around it, the share of the upper, and what to add in dB."""
    bins = np.fft.rfftfreq(n_fft, 1 / sampling_rate)
    highest = hertz_to_mel(sampling_rate / 2, "slaney")
    place = hertz_to_mel(np.maximum(bins, 1e-3), "slaney") / highest * (n_mels + 1) - 1
    place = place.clip(0, n_mels - 1 - 1e-6)
    filters = mel_filter_bank(len(bins), n_mels, 0.0, sampling_rate / 2, sampling_rate, "slaney", "slaney")
    area = 10 * np.log10(filters.sum(axis=0).clip(1e-9))
    lower = place.astype(np.int64)
    offset = -np.interp(place, np.arange(n_mels), area)
    return {"lower": lower, "share": (place - lower).astype(np.float32), "offset": offset.astype(np.float32)}
