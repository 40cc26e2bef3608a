"""Transforms that take music apart, clip by clip; the result must not pass for music."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
from scipy import ndimage

from musemo_hf.evaluation.spaces.modulation import clamp_decibels

BLUR_SIGMA = 3.0  # mel bands and frames
BLUR_RADIUS = 12  # 4 sigma, as ndimage cuts it
BLUR_BLOCK = 128  # frames multiplied at once


def blur(clip: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Blur with sigma 3 bands by 3 frames, mirrored at the edges: `ndimage.gaussian_filter` as matrix products."""
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
    """Build the weights float32 `(size, size + 2 * radius)`: each row is the Gaussian about its own position."""
    impulse = np.eye(1, 2 * BLUR_RADIUS + 1, BLUR_RADIUS)
    kernel = ndimage.gaussian_filter1d(impulse, BLUR_SIGMA, axis=1, mode="constant")[0]
    weights = np.zeros((size, size + 2 * BLUR_RADIUS), np.float32)
    for row in range(size):
        weights[row, row : row + len(kernel)] = kernel
    return weights


def shuffle_frames(clip: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Put the frames in random order."""
    return clip[:, rng.permutation(clip.shape[1])]


def flip_bands(clip: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Turn the clip upside down in frequency."""
    return clip[::-1]


def copy_clip(clip: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return the clip itself."""
    return clip


TRANSFORMS: dict[str, Callable[[np.ndarray, np.random.Generator], np.ndarray]] = {
    "blur": blur,
    "time-shuffle": shuffle_frames,
    "flip": flip_bands,
    "copies": copy_clip,
}


def transform_clips(name: str, clips_db: np.ndarray, seed: int = 0) -> np.ndarray:
    """Apply one of `TRANSFORMS` to clips.

    Args:
        name: The name of the transform.
        clips_db: The clips `(B, n_mels, n_frames)` in dB; they are clamped to [-60, 40] dB first.
        seed: The seed of the shuffle; clip i depends on (seed, i) alone.

    Returns:
        The transformed clips, float32 `(B, n_mels, n_frames)` in dB.

    Raises:
        ValueError: The name is unknown.
    """
    if name not in TRANSFORMS:
        raise ValueError(f"expected a transform out of {', '.join(TRANSFORMS)}, got {name!r}")
    clips = clamp_decibels(clips_db)
    return np.stack([TRANSFORMS[name](clip, np.random.default_rng((seed, row))) for row, clip in enumerate(clips)])
