"""The feature extractor of a light recogniser, loaded without transformers, whose import takes as long as an answer."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from musemo_hf.audio.decoding import LoadedAudio
from musemo_hf.audio.loading import AudioInput, load_audio
from musemo_hf.audio.mel import MelSettings, log_mel, normalise
from musemo_hf.audio.samples import window_starts
from musemo_hf.audio.verification import verify_checksums

EXTRACTOR_TYPE = "MusemoFeatureExtractor"


@dataclass(frozen=True)
class LightExtractor:
    """Converts audio to log-mels, as `MusemoFeatureExtractor` does.

    Attributes:
        n_frames: The number of frames of a spectrogram.
        settings: The signal convention.
    """

    n_frames: int
    settings: MelSettings

    @property
    def sampling_rate(self) -> int:
        """The sampling rate of the audio in Hz."""
        return self.settings.sampling_rate

    @property
    def seconds(self) -> float:
        """The duration of a clip of `n_frames` frames in s."""
        return self.settings.n_samples(self.n_frames) / self.sampling_rate

    def load(self, audio: AudioInput, sampling_rate: Any = None) -> LoadedAudio:
        """Return the whole of a file or of samples, mono at the extractor's sampling rate; see `load_audio`."""
        return load_audio(audio, sampling_rate, self.sampling_rate)

    def window_starts(self, n_samples: int, hop_seconds: float | None = None) -> np.ndarray:
        """Return the first samples of the clips that cover a signal, see `MusemoFeatureExtractor.window_starts`."""
        length = self.settings.n_samples(self.n_frames)
        return window_starts(n_samples, length, length / 2 if hop_seconds is None else hop_seconds * self.sampling_rate)

    def __call__(self, clips: Sequence[np.ndarray], sampling_rate: Any) -> dict[str, Tensor]:
        """Return `spectrogram`, the normalised log-mels `(B, 1, n_mels, n_frames)` of clips.

        Args:
            clips: Arrays of samples, of at least one hop.
            sampling_rate: The sampling rate of the clips in Hz.

        Raises:
            ValueError: See `MusemoFeatureExtractor`.
        """
        loaded = [self.load(clip, sampling_rate).samples for clip in clips]
        if short := [len(clip) for clip in loaded if len(clip) < self.settings.hop_length]:
            hop = self.settings.hop_length
            raise ValueError(f"expected at least {hop} samples (one hop) at {self.sampling_rate} Hz, got {short[0]}")
        return {"spectrogram": torch.stack([self._spectrogram(clip) for clip in loaded])[:, None]}

    def _spectrogram(self, samples: np.ndarray) -> Tensor:
        decibels = log_mel(torch.from_numpy(samples[: self.settings.n_samples(self.n_frames)]), self.settings)
        missing = self.n_frames - decibels.shape[-1]
        return normalise(functional.pad(decibels, (0, max(missing, 0)), value=self.settings.min_db), self.settings)


def load_light_extractor(folder: str | Path) -> LightExtractor:
    """Load the feature extractor of a folder.

    Raises:
        DamagedFileError: A file differs from the one that was saved.
        OSError: The folder has no `preprocessor_config.json`.
        ValueError: It is the configuration of another feature extractor.
    """
    verify_checksums(folder)
    values = json.loads((Path(folder) / "preprocessor_config.json").read_text(encoding="utf-8"))
    if (found := values.get("feature_extractor_type", EXTRACTOR_TYPE)) != EXTRACTOR_TYPE:
        raise ValueError(f"{folder}: expected the configuration of a {EXTRACTOR_TYPE}, got one of a {found!r}")
    settings = {field.name: values[field.name] for field in fields(MelSettings) if field.name in values}
    return LightExtractor(values.get("n_frames", 1292), MelSettings(**settings))
