"""The excerpt of a file that a data set holds, as a log-mel in dB."""

from pathlib import Path

import numpy as np
import soundfile
import torch

from musemo_hf.audio.decoding import AudioDecodingError, read_audio
from musemo_hf.audio.mel import MelSettings, log_mel

TOLERANCE = 0.02  # s; codecs trim about this much at the ends, and a file that short of it is padded


class TooShortError(ValueError):
    """A file that is whole, and ends before its excerpt does."""


def file_duration(path: Path) -> float:
    """Seconds of audio by the file's header.

    Raises:
        AudioDecodingError: the file is not audio.
    """
    try:
        return float(soundfile.info(str(path)).duration)
    except (soundfile.LibsndfileError, RuntimeError) as error:
        raise AudioDecodingError(f"{path}: expected audio that soundfile can decode, got: {error}") from error


def excerpt_start(duration: float, length: float, start: float, or_from_start: bool) -> float:
    """Where the excerpt begins, in seconds.

    Args:
        duration: of the file, s.
        length: of the excerpt, s.
        start: its place in a file that is long enough, s.
        or_from_start: a file too short for that gives its beginning.

    Raises:
        TooShortError: the file is more than `TOLERANCE` too short.
    """
    if or_from_start and duration < start + length:
        start = 0.0
    if duration < start + length - TOLERANCE:
        raise TooShortError(f"expected at least {start + length:g} s, got {duration:.2f} s")
    return start


def excerpt_log_mel(path: Path, start: float, n_frames: int) -> np.ndarray:
    """Log-mel of the part of a file from `start`, float32 dB `(128, n_frames)`.

    Raises:
        AudioDecodingError: the file is not audio, or breaks off more than `TOLERANCE` before the excerpt's end.
    """
    settings = MelSettings()
    rate, wanted = settings.sampling_rate, settings.n_samples(n_frames)
    # From the file's beginning: an mp3 decoder that is sent to the middle has no bit reservoir, and starts with noise.
    # And a little more than is wanted: resampling rounds, and the crop is exact.
    samples = read_audio(path, rate, duration=start + wanted / rate + 2 * TOLERANCE)
    samples = samples[round(start * rate) :][:wanted]
    if len(samples) < wanted - round(TOLERANCE * rate):
        got = len(samples) / rate
        raise AudioDecodingError(
            f"{path}: expected {wanted / rate:g} s from {start:g} s, it breaks off after {got:.2f} s"
        )
    samples = np.pad(samples, (0, wanted - len(samples)))
    threads = torch.get_num_threads()
    # One thread: clips are small, the same in every process, and a forked process may not start OpenMP's others.
    torch.set_num_threads(1)
    try:
        return log_mel(torch.from_numpy(samples), settings)[:, :n_frames].numpy()
    finally:
        torch.set_num_threads(threads)
