"""The calibration of a generator: which emotion it has to be asked for, so that another is recognised."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

SMALLEST_SLOPE = 0.1  # of the recognised emotion on the requested one, which can still be inverted
KNEE = 0.7  # share of the range of the songs from which on the distance from its middle is compressed


def fit_emotion_map(
    requested: Tensor, recognised: Tensor, songs: tuple[Tensor, Tensor] | None = None
) -> list[list[float]]:
    """Find what a generator has to be asked for, so that its clips are recognised as songs of the wanted emotion are.

    A recogniser answers nearer to the mean than the labels of songs that it does not know, and a generator that has to
    make up for that is asked for extremes. So lines of the recognised emotion are fitted to both, on the requested one
    of clips and on the labels of songs, and the map is the inverse of the first after the second.

    Args:
        requested: The (valence, arousal) that clips were generated with, `(N, 2)`.
        recognised: The (valence, arousal) that were recognised in them, `(N, 2)`.
        songs: The labels `(M, 2)` of songs, and what is recognised in them `(M, 2)`; None for a recogniser that answers
            the labels.

    Returns:
        The matrix M, 2 rows of 3, with which requested = M (wanted, 1).

    Raises:
        ValueError: There are fewer than 20 clips or songs, or the recognised emotion hardly depends on the requested
            one.
    """
    slopes, offset = _line(requested, recognised)
    least = torch.linalg.svdvals(slopes).min().item()
    if least < SMALLEST_SLOPE:
        raise ValueError(
            f"expected a recognised emotion that follows the requested one by a slope of {SMALLEST_SLOPE} at least in "
            f"every direction, got {least:.3f}"
        )
    wanted, wanted_offset = (torch.eye(2).to(slopes), torch.zeros(2).to(slopes)) if songs is None else _line(*songs)
    inverse = torch.linalg.inv(slopes)
    return torch.cat([inverse @ wanted, (inverse @ (wanted_offset - offset))[:, None]], dim=1).tolist()


def _line(emotion: Tensor, recognised: Tensor) -> tuple[Tensor, Tensor]:
    """Fit recognised = slopes emotion + offset, and return the slopes `(2, 2)` and the offset `(2,)`."""
    if len(emotion) < 20 or emotion.shape != recognised.shape:
        raise ValueError(
            f"expected at least 20 emotions, requested and recognised, got {tuple(emotion.shape)} and "
            f"{tuple(recognised.shape)}"
        )
    ones = torch.ones(len(emotion), 1, dtype=torch.float64)
    line = torch.linalg.lstsq(torch.cat([emotion.double(), ones], dim=1), recognised.double()).solution  # (3, 2)
    return line[:2].T, line[2]


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

    What is asked for comes ever nearer to the ends of the range, and never reaches them: two wishes that lie in one
    direction from the middle still give two clips.

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
    middle, half = (low + high) / 2, ((high - low) / 2).clamp(min=1e-6)
    place = (asked - middle) / half
    beyond = (place.abs() - KNEE).clamp(min=0) / (1 - KNEE)
    return middle + half * place.sign() * (place.abs().clamp(max=KNEE) + (1 - KNEE) * beyond / (1 + beyond))
