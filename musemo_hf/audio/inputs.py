"""The forms in which other libraries hand sound over: dicts, rows of datasets, decoders."""

from collections.abc import Mapping
from typing import Any

from .decoding import AudioDecodingError


def is_wrapped(audio: Any) -> bool:
    """Tell whether an input is a dict, a decoder of torchcodec, or what such a decoder returns."""
    decoded = hasattr(audio, "data") and hasattr(audio, "sample_rate")
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
