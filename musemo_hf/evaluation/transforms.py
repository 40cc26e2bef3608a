"""Music taken apart clip by clip: what is left must not pass for music."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import ndimage

from .modulation import clamp_decibels

BLUR_SIGMA = 3.0  # mel bands and frames


def blur(clip: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Gaussian blur, sigma 3 bands by 3 frames."""
    return ndimage.gaussian_filter(clip, BLUR_SIGMA)


def shuffle_frames(clip: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The frames in random order."""
    return clip[:, rng.permutation(clip.shape[1])]


def flip_bands(clip: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Upside down in frequency."""
    return clip[::-1]


def copy_clip(clip: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The clip itself."""
    return clip


TRANSFORMS: dict[str, Callable[[np.ndarray, np.random.Generator], np.ndarray]] = {
    "blur": blur,
    "time-shuffle": shuffle_frames,
    "flip": flip_bands,
    "copies": copy_clip,
}


def transform_clips(
    name: str, clips_db: np.ndarray, first_index: int = 0, seed: int = 0, clamp: bool = True
) -> np.ndarray:
    """Take clips apart as they stream by.

    Args:
        name: one of `TRANSFORMS`.
        clips_db: `(B, n_mels, n_frames)`, dB.
        first_index: index of the first clip within its set: clip i depends on (seed, i) alone.
        seed: of the shuffle.
        clamp: clamp to [-60, 40] dB.

    Returns:
        float32 `(B, n_mels, n_frames)`, dB.

    Raises:
        ValueError: an unknown name.
    """
    if name not in TRANSFORMS:
        raise ValueError(f"expected a transform out of {', '.join(TRANSFORMS)}, got {name!r}")
    clips = clamp_decibels(clips_db) if clamp else np.asarray(clips_db, dtype=np.float32)
    rngs = (np.random.default_rng((seed, first_index + row)) for row in range(len(clips)))
    return np.stack([TRANSFORMS[name](clip, rng) for clip, rng in zip(clips, rngs, strict=True)])
