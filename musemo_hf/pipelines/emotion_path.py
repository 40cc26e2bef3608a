"""The emotion of a song over time: a recogniser on sliding windows."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from musemo_hf.audio.loading import AudioInput
from musemo_hf.audio.samples import window_starts as window_starts  # its former home

if TYPE_CHECKING:
    from musemo_hf.audio.feature_extraction_musemo import MusemoFeatureExtractor
    from musemo_hf.models.vit import MusemoViTForEmotionRegression
    from musemo_hf.pipelines.light_extractor import LightExtractor
    from musemo_hf.pipelines.light_recogniser import LightRecogniser

    Extractor = MusemoFeatureExtractor | LightExtractor
    Recogniser = MusemoViTForEmotionRegression | LightRecogniser

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
    """Contains the predictions for each window of a song.

    Attributes:
        emotion: The (valence, arousal) of each window `(n, 2)`, in [-1, 1].
        starts: The times at which windows begin `(n,)`, in s.
        window_seconds: The length of a window in s.
        duration: The duration of the song in s. A song shorter than the window was padded with silence.
        deviation: The standard deviations `(n, 2)` of the raters' mean about the predictions; None for a recogniser
            that is not calibrated.
        own_deviation: Whether the deviation is predicted for each window (`deviation_scale` in the recogniser's
            configuration), and not one root mean square error for all windows (`emotion_error`).
        notes: Sentences on what makes the audio doubtful, such as silence.
        embedder: The name of the external embedder that took part; None for log-mels alone.
    """

    emotion: np.ndarray
    starts: np.ndarray
    window_seconds: float
    duration: float
    deviation: np.ndarray | None = None
    own_deviation: bool = False
    notes: tuple[str, ...] = ()
    embedder: str | None = None

    @property
    def mean(self) -> np.ndarray:
        """The prediction for the song: the mean of its windows, `(2,)`."""
        return self.emotion.mean(axis=0)

    @property
    def middles(self) -> np.ndarray:
        """The times of the middle of each window `(n,)`, in s."""
        return self.starts + min(self.window_seconds, self.duration) / 2

    @property
    def interval(self) -> np.ndarray | None:
        """The interval of the song's mean, [[low, high] of valence, [low, high] of arousal], within [-1, 1].

        `interval_kind` describes it. For a calibrated recogniser its half width is 1.96 times the mean of the windows'
        deviations, which bounds the deviation of the mean for any correlation between the errors of windows.
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
        """The 95 % interval of each window `(n, 2, 2)` (window, dimension, [low, high]); None if not calibrated."""
        return None if self.deviation is None else _within(self.emotion, NORMAL_95 * self.deviation)

    @property
    def interval_source(self) -> str | None:
        """The key of KINDS: "deviation" (each window its own), "error" (one for all), "windows" (spread) or None."""
        if self.deviation is not None:
            return "deviation" if self.own_deviation else "error"
        return "windows" if len(self.emotion) > 1 else None

    @property
    def interval_kind(self) -> str:
        """The description of the interval."""
        return KINDS[self.interval_source]

    def to_dict(self) -> dict[str, Any]:
        """Return plain numbers, for JSON."""
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
            "notes": list(self.notes),
            "embedder": self.embedder,
            "path": [
                {"start": float(start), "end": min(float(start) + self.window_seconds, self.duration)}
                | {"valence": float(valence), "arousal": float(arousal), **span}
                for start, (valence, arousal), span in zip(self.starts, self.emotion, spans, strict=True)
            ],
        }


