"""The one entrance for sound: files and arrays become checked mono samples at one sampling rate."""

import os
from collections.abc import Mapping, Sequence
from typing import Any, BinaryIO

import numpy as np
from torch import Tensor

from .decoding import DEFAULT_LIMITS, AudioDecodingError, Limits, LoadedAudio, decode_audio
from .samples import check_rate, mono_with_notes, resample

AudioInput = str | os.PathLike[str] | bytes | BinaryIO | np.ndarray | Tensor | Sequence[float] | Mapping[str, Any]


def is_file(audio: Any) -> bool:
    """Tell whether an input is a path, the bytes of a file or an open file, and not samples."""
    return isinstance(audio, (str, os.PathLike, bytes, bytearray)) or hasattr(audio, "readinto")


def load_audio(
    audio: AudioInput,
    sampling_rate: Any = None,
    target_rate: float = 22050,
    *,
    duration: float | None = None,
    limits: Limits = DEFAULT_LIMITS,
) -> LoadedAudio:
    """Decode a file or check samples, average the channels, resample, and say what makes the audio doubtful.

    Args:
        audio: A path, the bytes of a file, an open binary file, or samples `(samples,)` or `(samples, channels)` as an
            array, a tensor or a sequence of floating-point numbers in about [-1, 1]; or one of the inputs of `unwrap`,
            such as a dict with `array` and `sampling_rate`.
        sampling_rate: The sampling rate of samples in Hz, a number, a string or an array of one value; files carry
            their own.
        target_rate: The sampling rate of the result in Hz.
        duration: The time in s after which the rest is left out; None for all.
        limits: Bounds on files.

    Raises:
        FileNotFoundError: The file does not exist.
        AudioDecodingError: The file is refused by `decode_audio`.
        ValueError: Samples have no sampling rate, or are refused by `mono_with_notes` or `check_rate`.
    """
    audio, sampling_rate = unwrap(audio, sampling_rate)
    if is_file(audio):
        return decode_audio(audio, target_rate, duration=duration, limits=limits)  # type: ignore[arg-type]
    if audio is None or np.isscalar(audio):
        raise ValueError(f"expected a file, an array of samples or a dict of one, got {type(audio).__name__}")
    if sampling_rate is None:
        raise ValueError("expected sampling_rate (Hz) with an array of samples, got none; files carry their own")
    rate = check_rate(sampling_rate)
    samples, notes = mono_with_notes(audio)
    if duration is not None:
        samples = samples[: round(duration * rate) + 1]  # one more, since resampling rounds
    return LoadedAudio(resample(samples, rate, target_rate), check_rate(target_rate), len(samples) / rate, notes)


def is_wrapped(audio: Any) -> bool:
    """Tell whether an input is a dict, a decoder of torchcodec, or what such a decoder returns."""
    decoded = hasattr(audio, "sample_rate") and hasattr(audio, "data")  # an array of dates has no `data` to look at
    return isinstance(audio, Mapping) or hasattr(audio, "get_all_samples") or decoded


def unwrap(audio: Any, sampling_rate: Any = None) -> tuple[Any, Any]:
    """Return the file or the samples in an input, and their sampling rate.

    Args:
        audio: A dict with `raw` or `array` and `sampling_rate` (transformers), or with `bytes` or `path` (datasets
            without decoding), or with such an input as `audio` (a row); a decoder of torchcodec (datasets 5) or the
            samples that it returns. Any other input is returned as it is.
        sampling_rate: The sampling rate of an input that carries none.

    Raises:
        ValueError: A dict has other keys.
        AudioDecodingError: The decoder fails.
    """
    if hasattr(audio, "get_all_samples"):
        try:
            audio = audio.get_all_samples()
        except (RuntimeError, ValueError, OSError) as error:
            raise AudioDecodingError(f"expected audio that torchcodec can decode, got: {error}") from error
    if not is_wrapped(audio):
        return audio, sampling_rate
    if not isinstance(audio, Mapping):
        return audio.data.T, audio.sample_rate  # (channels, samples)
    for name in ("raw", "array"):
        if audio.get(name) is not None and audio.get("sampling_rate") is not None:
            return audio[name], audio["sampling_rate"]
    for name in ("bytes", "path"):
        if audio.get(name) is not None:
            return audio[name], None
    if audio.get("audio") is not None:
        return unwrap(audio["audio"], sampling_rate)
    raise ValueError(
        "expected a dict with array (or raw) and sampling_rate, or with bytes or path, got the keys "
        f"{sorted(map(str, audio))}"
    )
