"""Excerpts of audio files as log-mels in dB."""

from pathlib import Path

import numpy as np
import torch

from musemo_hf.audio.decoding import AudioDecodingError, audio_duration, read_audio
from musemo_hf.audio.mel import MelSettings, log_mel

TOLERANCE = 0.02  # s; codecs trim about this much at the ends: a file that is shorter by less is padded


class TooShortError(ValueError):
    """A whole file that ends before the end of the excerpt."""


def file_duration(path: Path, at_most: float | None = None) -> float:
    """Return the duration of a file in seconds, from decoding it to its end or to `at_most` seconds.

    Raises:
        AudioDecodingError: The file is not audio, or breaks off.
    """
    return audio_duration(path, at_most)


def excerpt_start(duration: float, length: float, start: float, or_from_start: bool) -> float:
    """Return the start of the excerpt in seconds.

    Args:
        duration: The duration of the file in seconds.
        length: The length of the excerpt in seconds.
        start: The start of the excerpt in a file that is long enough, in seconds.
        or_from_start: Whether a shorter file gives its beginning.

    Raises:
        TooShortError: The file is more than `TOLERANCE` too short.
    """
    if or_from_start and duration < start + length:
        start = 0.0
    if duration < start + length - TOLERANCE:
        raise TooShortError(f"expected at least {start + length:g} s, got {duration:.2f} s")
    return start


def excerpt_log_mel(path: Path, start: float, n_frames: int) -> np.ndarray:
    """Compute the log-mel of a file from `start` (in seconds) on, float32 `(128, n_frames)` in dB.

    Raises:
        AudioDecodingError: The file is not audio, or breaks off more than `TOLERANCE` before the end of the excerpt.
    """
    settings = MelSettings()
    rate, wanted = settings.sampling_rate, settings.n_samples(n_frames)
    # Decode from the beginning: an mp3 decoder that seeks to the middle has no bit reservoir, and starts with noise.
    # Decode a little more than is wanted: resampling rounds, and the crop is exact.
    samples = read_audio(path, rate, duration=start + wanted / rate + 2 * TOLERANCE)
    samples = samples[round(start * rate) :][:wanted]
    if len(samples) < wanted - round(TOLERANCE * rate):
        got = len(samples) / rate
        raise AudioDecodingError(
            f"{path}: expected {wanted / rate:g} s from {start:g} s, it breaks off after {got:.2f} s"
        )
    samples = np.pad(samples, (0, wanted - len(samples)))
    threads = torch.get_num_threads()
    # One thread: clips are small, and a forked process may not start the other threads of OpenMP.
    torch.set_num_threads(1)
    try:
        return log_mel(torch.from_numpy(samples), settings)[:, :n_frames].numpy()
    finally:
        torch.set_num_threads(threads)
