"""Players of the page: 16-bit audio at one fixed gain, and a spectrogram with axes."""

import io
import tempfile
from dataclasses import dataclass
from pathlib import Path

import gradio as gr
import librosa
import matplotlib
import numpy as np
from markup import data_uri, render, to_png
from PIL import Image
from storage import STORAGE, StorageFullError

from musemo_hf.audio.loudness import GAIN, HEADROOM_DB, is_limited, playback, write_playback

# Gradio and players that are given floats scale each clip to its own peak, and so they get 16 bits at one gain.
REFERENCE_GAIN = GAIN
LOUDNESS = (
    f"All sounds play at one fixed gain, {HEADROOM_DB:g} dB below their true loudness, never scaled to their own peak: "
    "how loud a sound is belongs to its arousal. The gain leaves room for the loudest songs: turn the volume up."
)
MIN_DB, MAX_DB = -60.0, 40.0
TICKS_HZ = {100: "100", 500: "500", 1000: "1k", 2000: "2k", 4000: "4k", 8000: "8k"}
TIME_STEPS = (0.5, 1, 2, 5, 10, 30, 60, 120)  # s


@dataclass(frozen=True)
class Sound:
    """Contains what one card plays and shows.

    Attributes:
        title: The title above the picture.
        audio: The samples `(samples,)`, float32, at their true loudness.
        sampling_rate: The sampling rate in Hz.
        spectrogram: The log-mel `(n_mels, n_frames)` in dB.
        hop_length: The number of samples between frames.
        file_name: The file name of the download.
        note: The note beside the title.
    """

    title: str
    audio: np.ndarray
    sampling_rate: int
    spectrogram: np.ndarray
    hop_length: int
    file_name: str
    note: str = ""


def to_int16(audio: np.ndarray) -> np.ndarray:
    """Convert samples to 16 bits at the reference gain, limited softly and never scaled by their own peak."""
    return (playback(audio) * 32767).round().astype(np.int16)


def wav_bytes(audio: np.ndarray, sampling_rate: int) -> bytes:
    """Return a 16-bit WAV file at the reference gain, which it names."""
    buffer = io.BytesIO()
    write_playback(buffer, audio, sampling_rate, "WAV")
    return buffer.getvalue()


def to_file(sound: Sound) -> str:
    """Write a WAV file at the page's gain into the folder of temporary files, which Gradio serves, and return its path.

    Raises:
        gradio.Error: There is no room for it at present.
    """
    content = wav_bytes(sound.audio, sound.sampling_rate)
    try:
        with STORAGE.reserve(len(content)):
            STORAGE.folder.mkdir(parents=True, exist_ok=True)
            file = Path(tempfile.mkdtemp(dir=STORAGE.folder)) / sound.file_name
            file.write_bytes(content)
    except StorageFullError as error:
        raise gr.Error(str(error)) from error
    return str(file)


def level(audio: np.ndarray) -> str:
    """Return the root mean square in dB re full scale, in words."""
    power = float(np.mean(np.square(audio, dtype=np.float64)))
    return f"level {10 * np.log10(power):.0f} dB".replace("-", "\N{MINUS SIGN}") if power else "silent"


def spectrogram_png(decibels: np.ndarray) -> bytes:
    """Draw the log-mel from -60 to 40 dB with one pixel for each value, low bands at the bottom."""
    shares = (np.clip(decibels, MIN_DB, MAX_DB) - MIN_DB) / (MAX_DB - MIN_DB)
    picture = Image.fromarray((shares[::-1] * 255).round().astype(np.uint8)).convert("P")
    picture.putpalette((matplotlib.colormaps["magma"](np.arange(256))[:, :3] * 255).astype(np.uint8).tobytes())
    return to_png(picture)


def frequency_ticks(n_mels: int, sampling_rate: int) -> list[tuple[str, float]]:
    """Return frequency labels with the relative height of their mel band, from 0 (bottom) to 1."""
    centres = librosa.mel_frequencies(n_mels + 2, fmin=0, fmax=sampling_rate / 2)[1:-1]
    shown = {hertz: text for hertz, text in TICKS_HZ.items() if hertz < sampling_rate / 2}
    places = (np.interp(list(shown), centres, np.arange(n_mels)) + 0.5) / n_mels
    return list(zip(shown.values(), places.tolist(), strict=True))


def time_ticks(seconds: float) -> list[tuple[str, float]]:
    """Return at most seven time labels with their relative position, from 0 (left) to 1."""
    step = next(step for step in TIME_STEPS if seconds / step <= 6.1)
    return [(f"{i * step:g} s", i * step / seconds) for i in range(int(seconds / step) + 1)]


def _card(sound: Sound) -> dict:
    n_mels, n_frames = sound.spectrogram.shape
    return {
        "title": sound.title,
        "file_name": sound.file_name,
        "note": sound.note and f"{sound.note} · ",
        "level": level(sound.audio),
        "limited": is_limited(sound.audio),
        "seconds": len(sound.audio) / sound.sampling_rate,
        "hertz": frequency_ticks(n_mels, sound.sampling_rate),
        "times": time_ticks(n_frames * sound.hop_length / sound.sampling_rate),
        "picture": data_uri(spectrogram_png(sound.spectrogram), "image/png"),
        "sound": data_uri(wav_bytes(sound.audio, sound.sampling_rate), "audio/wav"),
    }


def cards(sounds: list[Sound], take: str = "", in_turn: bool = False) -> str:
    """Return the HTML of cards with title, spectrogram, player and download.

    Args:
        sounds: The sounds, one for each card.
        take: The name of an answer to a click, whose first sound starts by itself once; empty for none.
        in_turn: Whether each sound is followed by the next.
    """
    return render("cards.html.jinja2", cards=[_card(sound) for sound in sounds], take=take, in_turn=in_turn)
