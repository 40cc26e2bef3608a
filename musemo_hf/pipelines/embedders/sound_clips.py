"""Clips of sound before they are read: files as they are, files that are re-synthesised, and log-mels."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from musemo_hf.audio.decoding import AudioDecodingError, read_audio
from musemo_hf.audio.mel import MelSettings
from musemo_hf.data.deam.excerpts import TOLERANCE, excerpt_log_mel
from musemo_hf.evaluation.arrays import as_clips, to_decibels
from musemo_hf.pipelines.embedders.audio_embedder import invert
from musemo_hf.pipelines.song_files import shown

SETTINGS = MelSettings()


@dataclass(frozen=True)
class SoundClip:
    """One clip that is not read yet.

    Attributes:
        name: The name of the clip.
        inverted: Whether its sound is the inversion of a log-mel.
        content: A function that returns the bytes that define the clip.
        read: A function that returns its samples `(samples,)` at 22,050 Hz, float32.
    """

    name: str
    inverted: bool
    content: Callable[[], bytes]
    read: Callable[[], np.ndarray]

    def digest(self) -> bytes:
        """Return the SHA-256 of the content."""
        return hashlib.sha256(self.content()).digest()


def sound_clips(sounds: Any, n_frames: int, lowest_rate: int, resynthesise: bool) -> list[SoundClip]:
    """List the clips of one side of a comparison.

    Args:
        sounds: The paths of audio files; or log-mels in any form that `as_clips` accepts, in dB or normalised.
        n_frames: The number of frames whose duration is read, from the beginning.
        lowest_rate: The lowest sampling rate of a file in Hz; files below it raise a `ValueError` when they are read.
        resynthesise: Whether files pass through log-mel and inversion.

    Raises:
        ValueError: There are no clips, both files and log-mels, a file twice, or a log-mel with fewer frames.
    """
    given = [sounds] if isinstance(sounds, str | PathLike) else sounds
    if len(given) == 0:
        raise ValueError("expected audio files or log-mels, got none")
    n_paths = 0 if hasattr(given, "ndim") else sum(isinstance(sound, str | PathLike) for sound in given)
    if n_paths == 0:
        return [_log_mel(f"clip {index}", clip, n_frames) for index, clip in enumerate(as_clips(given, "log-mels"))]
    if n_paths < len(given):
        raise ValueError(f"expected audio files or log-mels, got {n_paths} files among {len(given)} clips")
    read = partial(_read, n_frames=n_frames, lowest_rate=lowest_rate, resynthesise=resynthesise)
    files = [Path(sound) for sound in given]
    if len(set(files)) < len(files):
        twice = next(file for file in files if files.count(file) > 1)
        raise ValueError(f"expected each file once, got {shown(twice)} again")
    return [SoundClip(shown(file), resynthesise, file.read_bytes, partial(read, file)) for file in files]


def _log_mel(name: str, clip: np.ndarray, n_frames: int) -> SoundClip:
    if clip.shape[1] < n_frames:
        raise ValueError(f"expected log-mels of at least {n_frames} frames, got {clip.shape[1]} as {name}")
    decibels = np.ascontiguousarray(to_decibels(clip)[:, :n_frames], dtype=np.float32)
    return SoundClip(name, True, decibels.tobytes, lambda: invert(decibels[None])[0])


def _read(file: Path, n_frames: int, lowest_rate: int, resynthesise: bool) -> np.ndarray:
    """Read the beginning of a file."""
    check_rate(file, lowest_rate)
    if resynthesise:
        return invert(excerpt_log_mel(file, 0.0, n_frames)[None])[0]
    rate, wanted = SETTINGS.sampling_rate, SETTINGS.n_samples(n_frames)
    # a little more than is wanted, since resampling rounds
    samples = read_audio(file, rate, duration=wanted / rate + 2 * TOLERANCE)[:wanted]
    if wanted - len(samples) > round(TOLERANCE * rate):
        got = len(samples) / rate
        raise AudioDecodingError(f"{file}: expected {wanted / rate:g} s, it breaks off after {got:.2f} s")
    return np.pad(samples, (0, wanted - len(samples)))


def check_rate(file: Path, lowest_rate: int) -> None:
    """Refuse a file that lacks high frequencies that other sound has.

    Args:
        file: An audio file. One whose header cannot be read passes: decoding says what is wrong with it.
        lowest_rate: The lowest sampling rate in Hz.

    Raises:
        ValueError: The file is sampled at a lower rate.
    """
    try:
        rate = soundfile.info(file).samplerate
    except (soundfile.LibsndfileError, RuntimeError):
        return
    if rate < lowest_rate:
        raise ValueError(f"expected a sampling rate of at least {lowest_rate:,} Hz, as other sound has, got {rate:,}")
