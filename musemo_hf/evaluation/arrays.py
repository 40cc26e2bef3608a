"""What a caller hands over -> clips in dB: every check on an input's shape, numbers and unit, in one place."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

N_MELS = 128
NORMALISED_LIMIT = 1.5  # a generator may overshoot [-1, 1] a little; no clip in dB stays within 1.5 dB of 0
CENTRE_DB, HALF_DB = -10.0, 50.0  # normalised = (dB + 10) / 50, as the extractor has it


def as_clips(clips: Any, side: str = "clips") -> list[NDArray]:
    """Each clip on its own, in the unit and precision it came in.

    Args:
        clips: `(B, 128, n_frames)`, `(B, 1, 128, n_frames)`, a list of `(128, n_frames)` or `(1, 128, n_frames)` that
            may differ in n_frames, a torch tensor, or a column of a data set.
        side: named in errors, such as "predictions".

    Returns:
        A list of floating-point `(128, n_frames)`.

    Raises:
        ValueError: another shape, under two frames, or NaN or infinity.
        TypeError: not numbers.
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
    """Whether no number is NaN or infinite: one pass and no mask, as a sum is finite unless a number is not."""
    return bool(np.isfinite(array.sum()) or np.isfinite(array).all())


def looks_normalised(clip: NDArray) -> bool:
    """Whether a clip `(128, n_frames)` is on the [-1, 1] scale and not in dB: dB reach far beyond 1.5."""
    return bool(clip.min() >= -NORMALISED_LIMIT and clip.max() <= NORMALISED_LIMIT)


def to_decibels(clip: NDArray) -> NDArray:
    """[-1, 1] -> dB in [-60, 40]; a clip that is in dB already comes back as it is."""
    return clip * HALF_DB + CENTRE_DB if looks_normalised(clip) else clip


def check_units(references: NDArray, predictions: NDArray) -> None:
    """Refuse two sides in different units.

    Args:
        references: bool `(N,)`, which clips look normalised.
        predictions: bool `(M,)`.

    Raises:
        ValueError: a side mixes units, or one side looks normalised and the other is in dB.
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
