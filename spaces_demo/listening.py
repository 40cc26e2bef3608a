"""A visitor's song: what may be wrong with it, and what the recogniser predicts for it."""

from pathlib import Path
from typing import TYPE_CHECKING

import gradio as gr
import numpy as np
from markup import clock, render
from plane import song_plane
from playback import Sound
from presets import nearest_preset
from studio import STUDIO, predict_path, rebuild

if TYPE_CHECKING:
    from musemo_hf.audio.decoding import LoadedAudio
    from musemo_hf.pipelines.emotion_path import EmotionPath

MAX_MINUTES = 10
MIN_SECONDS = 1.0
EXCERPT_SECONDS = 30.0
MAX_VALUES = 60 * MAX_MINUTES * 96_000 * 2  # stereo at the highest rate of recordings; decoding takes some seconds
FORMATS = "mp3, wav, flac or ogg"
LENGTHS = f"1 second to {MAX_MINUTES} minutes"


def load_song(path: str | None) -> "LoadedAudio":
    """Decode a song within the limits of the page, at the recogniser's rate, and show what makes it doubtful.

    Raises:
        gradio.Error: The file is missing, empty, not audio, damaged, too short or too large; the message says what to
            do.
    """
    from musemo_hf.audio.decoding import AudioDecodingError, Limits
    from musemo_hf.audio.loading import load_audio

    if not path or not Path(path).is_file():
        raise gr.Error("Drop a song first.")
    name = Path(path).name
    if not Path(path).stat().st_size:
        raise gr.Error(f"{name} is empty: it has 0 bytes. Was it downloaded to its end?")
    limits = Limits(seconds=60 * MAX_MINUTES, values=MAX_VALUES)
    try:
        song = load_audio(path, target_rate=STUDIO.get("recogniser").extractor.sampling_rate, limits=limits)
    except AudioDecodingError as error:
        reason = str(error).removeprefix(f"{path}: ").rstrip(".")
        raise gr.Error(f"{name} could not be read: {reason}. Please give {FORMATS}, {LENGTHS}.") from None
    if song.duration < MIN_SECONDS:
        raise gr.Error(f"{name} is {song.duration:.1f} s long: at least {MIN_SECONDS:g} s are needed.")
    for note in song.notes:
        gr.Warning(note)
    return song


def read_song(path: str | None) -> np.ndarray:
    """Return the samples `(samples,)` of a song; see `load_song`."""
    return load_song(path).samples


def recognise(samples: np.ndarray) -> "EmotionPath":
    """Predict valence and arousal over a song, given as samples at the recogniser's rate."""
    extractor = STUDIO.get("recogniser").extractor
    if len(samples) < (extractor.seconds - 0.1) * extractor.sampling_rate:
        gr.Warning(f"The recogniser takes {extractor.seconds:g} s at a time and this song is shorter: trust it less.")
    return predict_path(samples, extractor.sampling_rate)


def excerpt(samples: np.ndarray, rate: int, seconds: float = EXCERPT_SECONDS) -> tuple[np.ndarray, float]:
    """Return the middle of a song, at most some seconds of it, and its start in s."""
    length = min(len(samples), round(seconds * rate))
    start = (len(samples) - length) // 2
    return samples[start : start + length], start / rate


def rebuilt_sounds(samples: np.ndarray, name: str) -> list[Sound]:
    """Return the middle of a song as it was, and rebuilt from its spectrogram, at the same gain."""
    settings = STUDIO.get("recogniser").extractor.settings
    part, start = excerpt(samples, settings.sampling_rate)
    audio, decibels = rebuild(part)
    span = f"{clock(start)} to {clock(start + len(part) / settings.sampling_rate)}"
    stem = Path(name).stem
    common = {"sampling_rate": settings.sampling_rate, "spectrogram": decibels, "hop_length": settings.hop_length}
    return [
        Sound(title=f"As it was, {span}", audio=part, file_name=f"{stem}_original.wav", **common),
        Sound(title=f"Rebuilt, {span}", audio=audio, file_name=f"{stem}_rebuilt.wav", **common),
    ]


def reading_html(path: "EmotionPath") -> tuple[str, str]:
    """Return the plane with a song on it, and its emotion in figures, over time and in words."""
    words = render(
        "reading.html.jinja2",
        nearest=nearest_preset(*path.mean),
        mean=path.mean,
        interval=path.interval,
        kind=path.interval_kind,
        window=f"{path.window_seconds:.3g} s",
        duration=path.duration,
        way=list(zip(path.middles, path.emotion, strict=True)),
    )
    return song_plane(path.emotion, path.mean, path.interval), words
