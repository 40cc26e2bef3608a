"""Musical form: where a song turns from one section to the next, by the novelty of its self-similarity."""

from __future__ import annotations

import numpy as np
from scipy.signal import fftconvolve

from musemo_hf.evaluation.distances.frechet import frechet_distance, mean_and_covariance

from .modulation import clamp_decibels

STEP = 4  # frames averaged into a step, 93 ms
N_GROUPS = 32  # of 4 mel bands
WIDTHS = (8, 16, 32)  # steps on each side of a turn: 0.7, 1.5 and 3 s
QUANTILES = (0.1, 0.5, 0.9, 1.0)
NOVELTY_DIMENSION = len(WIDTHS) * len(QUANTILES)


def novelty_curve(clip_db: np.ndarray, width: int) -> np.ndarray:
    """Novelty of one clip (Foote 2000, eq. 4): its cosine self-similarity under a Gaussian checkerboard.

    The checkerboard g(i) g(j) sign(i) sign(j) is a product and S = U U^T of unit vectors, so that their correlation
    along the diagonal is |sum_i g(i) sign(i) u(t + i)|^2: a convolution, and no matrix of T by T.

    Args:
        clip_db: `(n_mels, n_frames)`, dB; each band less its mean, so that what is common to the clip is not likeness.
        width: steps of 93 ms on each side.

    Returns:
        float64 `(n_frames // 4 - 2 width + 1,)` in [0, 1].

    Raises:
        ValueError: the clip is shorter than the checkerboard.
    """
    n_steps = clip_db.shape[-1] // STEP
    if n_steps < 2 * width:
        raise ValueError(
            f"expected at least {2 * width * STEP} frames for novelty over {width} steps, got {clip_db.shape[-1]}"
        )
    groups = clip_db.reshape(N_GROUPS, -1, clip_db.shape[-1]).mean(axis=1, dtype=np.float64)
    steps = groups[:, : n_steps * STEP].reshape(N_GROUPS, n_steps, STEP).mean(axis=2)
    steps = steps - steps.mean(axis=1, keepdims=True)
    units = steps / (np.linalg.norm(steps, axis=0) + 1.0)  # 1 dB: silence is like nothing
    offsets = np.arange(-width, width) + 0.5
    taper = np.exp(-0.5 * (2 * offsets / width) ** 2)
    turned = fftconvolve(units, (taper * np.sign(offsets))[None, ::-1], mode="valid", axes=1)
    return np.square(turned).sum(axis=0) / taper.sum() ** 2


def novelty_features(clips_db: np.ndarray) -> np.ndarray:
    """Quantiles of the novelty at three widths, novelty-v1.

    Args:
        clips_db: `(B, n_mels, n_frames)`, dB, at least 256 frames; clamped to [-60, 40] here. Ten seconds have turns of
            phrases, thirty have those of verse and chorus.

    Returns:
        float64 `(B, 12)`.
    """
    curves = ([novelty_curve(clip, width) for width in WIDTHS] for clip in clamp_decibels(clips_db))
    return np.array([np.concatenate([np.quantile(curve, QUANTILES) for curve in clip]) for clip in curves])


def novelty_distance(reference: np.ndarray, candidate: np.ndarray) -> float:
    """Frechet distance of novelty features, standardised by the reference; 0 for the same distribution of form.

    Args:
        reference: novelty-v1 features `(N, 12)` of real clips.
        candidate: `(M, 12)`.

    Raises:
        ValueError: under two clips on a side, or shapes that do not fit.
    """
    mean, deviation = reference.mean(axis=0), np.maximum(reference.std(axis=0), 1e-9)
    sides = [mean_and_covariance((features - mean) / deviation) for features in (reference, candidate)]
    return frechet_distance(*sides[0], *sides[1])
