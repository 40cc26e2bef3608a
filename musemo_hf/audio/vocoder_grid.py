"""The log-mel that a vocoder expects: its rate, frames, bands, logarithm and scale."""

import math
from dataclasses import asdict, dataclass, fields
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from librosa.filters import mel as mel_filters
from torch import Tensor
from torch.nn import functional

from .mel import MelSettings


@dataclass(frozen=True)
class VocoderGrid:
    """Describes the log-mel that a vocoder takes.

    A value is `(log_factor * log(max(mel, floor)) / log(log_base) - mean) / deviation`, where `mel` is a band of the
    magnitude or the power of a Hann-windowed spectrum.

    Attributes:
        sampling_rate: The sampling rate of the vocoder's audio in Hz.
        n_mels: The number of mel bands.
        hop_length: The number of samples that one frame becomes.
        n_fft: The length of the window in samples.
        f_min: The lower end of the lowest band in Hz.
        f_max: The upper end of the highest band in Hz (default: half the sampling rate).
        mel_scale: "slaney" or "htk".
        mel_norm: "slaney" for bands of equal area, None for bands of equal height.
        power: 1 for bands of the magnitude, 2 for bands of the power.
        log_base: The base of the logarithm.
        log_factor: The factor of the logarithm: 10 with `power` 2 and base 10 for dB.
        floor: The smallest value of a band before the logarithm.
        mean: What is subtracted from the logarithm.
        deviation: What the difference is divided by.
        is_centred: Whether frame t is centred at sample `t * hop_length`, as librosa has it; else half a hop later, as
            in the code of HiFi-GAN, which pads the signal by `(n_fft - hop_length) / 2`.
    """

    sampling_rate: int
    n_mels: int
    hop_length: int
    n_fft: int
    f_min: float = 0.0
    f_max: float | None = None
    mel_scale: str = "slaney"
    mel_norm: str | None = "slaney"
    power: int = 1
    log_base: float = math.e
    log_factor: float = 1.0
    floor: float = 1e-5
    mean: float = 0.0
    deviation: float = 1.0
    is_centred: bool = False

    @classmethod
    def of(cls, settings: MelSettings) -> "VocoderGrid":
        """Return the grid of the project's normalised log-mels, for a vocoder that takes them as they are."""
        centre, half = (settings.max_db + settings.min_db) / 2, (settings.max_db - settings.min_db) / 2
        decibels: dict[str, Any] = {"power": 2, "log_base": 10.0, "log_factor": 10.0}
        sizes = (settings.sampling_rate, settings.n_mels, settings.hop_length, settings.n_fft)
        floor = 10 ** (settings.min_db / 10)
        return cls(*sizes, **decibels, floor=floor, mean=centre, deviation=half, is_centred=True)

    @property
    def filters(self) -> Tensor:
        """The mel filters `(n_mels, 1 + n_fft // 2)`, float32."""
        return _filters(self)

    def n_frames(self, seconds: float) -> int:
        """Return the number of frames that cover a duration in s."""
        return max(1, math.ceil(seconds * self.sampling_rate / self.hop_length - 1e-6))

    def times(self, start: int, stop: int) -> Tensor:
        """Return the centres of the frames `start` to `stop` in s, float64."""
        shift = 0.0 if self.is_centred else 0.5
        return (torch.arange(start, stop, dtype=torch.float64) + shift) * self.hop_length / self.sampling_rate

    def compress(self, mel: Tensor) -> Tensor:
        """Convert mel bands of any shape to the values that the vocoder takes."""
        logarithm = torch.log(mel.clamp_min(self.floor)) * (self.log_factor / math.log(self.log_base))
        return (logarithm - self.mean) / self.deviation

    def decibels(self, values: Tensor) -> Tensor:
        """Convert the vocoder's values of any shape to dB re 1, in which grids can be compared."""
        logarithm = (values * self.deviation + self.mean) * (math.log(self.log_base) / self.log_factor)
        return logarithm * (20 / self.power / math.log(10))

    def log_mel(self, waveform: Tensor) -> Tensor:
        """Compute the values from audio, as the vocoder's own training does.

        Args:
            waveform: The samples `(B, samples)` at `sampling_rate`.

        Returns:
            The values `(B, n_mels, n_frames)`, float32.
        """
        pad = self.n_fft // 2 if self.is_centred else (self.n_fft - self.hop_length) // 2
        padded = functional.pad(waveform.float()[:, None], (pad, pad), mode="reflect")[:, 0]
        window = torch.hann_window(self.n_fft, device=waveform.device)
        options: dict[str, Any] = {"n_fft": self.n_fft, "hop_length": self.hop_length, "window": window}
        magnitude = torch.stft(padded, **options, center=False, return_complex=True).abs()
        return self.compress(self.filters.to(waveform.device) @ magnitude.pow(self.power))


