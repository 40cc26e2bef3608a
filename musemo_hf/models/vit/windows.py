"""Windows of a spectrogram: one at random to learn from, several side by side to read a clip."""

import torch
from torch import Tensor


def random_windows(spectrogram: Tensor, n_frames: int) -> Tensor:
    """One window a clip, each from a place of its own; drawn from torch's global generator.

    Args:
        spectrogram: `(B, 1, n_mels, frames)`.
        n_frames: of a window, at most the clip's.

    Returns:
        `(B, 1, n_mels, n_frames)`.
    """
    starts = torch.randint(0, spectrogram.shape[-1] - n_frames + 1, (len(spectrogram),)).tolist()
    return torch.stack([clip[..., start : start + n_frames] for clip, start in zip(spectrogram, starts, strict=True)])


def covering_windows(spectrogram: Tensor, n_frames: int) -> Tensor:
    """As few windows as cover the clip, evenly spaced.

    Args:
        spectrogram: `(B, 1, n_mels, frames)`.
        n_frames: of a window, at most the clip's.

    Returns:
        `(B, windows, 1, n_mels, n_frames)`.
    """
    n_windows = -(-spectrogram.shape[-1] // n_frames)
    last = spectrogram.shape[-1] - n_frames
    starts = [round(last * window / max(1, n_windows - 1)) for window in range(n_windows)]
    return torch.stack([spectrogram[..., start : start + n_frames] for start in starts], dim=1)
