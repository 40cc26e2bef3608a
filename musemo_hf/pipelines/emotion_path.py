"""The way of a song over the valence-arousal plane: a recogniser on windows that slide over it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from musemo_hf.audio.decoding import read_audio, resample, to_mono
from musemo_hf.audio.feature_extraction_musemo import MusemoFeatureExtractor
from musemo_hf.models.vit import MusemoViTForEmotionRegression

NORMAL_95 = 1.96  # standard errors of a normal distribution's 95 % interval


@dataclass(frozen=True)
class EmotionPath:
    """What a recogniser reads from a song, window by window.

    Attributes:
        emotion: `(n, 2)` (valence, arousal) of each window, in [-1, 1].
        starts: `(n,)` where each window begins, s.
        window_seconds: length of a window, s.
        duration: of the song, s; a song shorter than the window was padded with silence.
        error: root mean square error of the recogniser's (valence, arousal) on songs that it did not learn from, as
            its configuration has it in `emotion_error`; None where it has not.
    """

    emotion: np.ndarray
    starts: np.ndarray
    window_seconds: float
    duration: float
    error: tuple[float, float] | None = None

    @property
    def mean(self) -> np.ndarray:
        """The prediction for the song: the mean of its windows, `(2,)`."""
        return self.emotion.mean(axis=0)

    @property
    def middles(self) -> np.ndarray:
        """Where the middle of each window lies, s, `(n,)`."""
        return self.starts + min(self.window_seconds, self.duration) / 2

    @property
    def interval(self) -> np.ndarray | None:
        """[[low, high] of valence, [low, high] of arousal], within [-1, 1]; `interval_kind` says what it is."""
        if self.error is not None:
            half = NORMAL_95 * np.asarray(self.error)
        elif len(self.emotion) > 1:
            half = self.emotion.std(axis=0, ddof=1)
        else:
            return None
        return np.clip(np.stack([self.mean - half, self.mean + half], axis=1), -1, 1)

    @property
    def interval_kind(self) -> str:
        """What the interval says, and what it does not."""
        if self.error is not None:
            return "95 % interval from the recogniser's calibrated error"
        if len(self.emotion) > 1:
            return "spread over windows (one standard deviation), not an error: this recogniser is not calibrated"
        return "none: a single window, and this recogniser is not calibrated"

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers, for JSON."""
        low_high = self.interval
        return {
            "valence": float(self.mean[0]),
            "arousal": float(self.mean[1]),
            "valence_interval": None if low_high is None else low_high[0].tolist(),
            "arousal_interval": None if low_high is None else low_high[1].tolist(),
            "interval": self.interval_kind,
            "duration": self.duration,
            "window_seconds": self.window_seconds,
            "path": [
                {"start": float(start), "end": min(float(start) + self.window_seconds, self.duration)}
                | {"valence": float(valence), "arousal": float(arousal)}
                for start, (valence, arousal) in zip(self.starts, self.emotion, strict=True)
            ],
        }


@torch.no_grad()
def emotion_path(
    model: MusemoViTForEmotionRegression,
    extractor: MusemoFeatureExtractor,
    audio_or_path: str | Path | np.ndarray | Tensor,
    sampling_rate: int | None = None,
    hop_seconds: float | None = None,
    batch_size: int = 16,
) -> EmotionPath:
    """Read valence and arousal over a whole song.

    Windows are as long as the model's clips; they lie evenly, at most `hop_seconds` apart, the first at the beginning
    and the last at the end of the song. A shorter song is one window, padded with silence as in `extractor`.

    Args:
        model: the recogniser; it evaluates on its own device, and gets its mode back.
        extractor: that belongs to it.
        audio_or_path: a file, or samples, mono or `(samples, channels)`.
        sampling_rate: of samples, Hz; not read for files.
        hop_seconds: largest distance of two windows, s; half a window where None.
        batch_size: windows at once; changes memory, not the result.

    Raises:
        ValueError: samples without a sampling rate or shorter than one hop of the extractor; a hop that is not
            positive; an extractor of another number of frames; an `emotion_error` that is not two errors.
        FileNotFoundError: there is no such file.
        AudioDecodingError: a file that is not audio.
    """
    if extractor.n_frames != model.config.n_frames:
        raise ValueError(f"expected an extractor of {model.config.n_frames} frames, got {extractor.n_frames}")
    if batch_size < 1:
        raise ValueError(f"expected batch_size of at least 1, got {batch_size}")
    error = _emotion_error(model.config)
    samples = _samples(audio_or_path, sampling_rate, extractor.sampling_rate)
    rate, length = extractor.sampling_rate, extractor.settings.n_samples(extractor.n_frames)
    starts = window_starts(len(samples), length, length / 2 if hop_seconds is None else hop_seconds * rate)
    was_training = model.training
    model.eval()
    try:
        batches = np.split(starts, range(batch_size, len(starts), batch_size))
        emotions = [_read(model, extractor, [samples[s : s + length] for s in batch]) for batch in batches]
    finally:
        model.train(was_training)
    emotion = np.concatenate(emotions).astype(np.float64)
    return EmotionPath(emotion, starts / rate, length / rate, len(samples) / rate, error)


def window_starts(n_samples: int, length: int, hop: float) -> np.ndarray:
    """Where windows begin, int `(n,)`: evenly, at most `hop` samples apart, the last ending with the signal.

    Raises:
        ValueError: a hop of under one sample.
    """
    if not hop >= 1:
        raise ValueError(f"expected a hop of at least one sample between windows, got {hop:g}")
    last = max(0, n_samples - length)
    return np.linspace(0, last, 1 + int(np.ceil(last / hop))).round().astype(int)


def _samples(audio: str | Path | np.ndarray | Tensor, source_rate: int | None, rate: int) -> np.ndarray:
    if isinstance(audio, (str, Path)):
        return read_audio(audio, rate)
    if source_rate is None:
        raise ValueError("expected sampling_rate (Hz) with an array of samples, got none; files carry their own")
    array = audio.detach().cpu().numpy() if isinstance(audio, Tensor) else np.asarray(audio)
    return resample(to_mono(array), source_rate, rate)


def _read(
    model: MusemoViTForEmotionRegression, extractor: MusemoFeatureExtractor, windows: Sequence[np.ndarray]
) -> np.ndarray:
    """(valence, arousal) of windows, `(n, 2)`, within the plane."""
    spectrogram = extractor(list(windows), sampling_rate=extractor.sampling_rate)["spectrogram"]
    emotion = model(spectrogram=spectrogram.to(model.device, model.dtype)).emotion
    return emotion.float().clamp(-1, 1).cpu().numpy()


def _emotion_error(config: Any) -> tuple[float, float] | None:
    given = getattr(config, "emotion_error", None)
    if given is None:
        return None
    error = np.asarray(given, dtype=np.float64)
    if error.shape != (2,) or not (np.isfinite(error) & (error > 0)).all():
        raise ValueError(f"expected emotion_error of two positive numbers (valence, arousal), got {given}")
    return float(error[0]), float(error[1])
