"""Augmentations of a batch of normalised log-mels."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

FLOOR = -1.0  # -60 dB


def specaugment(spectrogram: Tensor, emotion: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Mask up to 24 mel bands twice, and up to a tenth of the frames twice, with the floor (Park et al. 2019)."""
    masked = spectrogram.clone()
    for axis, longest in ((-2, 24), (-1, spectrogram.shape[-1] // 10)):
        size = spectrogram.shape[axis]
        for _ in range(2):
            width = torch.randint(0, longest + 1, (len(masked),), generator=generator)
            start = (torch.rand(len(masked), generator=generator) * (size - width + 1)).long()
            place = torch.arange(size)
            inside = (place >= start[:, None]) & (place < (start + width)[:, None])
            shape = (len(masked), 1, size, 1) if axis == -2 else (len(masked), 1, 1, size)
            masked.masked_fill_(inside.view(shape).to(masked.device), FLOOR)
    return masked, emotion


def mixup(spectrogram: Tensor, emotion: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Combine pairs of clips and of their emotions with weights of Beta(0.3, 0.3) (Zhang et al. 2018)."""
    partner = torch.randperm(len(emotion), generator=generator).to(emotion.device)
    seed = int(torch.randint(2**62, (1,), generator=generator).item())
    share = torch.from_numpy(np.random.default_rng(seed).beta(0.3, 0.3, len(emotion))).to(emotion)
    return (
        torch.lerp(spectrogram[partner], spectrogram, share[:, None, None, None]),
        torch.lerp(emotion[partner], emotion, share[:, None]),
    )


def shift_gain(
    spectrogram: Tensor, emotion: Tensor, generator: torch.Generator, n_frames: int | None = None
) -> tuple[Tensor, Tensor]:
    """Roll each clip in time by any amount, and change its level by up to 3 dB (0.06 on the normalised scale).

    With `n_frames` only so many frames are made: since the roll is by any amount, they are a window from any place.
    """
    shifts = torch.randint(0, spectrogram.shape[-1], (len(emotion),), generator=generator)
    gains = 0.12 * torch.rand(len(emotion), generator=generator) - 0.06
    whole = spectrogram.shape[-1]
    n_frames = whole if n_frames is None else n_frames
    changed = spectrogram.new_empty(*spectrogram.shape[:-1], n_frames)
    # clip by clip, because one clip stays in a processor's cache
    for new, clip, shift, gain in zip(changed, spectrogram, shifts.tolist(), gains.tolist(), strict=True):
        start, beyond = whole - shift, max(0, n_frames - shift)
        torch.cat([clip[..., start : start + n_frames], clip[..., :beyond]], dim=-1, out=new)
        new.add_(gain).clamp_(-1, 1)
    return changed, emotion


def unchanged(spectrogram: Tensor, emotion: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Return the batch unchanged."""
    return spectrogram, emotion


Augmentation = Callable[[Tensor, Tensor, torch.Generator], tuple[Tensor, Tensor]]
AUGMENTATIONS: dict[str, Augmentation] = {
    "none": unchanged,
    "specaugment": specaugment,
    "mixup": mixup,
    "shift_gain": shift_gain,
}


def augmentation(names: str, window_frames: int | None = None) -> Augmentation:
    """Return a function that applies augmentations in the given order, with random numbers of one generator.

    Args:
        names: Names of `AUGMENTATIONS`, joined by "+", such as "shift_gain+specaugment".
        window_frames: The number of frames of the windows that a recogniser is trained on. Clips that are rolled first
            are cut to windows at once, which saves time, unless masks follow, whose width is a share of the clip's.

    Raises:
        ValueError: A name is unknown.
    """
    chosen = names.split("+")
    for name in chosen:
        if name not in AUGMENTATIONS:
            raise ValueError(
                f"expected augmentation to be one of {sorted(AUGMENTATIONS)}, or several joined by '+', got {name!r}"
            )

    cuts = window_frames is not None and chosen[0] == "shift_gain" and "specaugment" not in chosen

    def apply(spectrogram: Tensor, emotion: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        if cuts:
            spectrogram, emotion = shift_gain(spectrogram, emotion, generator, window_frames)
        for name in chosen[cuts:]:
            spectrogram, emotion = AUGMENTATIONS[name](spectrogram, emotion, generator)
        return spectrogram, emotion

    return apply
