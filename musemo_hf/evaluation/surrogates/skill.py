"""Skill: where a candidate stands between the best music-free noise and other real music."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.linalg import eigh, eigvalsh

from musemo_hf.evaluation.spaces.embedders import standardise

MIN_CLIPS = 10


@dataclass(frozen=True)
class Skill:
    """The skill of a candidate and what it was made of; distances are those of the aspect that decides.

    Attributes:
        skill: (D_n - D_f) / (D_n - D_r) in the weakest aspect: 0 the best noise, 1 other real music; NaN with a reason.
        reason: why the skill is NaN; None where it is a number.
        aspect: the weakest aspect, "all" in a space without aspects.
        distance: D_f, Frechet distance of the candidate from the reference.
        distance_real: D_r, of other real clips.
        distance_noise: D_n, of the best noise.
        best_noise: its name.
        standard_error: of D_n - D_r, by the bootstrap over clips.
        low: lower end of the bootstrap interval of the skill.
        high: upper end.
        n_clips: the N, equal on all sides.
        aspect_skills: the skill in each aspect.
        noise_skills: of each noise, in its own weakest aspect; none is above 0.
    """

    skill: float
    reason: str | None
    aspect: str
    distance: float
    distance_real: float
    distance_noise: float
    best_noise: str
    standard_error: float
    low: float
    high: float
    n_clips: int
    aspect_skills: dict[str, float]
    noise_skills: dict[str, float]


def skill(
    reference: np.ndarray,
    held_out: np.ndarray,
    candidate: np.ndarray,
    noises: Mapping[str, np.ndarray],
    aspects: Mapping[str, slice] | None = None,
    n_resamples: int = 100,
    confidence: float = 0.95,
    seed: int = 0,
) -> Skill:
    """(D_n - D_f) / (D_n - D_r) of PROTOCOL, section 2, from features of one embedder, all sides at equal N.

    The Frechet distance of N samples exceeds that of the distributions, the more the smaller N; at equal N the excess
    is shared and leaves numerator and denominator. In a space with aspects the skill is the least of theirs, each
    against the noise that is best in it: what is to pass has to be music in every aspect at once.

    Args:
        reference: real clips `(N_a, D)`; everything is standardised by them.
        held_out: other real clips `(N_b, D)`, disjoint from the reference.
        candidate: `(N_f, D)`.
        noises: features by name of noise, fitted to real clips, `(N_n, D)` each.
        aspects: columns by name (`embedder.aspects`); all columns together where None or empty.
        n_resamples: bootstrap draws over clips of every side, at least 2; the three best noises of an aspect are drawn.
        confidence: of the interval.
        seed: of the bootstrap.

    Returns:
        The skill; NaN where a side has under 10 clips, or D_n - D_r is under 3 standard errors in an aspect.

    Raises:
        ValueError: no noises, shapes that do not fit, NaN or infinity.
    """
    sides = {"reference": reference, "held_out": held_out, "candidate": candidate, **noises}
    _check(sides, noises)
    n_clips = min(len(features) for features in sides.values())
    if n_clips < MIN_CLIPS:
        return _undefined(f"expected at least {MIN_CLIPS} clips on every side for a skill, got {n_clips}", n_clips)
    thinned = standardise(*(_thin(features, n_clips) for features in sides.values()))
    rows = dict(zip(sides, thinned, strict=True))
    judged = [
        _judge(name, {side: features[:, columns] for side, features in rows.items()}, list(noises), n_resamples, seed)
        for name, columns in (aspects or {"all": slice(None)}).items()
    ]
    return _answer(judged, n_clips, confidence)


@dataclass(frozen=True)
class _Aspect:
    """One aspect: distances from the reference by side, and (room, skill) of every bootstrap draw."""

    name: str
    point: dict[str, float]
    best: str
    rooms: np.ndarray
    skills: np.ndarray

    @property
    def room(self) -> float:
        return self.point[self.best] - self.point["held_out"]

    @property
    def error(self) -> float:
        return float(self.rooms.std(ddof=1))

    @property
    def told(self) -> bool:
        return self.room > max(3 * self.error, 0)

    def skill_of(self, side: str) -> float:
        return (self.point[self.best] - self.point[side]) / self.room


def _judge(name: str, rows: dict[str, np.ndarray], noises: list[str], n_resamples: int, seed: int) -> _Aspect:
    base, others = rows["reference"], {side: features for side, features in rows.items() if side != "reference"}
    point = _distances(base, others)
    ranked = sorted(noises, key=lambda noise: point[noise])[:3]
    kept = {side: others[side] for side in ["held_out", "candidate", *ranked]}
    draws = [_resampled(base, kept, np.random.default_rng((seed, draw))) for draw in range(n_resamples)]
    best = np.array([min(draw[noise] for noise in ranked) for draw in draws])
    rooms = best - [draw["held_out"] for draw in draws]
    with np.errstate(divide="ignore", invalid="ignore"):
        skills = (best - [draw["candidate"] for draw in draws]) / rooms
    return _Aspect(name, point, ranked[0], rooms, skills)


def _answer(judged: list[_Aspect], n_clips: int, confidence: float) -> Skill:
    untold = [aspect for aspect in judged if not aspect.told]
    weakest = untold[0] if untold else min(judged, key=lambda aspect: aspect.skill_of("candidate"))
    low = high = float("nan")
    reason = None
    if untold:
        reason = (
            f"D_n - D_r is {weakest.room:.2f} in aspect {weakest.name!r}, under 3 standard errors of "
            f"{weakest.error:.2f}: {n_clips} clips cannot tell"
        )
    else:  # a clip is drawn in all aspects at once, so that the least of a draw is the skill of that draw
        tail = (1 - confidence) / 2
        low, high = np.quantile(np.min([aspect.skills for aspect in judged], axis=0), [tail, 1 - tail])
    noises = [side for side in weakest.point if side not in ("held_out", "candidate")]
    return Skill(
        skill=float("nan") if untold else weakest.skill_of("candidate"),
        reason=reason,
        aspect=weakest.name,
        distance=weakest.point["candidate"],
        distance_real=weakest.point["held_out"],
        distance_noise=weakest.point[weakest.best],
        best_noise=weakest.best,
        standard_error=weakest.error,
        low=float(low),
        high=float(high),
        n_clips=n_clips,
        aspect_skills={} if untold else {aspect.name: aspect.skill_of("candidate") for aspect in judged},
        noise_skills={} if untold else {name: min(aspect.skill_of(name) for aspect in judged) for name in noises},
    )


def _undefined(reason: str, n_clips: int) -> Skill:
    nan = float("nan")
    return Skill(nan, reason, "", nan, nan, nan, "", nan, nan, nan, n_clips, {}, {})


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
