"""Crops of clips, and their augmentation, on which the network is conditioned."""

from collections.abc import Sequence

import torch
from torch import Tensor

from musemo_hf.audio.mel import MelSettings

GAIN = 3.0  # dB, the largest
BAND_SHIFT = 3  # mel bands, the largest
AUGMENTATIONS = ("gain", "band_shift")


def crop(spectrogram: Tensor, start: Tensor, n_frames: int) -> Tensor:
    """Return `n_frames` frames of each clip `(B, 1, n_mels, frames)` from its own start `(B,)` on."""
    place = (start[:, None] + torch.arange(n_frames, device=start.device))[:, None, None]
    return spectrogram.gather(-1, place.expand(*spectrogram.shape[:-1], n_frames))


def draw_starts(n_crops: int, clip_frames: int, n_frames: int, generator: torch.Generator) -> Tensor:
    """Draw the first frame of each crop, evenly over all places where a crop fits."""
    return torch.randint(clip_frames - n_frames + 1, (n_crops,), generator=generator)


def draw_augmentation(
    names: Sequence[str], n_crops: int, share: float, generator: torch.Generator
) -> dict[str, Tensor]:
    """Draw how much each crop is changed, as values `(n_crops,)` in [-1, 1] by name; 0 is no change.

    Args:
        names: Names of `AUGMENTATIONS`.
        n_crops: The number of crops.
        share: The share of crops that each augmentation changes.
        generator: The random generator.

    Raises:
        ValueError: A name is unknown.
    """
    if unknown := sorted(set(names) - set(AUGMENTATIONS)):
        raise ValueError(f"expected augmentations out of {', '.join(AUGMENTATIONS)}, got {', '.join(unknown)}")
    amount = 2 * torch.rand(len(AUGMENTATIONS), n_crops, generator=generator) - 1
    chosen = torch.rand(len(AUGMENTATIONS), n_crops, generator=generator) < share
    drawn = dict(zip(AUGMENTATIONS, amount * chosen, strict=True))
    drawn["band_shift"] = (drawn["band_shift"] * (BAND_SHIFT + 0.5)).round().clamp(-BAND_SHIFT, BAND_SHIFT) / BAND_SHIFT
    return {name: drawn[name] for name in names}


def augment(spectrogram: Tensor, amounts: dict[str, Tensor]) -> Tensor:
    """Change normalised log-mels `(B, 1, n_mels, frames)` by the amounts that `draw_augmentation` drew.

    "gain" makes a crop up to 3 dB louder or quieter. "band_shift" moves it up or down by up to 3 mel bands, the band at
    the edge being repeated.
    """
    if "gain" in amounts:
        step = 2 * GAIN / (MelSettings().max_db - MelSettings().min_db)  # 2 is the range of normalised values
        spectrogram = spectrogram + step * amounts["gain"].to(spectrogram).view(-1, 1, 1, 1)
    if "band_shift" in amounts:
        moved = (BAND_SHIFT * amounts["band_shift"]).round().long().to(spectrogram.device)
        n_mels = spectrogram.shape[2]
        place = (torch.arange(n_mels, device=moved.device) - moved[:, None]).clamp(0, n_mels - 1)
        spectrogram = spectrogram.gather(2, place[:, None, :, None].expand_as(spectrogram))
    return spectrogram.clamp(-1, 1)
