"""Windows of a spectrogram: a random one for training, and several that cover a clip for prediction."""

import torch
from torch import Tensor


def random_windows(spectrogram: Tensor, n_frames: int) -> Tensor:
    """Cut one window `(B, 1, n_mels, n_frames)` from a random place of each clip, by torch's global generator.

    Args:
        spectrogram: The clips `(B, 1, n_mels, frames)`.
        n_frames: The number of frames of a window, at most those of the clips.
    """
    starts = torch.randint(0, spectrogram.shape[-1] - n_frames + 1, (spectrogram.shape[0],))
    frames = (starts[:, None] + torch.arange(n_frames)).to(spectrogram.device)
    return spectrogram.gather(-1, frames[:, None, None].expand(-1, *spectrogram.shape[1:-1], -1))


def covering_windows(spectrogram: Tensor, n_frames: int) -> Tensor:
    """Cut the smallest number of evenly spaced windows that cover each clip, `(B, windows, 1, n_mels, n_frames)`.

    Args:
        spectrogram: The clips `(B, 1, n_mels, frames)`.
        n_frames: The number of frames of a window, at most those of the clips.
    """
    n_windows = -(-spectrogram.shape[-1] // n_frames)
    last = spectrogram.shape[-1] - n_frames
    starts = [round(last * window / max(1, n_windows - 1)) for window in range(n_windows)]
    return torch.stack([spectrogram[..., start : start + n_frames] for start in starts], dim=1)
