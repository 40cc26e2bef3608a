"""Checks of numbers and clips given by a caller: their kind, shape and unit."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

N_MELS = 128
LARGEST = 1e100  # the squares of larger numbers overflow
NORMALISED_LIMIT = 1.5  # a generator may overshoot [-1, 1] a little; no clip in dB stays within 1.5 dB of 0
CENTRE_DB, HALF_DB = -10.0, 50.0  # normalised = (dB + 10) / 50, as in the feature extractor


def as_numbers(values: Any, name: str) -> NDArray[np.float64]:
    """Check numbers of any shape, and return them as float64.

    Args:
        values: A number, an array, nested lists, a torch tensor of any precision and with or without gradient, a list
            of tensors, or a column of a data set.
        name: The name of the numbers in errors, such as "predictions".

    Returns:
        The numbers as float64; NaN and infinity pass.

    Raises:
        ValueError: There is something else than real numbers, such as None, a text or a truth value, or rows have
            different lengths.
    """
    values = _without_tensors(values)
    if values is None or isinstance(values, str | bytes | dict | set | frozenset):
        raise ValueError(f"expected numbers as {name}, got {_described(values)}")
    try:
        array = np.asarray(values)
    except (ValueError, TypeError, RuntimeError, OverflowError) as error:
        raise ValueError(f"expected numbers as {name}, in rows of one length, got others: {error}") from error
    if array.dtype.kind not in "fiu" and array.size:
        found = array.ravel()[0] if array.dtype.kind != "O" else _first_odd(array)
        raise ValueError(f"expected numbers as {name}, got {_described(found)} among them")
    return np.asarray(array, dtype=np.float64)


def check_finite(numbers: NDArray[np.float64], name: str) -> None:
    """Raise a `ValueError` for NaN or infinity, whose row it names, and for a number above `LARGEST`."""
    rows = numbers.reshape(len(numbers), -1) if numbers.ndim else numbers.reshape(1, 1)
    bad = ~np.isfinite(rows).all(axis=1)
    if bad.any():
        raise ValueError(f"expected finite {name}, got NaN or infinity in row {int(bad.argmax())}")
    if rows.size and (largest := np.abs(rows).max()) > LARGEST:
        raise ValueError(f"expected {name} of at most {LARGEST:g}, got {largest:.3g}")


def _without_tensors(values: Any) -> Any:
    """Convert torch tensors, also those in lists, to numpy in float64, without importing torch."""
    if hasattr(values, "detach"):
        if values.is_complex() or str(values.dtype) == "torch.bool":
            return values.detach().cpu().numpy()
        return values.detach().cpu().double().numpy()
    if isinstance(values, list | tuple) and any(hasattr(v, "detach") or isinstance(v, list | tuple) for v in values):
        return [_without_tensors(value) for value in values]
    return values


def _first_odd(array: NDArray) -> Any:
    return next((value for value in array.ravel() if not isinstance(value, float | int | np.number)), array.ravel()[0])


def _described(value: Any) -> str:
    """Describe a value that is no number, such as "None" or "str 'loud'"."""
    if value is None:
        return "None"
    value = value.item() if isinstance(value, np.generic) else value
    text = repr(value)
    return f"{type(value).__name__} {text if len(text) <= 40 else text[:40] + '...'}"


def as_clips(clips: Any, side: str = "clips") -> list[NDArray]:
    """Check clips and return them as a list, in their own unit and precision.

    Args:
        clips: The clips: an array `(B, 128, n_frames)` or `(B, 1, 128, n_frames)`, a list of `(128, n_frames)` or
            `(1, 128, n_frames)` that may differ in n_frames, a torch tensor, or a column of a data set.
        side: The name of the clips in errors, such as "predictions".

    Returns:
        A list of floating-point arrays `(128, n_frames)`.

    Raises:
        ValueError: A clip has another shape, under two frames, or NaN or infinity.
        TypeError: A clip does not consist of numbers.
    """
    if hasattr(clips, "detach"):  # torch, without importing it
        clips = clips.detach().cpu().float().numpy()
    shape = getattr(clips, "shape", None)
    if isinstance(shape, tuple) and len(shape) not in (3, 4):
        raise ValueError(f"expected {side} of shape (B, {N_MELS}, n_frames) or (B, 1, {N_MELS}, n_frames), got {shape}")
    if not isinstance(clips, Iterable):
        raise TypeError(f"expected {side} as an array or a list of clips, got {type(clips).__name__}")
    return [_clip(clip, f"{side}[{index}]") for index, clip in enumerate(clips)]


def _clip(clip: Any, where: str) -> NDArray:
    if hasattr(clip, "detach"):
        clip = clip.detach().cpu().float().numpy()
    try:
        array = np.asarray(clip)
    except ValueError as error:
        raise ValueError(
            f"expected a clip of shape ({N_MELS}, n_frames) at {where}, got rows of other lengths"
        ) from error
    if array.dtype.kind not in "fiu":
        raise TypeError(f"expected numbers at {where}, got {array.dtype}")
    if array.ndim == 3 and array.shape[0] == 1:
        array = array[0]
    if array.ndim != 2 or array.shape[0] != N_MELS:
        swapped = array.ndim == 2 and array.shape[1] == N_MELS
        hint = "; are the axes swapped?" if swapped else ""
        raise ValueError(f"expected a clip of shape ({N_MELS}, n_frames) at {where}, got {array.shape}{hint}")
    if array.shape[1] < 2:
        raise ValueError(f"expected at least 2 frames at {where}, got {array.shape[1]}")
    # 16-bit floats hold dB within 0.03; sums of them overflow
    array = array if array.dtype in (np.float32, np.float64) else array.astype(np.float32)
    if not all_finite(array):
        cell = np.argwhere(~np.isfinite(array))[0]
        raise ValueError(f"expected finite dB at {where}, got {array[tuple(cell)]} in band {cell[0]}, frame {cell[1]}")
    return array


def all_finite(array: NDArray) -> bool:
    """Check that no number is NaN or infinite; one pass without a mask, as a sum is finite unless a number is not."""
    return bool(np.isfinite(array.sum()) or np.isfinite(array).all())


def looks_normalised(clip: NDArray) -> bool:
    """Check whether a clip `(128, n_frames)` is on the [-1, 1] scale; values in dB reach far beyond 1.5."""
    return bool(clip.min() >= -NORMALISED_LIMIT and clip.max() <= NORMALISED_LIMIT)


def to_decibels(clip: NDArray) -> NDArray:
    """Convert a clip from [-1, 1] to dB in [-60, 40]; a clip in dB is returned unchanged."""
    return clip * HALF_DB + CENTRE_DB if looks_normalised(clip) else clip


def check_units(references: NDArray, predictions: NDArray) -> None:
    """Raise an error unless both sides are in one unit.

    Args:
        references: Which reference clips look normalised, bool `(N,)`.
        predictions: Which predicted clips look normalised, bool `(M,)`.

    Raises:
        ValueError: A side mixes units, or one side looks normalised and the other is in dB.
    """
    for side, flags in (("references", references), ("predictions", predictions)):
        if flags.any() and not flags.all():
            raise ValueError(
                f"expected {side} in one unit, got {int(flags.sum())} of {len(flags)} clips that look normalised "
                f"([-1, 1]) among clips in dB"
            )
    if len(references) and len(predictions) and references[0] != predictions[0]:
        normalised, decibels = ("references", "predictions") if references[0] else ("predictions", "references")
        raise ValueError(
            f"expected both sides in the same unit, got normalised {normalised} ([-1, 1]) and {decibels} in dB"
        )


def evenly_spaced(rows: NDArray, n_rows: int) -> NDArray:
    """Select `n_rows` of the rows, evenly spaced, so that a sorted set stays mixed; all rows if there are fewer."""
    return rows[np.linspace(0, len(rows) - 1, min(n_rows, len(rows))).round().astype(int)]
