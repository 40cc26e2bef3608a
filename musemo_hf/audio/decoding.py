"""Files and arrays -> mono float32 at one sampling rate: soundfile decodes, soxr resamples."""

from pathlib import Path

import numpy as np
import soundfile
import soxr


class AudioDecodingError(ValueError):
    """A file that is not audio, is empty, or cannot be read to its end."""


def to_mono(samples: np.ndarray) -> np.ndarray:
    """Mean of the channels.

    Args:
        samples: `(samples,)`, or `(samples, channels)` as soundfile gives it.

    Returns:
        float32 `(samples,)`.

    Raises:
        ValueError: another rank, integers (which say nothing of their full scale), no samples, or a NaN or infinite
            sample.
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
    """Resample `(samples,)` float32 from `source_rate` to `target_rate` (Hz), at soxr's high quality."""
    if source_rate <= 0:
        raise ValueError(f"expected a positive sampling rate in Hz, got {source_rate}")
    if source_rate == target_rate:
        return samples
    return soxr.resample(samples, source_rate, target_rate, quality="HQ")


def read_audio(
    path: str | Path, sampling_rate: int = 22050, offset: float = 0.0, duration: float | None = None
) -> np.ndarray:
    """Decode a file (wav, flac, ogg, mp3), average its channels, resample.

    Args:
        path: the file.
        sampling_rate: of the result, Hz.
        offset: seconds left out at the start.
        duration: seconds to read, to the end of the file where None. A shorter file gives what it has.

    Returns:
        float32 `(samples,)`; values may exceed 1 where a lossy codec overshoots.

    Raises:
        FileNotFoundError: there is no such file.
        AudioDecodingError: the file is not audio, holds no samples, or breaks off.
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
