"""Differentiable augmentation of what the discriminator sees (Zhao et al. 2020), with changes that music survives.

Clips are rolled and cropped in time, bands and frames are masked, and the level changes a little. Nothing is flipped,
because a generator would learn to make music that is played backwards or upside down.
"""

import torch
from torch import Tensor

FLOOR = -1.0  # -60 dB
LONGEST_CROP = 0.125  # of the frames
MASKED_BANDS, MASKED_FRAMES = 0.125, 0.125  # the widest mask, of the bands and of the frames
GAIN = 0.06  # 3 dB on the normalised scale


def diff_augment(
    spectrogram: Tensor, generator: torch.Generator, probability: float = 1.0, hides_frames: bool = True
) -> Tensor:
    """Augment each clip at random, by differentiable operations.

    Each clip is rolled in time by any amount, moved by up to an eighth of its length with -60 dB behind it, loses one
    group of bands and one of frames of up to an eighth, and changes its level by up to 3 dB.

    Args:
        spectrogram: Normalised log-mels `(B, 1, n_mels, n_frames)` in [-1, 1].
        generator: The random numbers, on the CPU.
        probability: The probability of each operation for each clip.
        hides_frames: Whether clips are moved and lose frames. A generator may learn to leave single frames empty, since
            a discriminator often sees empty ones (Karras et al. 2020, section 2.2, on augmentations that leak).

    Returns:
        Log-mels of the same shape in [-1, 1].
    """
    batch, _, n_mels, n_frames = spectrogram.shape
    draws = torch.rand(batch, 7, generator=generator)
    chosen = (torch.rand(batch, 5, generator=generator) < probability).float()
    chosen[:, 2:4] *= hides_frames
    shifts = (draws[:, 0] * n_frames * chosen[:, 0]).long().tolist()
    rolled = torch.stack([torch.roll(clip, shift, -1) for clip, shift in zip(spectrogram, shifts, strict=True)])
    gain = GAIN * (2 * draws[:, 1] - 1) * chosen[:, 1]
    louder = (rolled + gain.to(rolled, non_blocking=True)[:, None, None, None]).clamp(FLOOR, 1)
    frames = _masked(n_frames, draws[:, 2], draws[:, 3], MASKED_FRAMES * chosen[:, 2])
    frames |= _cropped(n_frames, (2 * draws[:, 4] - 1) * LONGEST_CROP * chosen[:, 3])
    bands = _masked(n_mels, draws[:, 5], draws[:, 6], MASKED_BANDS * chosen[:, 4])
    hidden = frames.to(rolled.device)[:, None, None, :] | bands.to(rolled.device)[:, None, :, None]
    return louder.masked_fill(hidden, FLOOR)


def _masked(size: int, width: Tensor, start: Tensor, widest: Tensor) -> Tensor:
    """Mark one random interval of each row, bool `(B, size)`."""
    width = (width * widest * size).round()
    start = (start * (size - width)).round()
    place = torch.arange(size)
    return (place >= start[:, None]) & (place < (start + width)[:, None])


def _cropped(size: int, share: Tensor) -> Tensor:
    """Mark what a crop leaves empty at the end, or at the start where `share` is negative, bool `(B, size)`.

    After a roll by any amount, emptying an end is the same as moving the clip beyond it.
    """
    width, place = (share * size).round()[:, None], torch.arange(size)
    return torch.where(width >= 0, place >= size - width, place < -width)
