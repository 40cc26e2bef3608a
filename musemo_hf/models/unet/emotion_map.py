"""The calibration of a generator: which emotion it has to be asked for, so that another is recognised."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

SMALLEST_SLOPE = 0.1  # of the recognised emotion on the requested one, which can still be inverted


def fit_emotion_map(requested: Tensor, recognised: Tensor) -> list[list[float]]:
    """Fit the line of the recognised emotion on the requested one, and return its inverse.

    Args:
        requested: The (valence, arousal) that clips were generated with, `(N, 2)`.
        recognised: The (valence, arousal) that were recognised in them, `(N, 2)`.

    Returns:
        The matrix M, 2 rows of 3, with which requested = M (wanted, 1) has the wanted emotion recognised on average.

    Raises:
        ValueError: There are fewer than 20 clips, or the recognised emotion hardly depends on the requested one.
    """
    if len(requested) < 20 or requested.shape != recognised.shape:
        raise ValueError(
            f"expected at least 20 emotions, requested and recognised, got {tuple(requested.shape)} and "
            f"{tuple(recognised.shape)}"
        )
    ones = torch.ones(len(requested), 1, dtype=torch.float64)
    design = torch.cat([requested.double(), ones], dim=1)
    line = torch.linalg.lstsq(design, recognised.double()).solution  # (3, 2)
    slopes, offset = line[:2].T, line[2]
    least = torch.linalg.svdvals(slopes).min().item()
    if least < SMALLEST_SLOPE:
        raise ValueError(
            f"expected a recognised emotion that follows the requested one by a slope of {SMALLEST_SLOPE} at least in "
            f"every direction, got {least:.3f}"
        )
    inverse = torch.linalg.inv(slopes)
    return torch.cat([inverse, -(inverse @ offset)[:, None]], dim=1).tolist()


def check_emotion_map(emotion_map: Any, emotion_range: Any) -> None:
    """Refuse a map that is not 2 rows of 3 numbers, or a range that is not 2 pairs of (least, greatest).

    Raises:
        ValueError: As said.
    """
    for name, value, shape in (("emotion_map", emotion_map, (2, 3)), ("emotion_range", emotion_range, (2, 2))):
        if value is not None and tuple(torch.tensor(value, dtype=torch.float32).shape) != shape:
            raise ValueError(f"expected {name} of shape {shape}, got {value}")
    if emotion_range is not None and any(low > high for low, high in emotion_range):
        raise ValueError(f"expected pairs (least, greatest) in emotion_range, got {emotion_range}")


def map_emotion(emotion: Tensor, emotion_map: Sequence | None, emotion_range: Sequence | None) -> Tensor:
    """Return the emotions `(B, 2)` to ask for, so that `emotion` is recognised, within the range of the songs.

    Args:
        emotion: The wanted emotions `(B, 2)`.
        emotion_map: See `fit_emotion_map`; None leaves emotions as they are.
        emotion_range: The (least, greatest) valence and arousal of the training songs, beyond which nothing was learnt.
    """
    if emotion_map is None:
        return emotion
    matrix = torch.tensor(emotion_map, dtype=emotion.dtype, device=emotion.device)
    asked = emotion @ matrix[:, :2].T + matrix[:, 2]
    low, high = torch.tensor(emotion_range or [[-1, 1], [-1, 1]], dtype=emotion.dtype, device=emotion.device).T
    return torch.minimum(torch.maximum(asked, low), high)
