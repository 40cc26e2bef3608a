"""Skill: where a candidate stands between the best music-free noise and other real music."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.linalg import eigh, eigvalsh

from .embedders import standardise

MIN_CLIPS = 10


@dataclass(frozen=True)
class Skill:
    """The skill of a candidate and what it was made of.

    Attributes:
        skill: (D_n - D_f) / (D_n - D_r): 0 the best noise, 1 other real music; NaN with a `reason`.
        reason: why the skill is NaN; None where it is a number.
        distance: D_f, Frechet distance of the candidate from the reference.
        distance_real: D_r, of other real clips.
        distance_noise: D_n, of the best noise.
        best_noise: its name.
        standard_error: of D_n - D_r, by the bootstrap over clips.
        low: lower end of the bootstrap interval of the skill.
        high: upper end.
        n_clips: the N, equal on all sides.
        noise_skills: the skill of each noise; the best one's is 0.
    """

    skill: float
    reason: str | None
    distance: float
    distance_real: float
    distance_noise: float
    best_noise: str
    standard_error: float
    low: float
    high: float
    n_clips: int
    noise_skills: dict[str, float]


def skill(
    reference: np.ndarray,
    held_out: np.ndarray,
    candidate: np.ndarray,
    noises: Mapping[str, np.ndarray],
    n_resamples: int = 100,
    confidence: float = 0.95,
    seed: int = 0,
) -> Skill:
    """(D_n - D_f) / (D_n - D_r) of PROTOCOL, section 2, from features of one embedder, all sides at equal N.

    The Frechet distance of N samples exceeds that of the distributions, the more the smaller N; at equal N the excess
    is shared and leaves numerator and denominator. The noises that the bootstrap shows are the three best.

    Args:
        reference: real clips `(N_a, D)`; everything is standardised by them.
        held_out: other real clips `(N_b, D)`, disjoint from the reference.
        candidate: `(N_f, D)`.
        noises: features by name of noise, fitted to real clips, `(N_n, D)` each.
        n_resamples: bootstrap draws over clips of every side.
        confidence: of the interval.
        seed: of the bootstrap.

    Returns:
        The skill; NaN where a side has under 10 clips or D_n - D_r is under 3 standard errors.

    Raises:
        ValueError: no noises, shapes that do not fit, NaN or infinity.
    """
    sides = {"reference": reference, "held_out": held_out, "candidate": candidate, **noises}
    _check(sides, noises)
    n_clips = min(len(features) for features in sides.values())
    if n_clips < MIN_CLIPS:
        return _undefined(f"expected at least {MIN_CLIPS} clips on every side for a skill, got {n_clips}", n_clips)
    thinned = standardise(*(_thin(features, n_clips) for features in sides.values()))
    base, others = thinned[0], dict(zip(list(sides)[1:], thinned[1:], strict=True))
    point = _distances(base, others)
    ranked = sorted(noises, key=lambda name: point[name])
    kept = {name: others[name] for name in ["held_out", "candidate", *ranked[:3]]}
    draws = [_resampled(base, kept, np.random.default_rng((seed, draw))) for draw in range(n_resamples)]
    return _answer(point, draws, ranked, n_clips, confidence)


def _answer(point: dict, draws: list[dict], ranked: list[str], n_clips: int, confidence: float) -> Skill:
    best = ranked[0]
    room = point[best] - point["held_out"]
    names = ranked[:3]
    rooms = np.array([min(draw[name] for name in names) - draw["held_out"] for draw in draws])
    error = float(rooms.std(ddof=1)) if len(rooms) > 1 else float("nan")
    reason = None
    if not (room > 0 and room > 3 * error):
        reason = f"D_n - D_r is {room:.2f}, under 3 standard errors of {error:.2f}: {n_clips} clips cannot tell"
    drawn = np.array([min(draw[name] for name in names) - draw["candidate"] for draw in draws]) / rooms
    tail = (1 - confidence) / 2
    low, high = np.quantile(drawn, [tail, 1 - tail]) if len(drawn) > 1 and reason is None else (np.nan, np.nan)
    return Skill(
        skill=float("nan") if reason else (point[best] - point["candidate"]) / room,
        reason=reason,
        distance=point["candidate"],
        distance_real=point["held_out"],
        distance_noise=point[best],
        best_noise=best,
        standard_error=error,
        low=float(low),
        high=float(high),
        n_clips=n_clips,
        noise_skills={} if reason else {name: (point[best] - point[name]) / room for name in ranked},
    )


def _undefined(reason: str, n_clips: int) -> Skill:
    nan = float("nan")
    return Skill(nan, reason, nan, nan, nan, "", nan, nan, nan, n_clips, {})


def _check(sides: Mapping[str, np.ndarray], noises: Mapping[str, np.ndarray]) -> None:
    if not noises:
        raise ValueError("expected at least one noise to form a skill, got none")
    width = sides["reference"].shape[-1]
    for name, features in sides.items():
        if features.ndim != 2 or features.shape[1] != width:
            raise ValueError(f"expected features (N, {width}) of {name}, got {features.shape}")
        if not np.isfinite(features).all():
            raise ValueError(f"expected finite features of {name}, got NaN or infinity")


def _thin(features: np.ndarray, n_clips: int) -> np.ndarray:
    """`n_clips` rows, evenly spaced, so that a set sorted by artist or genre stays as mixed as it was."""
    return features[np.linspace(0, len(features) - 1, n_clips).round().astype(int)]


def _distances(reference: np.ndarray, others: Mapping[str, np.ndarray]) -> dict[str, float]:
    """Frechet distances from one reference, whose covariance is factored once (Heusel et al. 2017, eq. 6)."""
    mean, factor, trace = reference.mean(axis=0), *_factor(reference)
    result = {}
    for name, features in others.items():
        centred = features - features.mean(axis=0)
        product = centred @ factor  # tr (S_x S_y)^1/2 is the sum of the roots of the eigenvalues of F^T S_y F
        values = eigvalsh(product.T @ product / (len(features) - 1), check_finite=False)
        shared = np.sqrt(np.maximum(values, 0.0)).sum()
        spread = np.square(centred).sum() / (len(features) - 1)
        difference = mean - features.mean(axis=0)
        result[name] = float(difference @ difference + trace + spread - 2 * shared)
    return result


def _factor(features: np.ndarray) -> tuple[np.ndarray, float]:
    centred = features - features.mean(axis=0)
    values, vectors = eigh(centred.T @ centred / (len(features) - 1), check_finite=False, driver="evd")
    return vectors * np.sqrt(np.maximum(values, 0.0)), float(values.sum())


def _resampled(base: np.ndarray, others: Mapping[str, np.ndarray], rng: np.random.Generator) -> dict[str, float]:
    """Distances with the clips of every side drawn again, with replacement."""

    def draw(features: np.ndarray) -> np.ndarray:
        return features[rng.integers(0, len(features), len(features))]

    reference = draw(base)
    return _distances(reference, {name: draw(features) for name, features in others.items()})