@lru_cache(maxsize=16)
def _filters(grid: VocoderGrid) -> Tensor:
    filters = mel_filters(
        sr=grid.sampling_rate,
        n_fft=grid.n_fft,
        n_mels=grid.n_mels,
        fmin=grid.f_min,
        fmax=grid.f_max,
        htk=grid.mel_scale == "htk",
        norm=grid.mel_norm,
        dtype=np.float32,
    )
    return torch.from_numpy(filters)


# The grids of public vocoders. A SpeechT5HifiGan does not say more than its rate, bands and hop, so that these three
# have to differ between the grids up to "musemo".
PRESETS = {
    # audioldm/utils.py; AudioLDM 2 and MusicLDM have the same
    "audioldm": VocoderGrid(16000, 64, 160, 1024, f_max=8000.0, is_centred=True),
    # transformers' SpeechT5FeatureExtractor
    "speecht5": VocoderGrid(
        16000, 80, 256, 1024, f_min=80.0, f_max=7600.0, log_base=10.0, floor=1e-10, is_centred=True
    ),
    # config_v1.json of HiFi-GAN
    "hifi-gan-22khz": VocoderGrid(22050, 80, 256, 1024, f_max=8000.0),
    "musemo": VocoderGrid.of(MelSettings()),
    # the configurations of BigVGAN 2
    "bigvgan-22khz-80band": VocoderGrid(22050, 80, 256, 1024),
    "bigvgan-44khz-128band": VocoderGrid(44100, 128, 512, 2048),
}


def grid_of(vocoder: Any) -> VocoderGrid:
    """Return the grid that a vocoder expects.

    A `MusemoVocoder` takes the project's own log-mels. Of others the fields `mel_grid` of the configuration say it,
    else the configuration of HiFi-GAN's and BigVGAN's own code (`vocoder.h`), else the preset of its rate, bands and
    hop.

    Args:
        vocoder: A `MusemoVocoder`, a `SpeechT5HifiGan` of transformers, or a generator of HiFi-GAN's or BigVGAN's own
            code.

    Raises:
        ValueError: The grid is unknown, so that no log-mel can be converted to it, or contradicts the network.
        TypeError: It is no vocoder.
    """
    if (settings := getattr(vocoder, "mel_settings", None)) is not None:
        return VocoderGrid.of(MelSettings(**settings))
    config: Any = getattr(vocoder, "config", None)
    if (own := getattr(vocoder, "h", None)) is not None:
        names = ("sampling_rate", "num_mels", "hop_size", "n_fft")
        if missing := [name for name in names if own.get(name) is None]:
            raise ValueError(f"expected a vocoder's configuration with {', '.join(names)}, got no {', '.join(missing)}")
        sampling_rate, n_mels, hop_length, n_fft = (own[name] for name in names)
        if (window := own.get("win_size", n_fft)) != n_fft:
            raise ValueError(f"expected a vocoder whose window is as long as n_fft {n_fft}, got win_size {window}")
        grid = VocoderGrid(
            sampling_rate, n_mels, hop_length, n_fft, f_min=own.get("fmin") or 0.0, f_max=own.get("fmax")
        )
        return _checked(grid, own["num_mels"], _hop(own.get("upsample_rates")))
    if getattr(config, "model_in_dim", None) is None or getattr(config, "upsample_rates", None) is None:
        raise TypeError(f"expected a vocoder such as SpeechT5HifiGan, got {type(vocoder).__name__}")
    sizes = (getattr(config, "sampling_rate", None), config.model_in_dim, _hop(config.upsample_rates))
    if (given := getattr(config, "mel_grid", None)) is not None:
        known = [field.name for field in fields(VocoderGrid)]
        if not isinstance(given, dict) or set(given) - set(known) or not {"hop_length", "n_fft"} <= set(given):
            raise ValueError(f"expected mel_grid of a vocoder's configuration with {', '.join(known)}, got {given!r}")
        grid = VocoderGrid(**{"sampling_rate": sizes[0], "n_mels": sizes[1]} | given)
        return _checked(grid, sizes[1], sizes[2])
    for grid in PRESETS.values():
        if (grid.sampling_rate, grid.n_mels, grid.hop_length) == sizes:
            return grid
    raise ValueError(
        f"expected a vocoder of a known grid, got {sizes[1]} bands with a hop of {sizes[2]} at {sizes[0]} Hz: set "
        f"vocoder.config.mel_grid to the fields of its VocoderGrid ({', '.join(asdict(PRESETS['musemo']))})"
    )


def _hop(upsample_rates: Any) -> int:
    return math.prod(upsample_rates or ())


def _checked(grid: VocoderGrid, n_mels: int, hop_length: int) -> VocoderGrid:
    if (grid.n_mels, grid.hop_length) != (n_mels, hop_length):
        raise ValueError(
            f"expected a grid of {n_mels} bands with a hop of {hop_length}, as the vocoder's network has, got "
            f"{grid.n_mels} and {grid.hop_length}"
        )
    return grid