def emotion_path(
    model: "Recogniser",
    extractor: "Extractor",
    audio_or_path: AudioInput,
    sampling_rate: Any = None,
    hop_seconds: float | None = None,
    batch_size: int = 16,
) -> EmotionPath:
    """Predict valence and arousal over a whole song.

    Windows are as long as the model's clips. They are evenly spaced, at most `hop_seconds` apart, the first at the
    beginning and the last at the end of the song. A shorter song is one window, padded with silence.

    Args:
        model: The recogniser; its mode and device are kept.
        extractor: The feature extractor of the recogniser.
        audio_or_path: A file, or samples, mono or `(samples, channels)`, or another input of `load_audio`.
        sampling_rate: The sampling rate of samples in Hz; ignored for files.
        hop_seconds: The largest distance of two windows in s; None for half a window.
        batch_size: The number of windows in a forward pass, which changes memory but not the result.

    Raises:
        ValueError: Samples have no sampling rate or are shorter than one hop of the extractor, `hop_seconds` is not
            positive, the extractor has another number of frames, or `emotion_error` or `deviation_scale` is not two
            positive numbers.
        FileNotFoundError: The file does not exist.
        AudioDecodingError: The file is not audio.
        PretrainedModelError: The recogniser has an external embedder whose file or library is missing.
    """
    if extractor.n_frames != model.config.n_frames:
        raise ValueError(f"expected an extractor of {model.config.n_frames} frames, got {extractor.n_frames}")
    if batch_size < 1:
        raise ValueError(f"expected batch_size of at least 1, got {batch_size}")
    error, scale = (_two_positive(model.config, name) for name in ("emotion_error", "deviation_scale"))
    own = model.config.uncertainty and scale is not None
    loaded = extractor.load(audio_or_path, sampling_rate)
    samples, rate, length = loaded.samples, extractor.sampling_rate, extractor.settings.n_samples(extractor.n_frames)
    starts = extractor.window_starts(len(samples), hop_seconds)
    batches = np.split(starts, range(batch_size, len(starts), batch_size))
    with _evaluating(model):
        parts = [_predict(model, extractor, [samples[s : s + length] for s in batch]) for batch in batches]
    emotion, predicted = np.split(np.concatenate(parts), [2], axis=1)
    same = None if error is None else np.broadcast_to(error, emotion.shape)
    deviation = predicted if own else same
    seconds, notes = len(samples) / rate, tuple(loaded.notes)
    embedder = model.config.embedder
    return EmotionPath(emotion, starts / rate, length / rate, seconds, deviation, own, notes, embedder)


def _predict(model: "Recogniser", extractor: "Extractor", windows: Sequence[np.ndarray]) -> np.ndarray:
    """Return (valence, arousal) of windows, followed by the deviations that the model predicts, `(n, 2 or 4)`."""
    spectrogram = extractor(list(windows), sampling_rate=extractor.sampling_rate)["spectrogram"]
    embedding = embed_windows(model.config.embedder, windows, extractor.sampling_rate)
    output = model(spectrogram=spectrogram.to(model.device, model.dtype), embedding=embedding)
    parts = [output.emotion.clamp(-1, 1)] + ([] if output.deviation is None else [output.deviation])
    return torch.cat(parts, dim=1).float().cpu().double().numpy()


@contextmanager
def _evaluating(model: "Recogniser") -> Iterator[None]:
    """Put a model into evaluation mode without gradient, and restore its mode afterwards."""
    was_training = model.training
    model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        model.train(was_training)


def embed_windows(embedder: str | None, windows: Sequence[np.ndarray], sampling_rate: int) -> torch.Tensor | None:
    """Return the features `(n, D)` of windows of audio by a recogniser's external embedder; None without one."""
    if embedder is None:
        return None
    from musemo_hf.pipelines.embedders.find import find_embedder

    found: Any = find_embedder(embedder)
    return torch.from_numpy(found.embed_audio(list(windows), sampling_rate)).float()


def _two_positive(config: Any, name: str) -> np.ndarray | None:
    given = getattr(config, name, None)
    if given is None:
        return None
    values = np.asarray(given, dtype=np.float64)
    if values.shape != (2,) or not (np.isfinite(values) & (values > 0)).all():
        raise ValueError(f"expected {name} of two positive numbers (valence, arousal), got {given}")
    return values


def _within(middle: np.ndarray, half: np.ndarray) -> np.ndarray:
    """Return [low, high] `(..., 2, 2)` within [-1, 1] of middles and half widths `(..., 2)`."""
    return np.clip(np.stack([middle - half, middle + half], axis=-1), -1, 1)


def _named(valence: list[float] | None, arousal: list[float] | None) -> dict[str, list[float] | None]:
    return {"valence_interval": valence, "arousal_interval": arousal}
