"""Music taken apart clip by clip: what is left must not pass for music."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
from scipy import ndimage

from musemo_hf.evaluation.spaces.modulation import clamp_decibels

BLUR_SIGMA = 3.0  # mel bands and frames
BLUR_RADIUS = 12  # 4 sigma, as ndimage cuts it
BLUR_BLOCK = 128  # frames of one product


def blur(clip: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Gaussian blur, sigma 3 bands by 3 frames, mirrored at the edges: `ndimage.gaussian_filter` as matrix products."""
    over_bands = np.pad(clip, ((BLUR_RADIUS, BLUR_RADIUS), (0, 0)), mode="symmetric")
    blurred = _blur_weights(len(clip)) @ over_bands
    padded = np.pad(blurred, ((0, 0), (BLUR_RADIUS, BLUR_RADIUS)), mode="symmetric")
    result = np.empty_like(blurred)
    for start in range(0, clip.shape[1], BLUR_BLOCK):
        block = result[:, start : start + BLUR_BLOCK]
        width = block.shape[1]
        np.matmul(padded[:, start : start + width + 2 * BLUR_RADIUS], _blur_weights(width).T, out=block)
    return result


@lru_cache(maxsize=8)
def _blur_weights(size: int) -> np.ndarray:
    """float32 `(size, size + 2 * radius)`: each row the Gaussian about its own place in a padded axis."""
    impulse = np.eye(1, 2 * BLUR_RADIUS + 1, BLUR_RADIUS)
    kernel = ndimage.gaussian_filter1d(impulse, BLUR_SIGMA, axis=1, mode="constant")[0]
    weights = np.zeros((size, size + 2 * BLUR_RADIUS), np.float32)
    for row in range(size):
        weights[row, row : row + len(kernel)] = kernel
    return weights


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
