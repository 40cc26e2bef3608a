"""Decoding of files and arrays to mono float32 at one sampling rate, by soundfile and soxr."""

from pathlib import Path

import numpy as np
import soundfile
import soxr


class AudioDecodingError(ValueError):
    """Raised for a file that is not audio, is empty, or cannot be read to its end."""


def to_mono(samples: np.ndarray) -> np.ndarray:
    """Average the channels.

    Args:
        samples: The samples `(samples,)` or `(samples, channels)`.

    Returns:
        The mono samples `(samples,)`, float32.

    Raises:
        ValueError: The samples have another rank, are integers (whose full scale is unknown), empty or not finite.
    """
    samples = np.asarray(samples)
    if not np.issubdtype(samples.dtype, np.floating):
        raise ValueError(
            f"expected floating-point audio in about [-1, 1], got {samples.dtype}; int16 is divided by 32768"
        )
    samples = samples.astype(np.float32, copy=False)
    if samples.ndim == 2:
        samples = samples.mean(axis=1, dtype=np.float32)
    if samples.ndim != 1:
        raise ValueError(f"expected audio of shape (samples,) or (samples, channels), got {samples.shape}")
    if samples.size == 0:
        raise ValueError("expected audio with at least one sample, got none")
    if not np.isfinite(samples).all():
        raise ValueError("expected finite samples, got NaN or infinity")
    return samples


def resample(samples: np.ndarray, source_rate: float, target_rate: float) -> np.ndarray:
    """Resample samples `(samples,)` from `source_rate` to `target_rate` in Hz, at soxr's high quality."""
    if source_rate <= 0:
        raise ValueError(f"expected a positive sampling rate in Hz, got {source_rate}")
    if source_rate == target_rate:
        return samples
    return soxr.resample(samples, source_rate, target_rate, quality="HQ")


def read_audio(
    path: str | Path, sampling_rate: int = 22050, offset: float = 0.0, duration: float | None = None
) -> np.ndarray:
    """Decode a file (wav, flac, ogg, mp3), average its channels and resample it.

    Args:
        path: The file.
        sampling_rate: The sampling rate of the result in Hz.
        offset: The time to skip at the start in s.
        duration: The time to read in s; None for all. A shorter file is read to its end.

    Returns:
        The samples `(samples,)`, float32; values may exceed 1 where a lossy codec overshoots.

    Raises:
        FileNotFoundError: The file does not exist.
        AudioDecodingError: The file is not audio, has no samples, or breaks off.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"expected an audio file, found none at {path}")
    try:
        with soundfile.SoundFile(str(path)) as file:
            source_rate = file.samplerate
            if offset:
                file.seek(min(round(offset * source_rate), file.frames))
            frames = -1 if duration is None else round(duration * source_rate)
            samples = file.read(frames, dtype="float32", always_2d=True)
    except (soundfile.LibsndfileError, RuntimeError) as error:
        raise AudioDecodingError(f"{path}: expected audio that soundfile can decode, got: {error}") from error
    try:
        mono = to_mono(samples)
    except ValueError as error:
        raise AudioDecodingError(f"{path}: {error}") from error
    return resample(mono, source_rate, sampling_rate)
