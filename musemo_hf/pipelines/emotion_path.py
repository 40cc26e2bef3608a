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

NORMAL_95 = 1.96  # standard deviations of a normal distribution's 95 % interval
KINDS = {
    "deviation": "95 % interval of the song's mean, from the deviation predicted for each window, calibrated; windows "
    "of a song are taken to err alike, so that a longer song is no surer",
    "error": "95 % interval from the recogniser's calibrated error, one for all songs",
    "windows": "spread over windows (one standard deviation), not an error: this recogniser is not calibrated",
    None: "none: a single window, and this recogniser is not calibrated",
}


@dataclass(frozen=True)
class EmotionPath:
    """What a recogniser reads from a song, window by window.

    Attributes:
        emotion: `(n, 2)` (valence, arousal) of each window, in [-1, 1].
        starts: `(n,)` where each window begins, s.
        window_seconds: length of a window, s.
        duration: of the song, s; a song shorter than the window was padded with silence.
        deviation: `(n, 2)` standard deviation of what raters say on average about each window's emotion; None where the
            recogniser is not calibrated.
        own_deviation: whether that is predicted for each window (`deviation_scale` in the recogniser's configuration),
            and not one root mean square error for all (`emotion_error`).
    """

    emotion: np.ndarray
    starts: np.ndarray
    window_seconds: float
    duration: float
    deviation: np.ndarray | None = None
    own_deviation: bool = False

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
        """Of the song's mean: [[low, high] of valence, [low, high] of arousal], within [-1, 1].

        `interval_kind` says what it is. Calibrated, its half width is 1.96 times the mean of the windows' deviations:
        the errors of the windows of a song are of one song and its raters, and no mean of them, however they go
        together, deviates more than that.
        """
        if self.deviation is not None:
            half = NORMAL_95 * self.deviation.mean(axis=0)
        elif len(self.emotion) > 1:
            half = self.emotion.std(axis=0, ddof=1)
        else:
            return None
        return _within(self.mean, half)

    @property
    def window_intervals(self) -> np.ndarray | None:
        """95 % interval of each window, `(n, 2, 2)`: window, dimension, [low, high]; None if not calibrated."""
        return None if self.deviation is None else _within(self.emotion, NORMAL_95 * self.deviation)

    @property
    def interval_source(self) -> str | None:
        """Key of KINDS: "deviation" (each window its own), "error" (one for all), "windows" (their spread) or None."""
        if self.deviation is not None:
            return "deviation" if self.own_deviation else "error"
        return "windows" if len(self.emotion) > 1 else None

    @property
    def interval_kind(self) -> str:
        """What the interval says, and what it does not."""
        return KINDS[self.interval_source]

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers, for JSON."""
        low_high, each = self.interval, self.window_intervals
        spans = [{}] * len(self.starts) if each is None else [_named(*pair.tolist()) for pair in each]
        return {
            "valence": float(self.mean[0]),
            "arousal": float(self.mean[1]),
            **(_named(None, None) if low_high is None else _named(*low_high.tolist())),
            "interval": self.interval_kind,
            "interval_source": self.interval_source,
            "duration": self.duration,
            "window_seconds": self.window_seconds,
            "path": [
                {"start": float(start), "end": min(float(start) + self.window_seconds, self.duration)}
                | {"valence": float(valence), "arousal": float(arousal), **span}
                for start, (valence, arousal), span in zip(self.starts, self.emotion, spans, strict=True)
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
            positive; an extractor of another number of frames; an `emotion_error` or `deviation_scale` that is not two
            positive numbers.
        FileNotFoundError: there is no such file.
        AudioDecodingError: a file that is not audio.
    """
    if extractor.n_frames != model.config.n_frames:
        raise ValueError(f"expected an extractor of {model.config.n_frames} frames, got {extractor.n_frames}")
    if batch_size < 1:
        raise ValueError(f"expected batch_size of at least 1, got {batch_size}")
    error, scale = (_two_positive(model.config, name) for name in ("emotion_error", "deviation_scale"))
    own = model.config.uncertainty and scale is not None
    samples = _samples(audio_or_path, sampling_rate, extractor.sampling_rate)
    rate, length = extractor.sampling_rate, extractor.settings.n_samples(extractor.n_frames)
    starts = window_starts(len(samples), length, length / 2 if hop_seconds is None else hop_seconds * rate)
    was_training = model.training
    model.eval()
    try:
        batches = np.split(starts, range(batch_size, len(starts), batch_size))
        read = [_read(model, extractor, [samples[s : s + length] for s in batch]) for batch in batches]
    finally:
        model.train(was_training)
    emotion, predicted = np.split(np.concatenate(read), [2], axis=1)
    same = None if error is None else np.broadcast_to(error, emotion.shape)
    deviation = predicted if own else same
    return EmotionPath(emotion, starts / rate, length / rate, len(samples) / rate, deviation, own)


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
    """(valence, arousal) of windows within the plane, and their deviations where the model has them: `(n, 2 or 4)`."""
    spectrogram = extractor(list(windows), sampling_rate=extractor.sampling_rate)["spectrogram"]
    output = model(spectrogram=spectrogram.to(model.device, model.dtype))
    read = [output.emotion.clamp(-1, 1)] + ([] if output.deviation is None else [output.deviation])
    return torch.cat(read, dim=1).float().cpu().double().numpy()


def _two_positive(config: Any, name: str) -> np.ndarray | None:
    given = getattr(config, name, None)
    if given is None:
        return None
    values = np.asarray(given, dtype=np.float64)
    if values.shape != (2,) or not (np.isfinite(values) & (values > 0)).all():
        raise ValueError(f"expected {name} of two positive numbers (valence, arousal), got {given}")
    return values


def _within(middle: np.ndarray, half: np.ndarray) -> np.ndarray:
    """`(..., 2)` -> [low, high] `(..., 2, 2)` within [-1, 1]."""
    return np.clip(np.stack([middle - half, middle + half], axis=-1), -1, 1)


def _named(valence: list[float] | None, arousal: list[float] | None) -> dict[str, list[float] | None]:
    return {"valence_interval": valence, "arousal_interval": arousal}
