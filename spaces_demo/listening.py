"""A song that someone dropped: what may be wrong with it, its windows, and what was read from them."""

from dataclasses import dataclass
from pathlib import Path

import gradio as gr
import numpy as np
import soundfile
from markup import clock, render
from plane import song_plane
from playback import Sound
from presets import nearest_preset
from studio import STUDIO, Recogniser, read_emotions, rebuild

MAX_MINUTES = 10
MIN_SECONDS = 1.0
EXCERPT_SECONDS = 30.0
MAX_FILE_SIZE = "60mb"
SILENCE = 1e-4  # root mean square of full scale, -80 dB
FORMATS = "mp3, wav, flac or ogg"


@dataclass(frozen=True)
class Reading:
    """What the recogniser says about a song.

    Attributes:
        emotions: `(n, 2)` (valence, arousal) of windows, in the order of time.
        starts: `(n,)` where each window begins, s.
        window: length of a window, s.
        duration: of the song, s.
        error: root mean square error of (valence, arousal) on songs not trained on, where it was measured.
    """

    emotions: np.ndarray
    starts: np.ndarray
    window: float
    duration: float
    error: tuple[float, float] | None = None

    @property
    def mean(self) -> np.ndarray:
        """Of the windows, `(2,)`."""
        return self.emotions.mean(axis=0)

    @property
    def half_width(self) -> np.ndarray | None:
        """Of the interval, `(2,)`: 1.96 errors; else one deviation over windows; None for a single window."""
        if self.error is not None:
            return 1.96 * np.array(self.error)
        return self.emotions.std(axis=0, ddof=1) if len(self.emotions) > 1 else None

    @property
    def interval_kind(self) -> str:
        """What the interval is."""
        if self.error is not None:
            return "95 %, from the recogniser's error on songs of artists that it was not trained on"
        return "mean plus and minus one standard deviation of the windows; not the error of the recogniser"

    def to_dict(self) -> dict:
        """For the API."""
        mean, half = self.mean, self.half_width
        ends = None if half is None else np.stack([mean - half, mean + half], axis=1).clip(-1, 1).tolist()
        return {
            "valence": float(mean[0]),
            "arousal": float(mean[1]),
            "valence_interval": ends and ends[0],
            "arousal_interval": ends and ends[1],
            "interval": self.interval_kind,
            "window_seconds": self.window,
            "duration": self.duration,
            "windows": [
                {"start": float(start), "valence": float(v), "arousal": float(a)}
                for start, (v, a) in zip(self.starts, self.emotions, strict=True)
            ],
        }


def check_song(path: str | None) -> str:
    """The path of a song that can be listened to.

    Raises:
        gradio.Error: there is none, it is empty, not audio, too short or too long; says what to do.
    """
    if not path:
        raise gr.Error("Drop a song first.")
    name = Path(path).name
    if not Path(path).stat().st_size:
        raise gr.Error(f"{name} is empty: it has 0 bytes. Was it downloaded to its end?")
    try:
        information = soundfile.info(path)
    except (soundfile.LibsndfileError, RuntimeError):
        raise gr.Error(f"{name} could not be read as audio. Please give {FORMATS}, whatever its name says.") from None
    seconds = information.frames / information.samplerate
    if seconds < MIN_SECONDS:
        raise gr.Error(f"{name} is {seconds:.1f} s long: at least {MIN_SECONDS:g} s are needed.")
    if seconds > MAX_MINUTES * 60:
        raise gr.Error(f"{name} is {clock(seconds)} long: at most {MAX_MINUTES}:00, please cut it.")
    return path


def read_song(path: str | None) -> np.ndarray:
    """Check and decode a song: `(samples,)` at the recogniser's rate."""
    from musemo_hf.audio.decoding import AudioDecodingError, read_audio

    path = check_song(path)
    try:
        samples = read_audio(path, STUDIO.get("recogniser").extractor.sampling_rate, duration=MAX_MINUTES * 60)
    except AudioDecodingError:
        raise gr.Error(f"{Path(path).name} breaks off or is damaged. Please give {FORMATS}.") from None
    if np.sqrt(np.mean(np.square(samples))) < SILENCE:
        gr.Warning("This song is silent, or nearly so: what is read from it means nothing.")
    return samples


def split_windows(samples: np.ndarray, recogniser: Recogniser) -> tuple[list[np.ndarray], np.ndarray]:
    """Windows as long as the recogniser's clips, half overlapping, and where each begins (s).

    The last one ends with the song. A shorter song is one window, which the extractor pads with silence.
    """
    rate, length = recogniser.extractor.sampling_rate, round(recogniser.seconds * recogniser.extractor.sampling_rate)
    last = max(0, len(samples) - length)
    count = 1 + -(-last // (length // 2))
    starts = np.linspace(0, last, count).round().astype(int)
    return [samples[start : start + length] for start in starts], starts / rate


def listen(samples: np.ndarray) -> Reading:
    """Read valence and arousal over a song."""
    recogniser = STUDIO.get("recogniser")
    rate = recogniser.extractor.sampling_rate
    if len(samples) < round(recogniser.seconds * rate) - rate // 10:
        gr.Warning(f"The recogniser hears {recogniser.seconds:g} s at a time and this song is shorter: trust it less.")
    windows, starts = split_windows(samples, recogniser)
    error = getattr(recogniser.model.config, "emotion_error", None)
    return Reading(read_emotions(windows), starts, recogniser.seconds, len(samples) / rate, error)


def excerpt(samples: np.ndarray, rate: int) -> tuple[np.ndarray, float]:
    """The middle of a song, at most 30 s, and where it begins (s)."""
    length = min(len(samples), round(EXCERPT_SECONDS * rate))
    start = (len(samples) - length) // 2
    return samples[start : start + length], start / rate


def rebuilt_sounds(samples: np.ndarray, name: str) -> list[Sound]:
    """The middle of a song as it was, and rebuilt from its spectrogram, at the same gain."""
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


def reading_html(reading: Reading) -> tuple[str, str]:
    """The plane with the song on it, and the reading in figures, over time and in words."""
    middles = np.minimum(reading.starts + reading.window / 2, reading.duration)
    words = render(
        "reading.html.jinja2",
        nearest=nearest_preset(*reading.mean),
        mean=reading.mean,
        half_width=reading.half_width,
        measured=reading.error is not None,
        window=f"{reading.window:.3g} s",
        duration=reading.duration,
        way=list(zip(middles, reading.emotions, strict=True)),
    )
    return song_plane(reading.emotions, reading.mean, reading.half_width), words
