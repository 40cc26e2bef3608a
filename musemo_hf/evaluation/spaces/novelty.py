"""The novelty-v1 space: where a song changes from one section to the next, by the novelty of its self-similarity."""

from __future__ import annotations

import numpy as np

from musemo_hf.evaluation.distances.frechet import features_frechet

from .modulation import clamp_decibels

STEP = 4  # frames averaged into a step, 93 ms
N_GROUPS = 32  # of 4 mel bands
WIDTHS = (8, 16, 32)  # steps on each side of a change: 0.7, 1.5 and 3 s
QUANTILES = (0.1, 0.5, 0.9, 1.0)
NOVELTY_DIMENSION = len(WIDTHS) * len(QUANTILES)


def novelty_curve(clip_db: np.ndarray, width: int) -> np.ndarray:
    """Compute the novelty of one clip: its cosine self-similarity under a Gaussian checkerboard (Foote 2000, eq. 4).

    The checkerboard g(i) g(j) sign(i) sign(j) is a product and S = U U^T of unit vectors, so that their correlation
    along the diagonal is |sum_i g(i) sign(i) u(t + i)|^2: a convolution, without a matrix of T by T.

    Args:
        clip_db: The clip `(n_mels, n_frames)` in dB; the mean of each band is subtracted.
        width: The number of steps of 93 ms on each side.

    Returns:
        The novelty, float64 `(n_frames // 4 - 2 width + 1,)` in [0, 1].

    Raises:
        ValueError: The clip is shorter than the checkerboard.
    """
    from scipy.signal import fftconvolve  # which takes a second to load, for this space alone

    n_steps = clip_db.shape[-1] // STEP
    if n_steps < 2 * width:
        raise ValueError(
            f"expected at least {2 * width * STEP} frames for novelty over {width} steps, got {clip_db.shape[-1]}"
        )
    groups = clip_db.reshape(N_GROUPS, -1, clip_db.shape[-1]).mean(axis=1, dtype=np.float64)
    steps = groups[:, : n_steps * STEP].reshape(N_GROUPS, n_steps, STEP).mean(axis=2)
    steps = steps - steps.mean(axis=1, keepdims=True)
    units = steps / (np.linalg.norm(steps, axis=0) + 1.0)  # 1 dB: silence resembles nothing
    offsets = np.arange(-width, width) + 0.5
    taper = np.exp(-0.5 * (2 * offsets / width) ** 2)
    turned = fftconvolve(units, (taper * np.sign(offsets))[None, ::-1], mode="valid", axes=1)
    return np.square(turned).sum(axis=0) / taper.sum() ** 2


def novelty_features(clips_db: np.ndarray) -> np.ndarray:
    """Compute quantiles of the novelty at three widths, the novelty-v1 features.

    Args:
        clips_db: The clips `(B, n_mels, n_frames)` in dB, of at least 256 frames; they are clamped to [-60, 40] dB
            first. Ten seconds hold changes of phrase; thirty hold changes of verse and chorus.

    Returns:
        The features, float64 `(B, 12)`.
    """
    curves = ([novelty_curve(clip, width) for width in WIDTHS] for clip in clamp_decibels(clips_db))
    return np.array([np.concatenate([np.quantile(curve, QUANTILES) for curve in clip]) for clip in curves])


def novelty_distance(reference: np.ndarray, candidate: np.ndarray) -> float:
    """Compute the Frechet distance of novelty-v1 features, standardised by the reference; 0 for the same musical form.

    Args:
        reference: The features `(N, 12)` of real clips.
        candidate: The features `(M, 12)` of other clips.

    Raises:
        ValueError: A side has under two clips, or the shapes do not fit.
    """
    mean, deviation = reference.mean(axis=0), np.maximum(reference.std(axis=0), 1e-9)
    return features_frechet((reference - mean) / deviation, (candidate - mean) / deviation)
