"""Ways from a song to a spectrogram and back."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from musemo_hf.audio.griffin_lim import griffin_lim
from musemo_hf.audio.inversion import mel_to_audio
from musemo_hf.audio.mel import MelSettings, log_mel
from musemo_hf.audio.vocoding import vocode

SETTINGS = MelSettings()
BANDS = (128, 256, 512)
DEFAULT = "Griffin-Lim, 128 bands"
KEEPS_BANDS = "Griffin-Lim that keeps the bands, 128 bands"
TRUE_MAGNITUDES = "Griffin-Lim, true magnitudes"


@dataclass(frozen=True)
class Channel:
    """A way from samples to a spectrogram, and from the spectrogram to samples.

    Attributes:
        analyse: From samples `(1, samples)` at 22,050 Hz to a spectrogram.
        synthesise: From the spectrogram and the number of samples to samples `(1, samples)`.
    """

    analyse: Callable[[Tensor], Tensor]
    synthesise: Callable[[Tensor, int], Tensor]

    def __call__(self, samples: np.ndarray) -> np.ndarray:
        """Return the samples `(samples,)` after both ways."""
        spectrogram = self.analyse(torch.from_numpy(samples)[None])
        return self.synthesise(spectrogram, len(samples))[0].numpy()


def channels(vocoders: Mapping[str, Any]) -> dict[str, Channel]:
    """Return Griffin-Lim from 128, 256 and 512 bands and from true magnitudes, its variants, and the vocoders.

    Args:
        vocoders: Vocoders by name, which play the log-mels of 128 bands; see `vocode`.
    """
    found = {f"Griffin-Lim, {n_mels} bands": _by_bands(replace(SETTINGS, n_mels=n_mels)) for n_mels in BANDS}
    found[KEEPS_BANDS] = Channel(_clamped(SETTINGS), lambda mel, _: mel_to_audio(mel, SETTINGS, keep="bands"))
    found[TRUE_MAGNITUDES] = Channel(magnitudes, lambda values, n: griffin_lim(values, SETTINGS, n_samples=n))
    for name, vocoder in vocoders.items():
        found[name] = _by_vocoder(vocoder)
    return found


def magnitudes(samples: Tensor) -> Tensor:
    """Compute the magnitudes `(1, 1025, n_frames)` of samples `(1, samples)`."""
    window = torch.hann_window(SETTINGS.n_fft)
    options: dict[str, Any] = {"hop_length": SETTINGS.hop_length, "window": window, "pad_mode": "constant"}
    return torch.stft(samples, SETTINGS.n_fft, **options, return_complex=True).abs()


def _by_bands(settings: MelSettings) -> Channel:
    return Channel(_clamped(settings), lambda mel, _: mel_to_audio(mel, settings))


def _by_vocoder(vocoder: Any) -> Channel:
    return Channel(_clamped(SETTINGS), lambda mel, _: vocode(mel, vocoder, SETTINGS))


def _clamped(settings: MelSettings) -> Callable[[Tensor], Tensor]:
    return lambda samples: log_mel(samples, settings).clamp(settings.min_db, settings.max_db)
