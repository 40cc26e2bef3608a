"""What an emotion has to be."""

from collections.abc import Sequence

import torch
from torch import Tensor


def check_emotion(emotion: Tensor | Sequence) -> Tensor:
    """`(B, 2)` float32 (valence, arousal), or an error that says what is wrong.

    Raises:
        ValueError: not of shape `(B, 2)`, NaN or infinite, or outside [-1, 1] (as on DEAM's 1-9 scale).
    """
    emotion = torch.as_tensor(emotion, dtype=torch.float32)
    if emotion.ndim != 2 or emotion.shape[1] != 2 or emotion.shape[0] == 0:
        raise ValueError(f"expected emotion of shape (B, 2) = (valence, arousal), got {tuple(emotion.shape)}")
    if not torch.isfinite(emotion).all():
        raise ValueError("expected finite valence and arousal, got NaN or infinity")
    if emotion.abs().max() > 1:
        low, high = emotion.min().item(), emotion.max().item()
        hint = "; DEAM's 1-9 maps by (x - 5) / 4" if low >= 1 and high <= 9 else ""
        raise ValueError(f"expected valence and arousal in [-1, 1], got values from {low:g} to {high:g}{hint}")
    return emotion
