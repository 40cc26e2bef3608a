"""Skill: where a candidate stands between the best music-free noise and other real music."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy.linalg import eigh, eigvalsh

from musemo_hf.evaluation.arrays import evenly_spaced
from musemo_hf.evaluation.spaces.embedders import standardise

MIN_CLIPS = 10
MIN_STANDARD_ERRORS = 3.0  # of D_n - D_r; below, noise and music are not resolved
N_RANKED = 3  # noises of a group that are resampled: the best ones
NAN = float("nan")


@dataclass(frozen=True)
class Skill:
    """The skill of a candidate and its parts; distances are those of the feature group that decides.

    Attributes:
        skill: The skill (D_n - D_f) / (D_n - D_r) of the weakest group: 0 for the best noise, 1 for other real music;
            NaN with a reason.
        reason: The reason why the skill is NaN; None where it is a number.
        group: The name of the weakest feature group, "all" in a space without groups.
        distance: D_f, the Frechet distance of the candidate from the reference.
        distance_real: D_r, the distance of other real clips.
        distance_noise: D_n, the distance of the best noise.
        best_noise: The name of the best noise.
        standard_error: The standard error of D_n - D_r, by the bootstrap over clips.
        low: The lower end of the bootstrap interval of the skill.
        high: The upper end.
        n_clips: The number of clips N, equal on all sides.
        group_skills: The skill in each feature group.
        noise_skills: The skill of each noise, in its own weakest group; none is above 0.
    """

    skill: float
    reason: str | None
    group: str = ""
    distance: float = NAN
    distance_real: float = NAN
    distance_noise: float = NAN
    best_noise: str = ""
    standard_error: float = NAN
    low: float = NAN
    high: float = NAN
    n_clips: int = 0
    group_skills: Mapping[str, float] = field(default_factory=dict)
    noise_skills: Mapping[str, float] = field(default_factory=dict)


def skill(
    reference: np.ndarray,
    held_out: np.ndarray,
    candidate: np.ndarray,
    noises: Mapping[str, np.ndarray],
    feature_groups: Mapping[str, slice] | None = None,
    n_resamples: int = 100,
    confidence: float = 0.95,
    seed: int = 0,
) -> Skill:
    """Compute (D_n - D_f) / (D_n - D_r) of PROTOCOL, section 2, from features of one embedder, all sides at equal N.

    The Frechet distance of N samples exceeds that of the distributions, the more the smaller N; at equal N the excess
    is shared and cancels in numerator and denominator. In a space with feature groups the skill is the smallest of
    theirs, each compared with its own best noise: a candidate passes only if it is music in every group at once.

    Args:
        reference: The features of real clips `(N_a, D)`, by which everything is standardised.
        held_out: The features of other real clips `(N_b, D)`.
        candidate: The features of the candidate `(N_f, D)`.
        noises: The features of each noise fitted to real clips `(N_n, D)`, by its name.
        feature_groups: The columns of each group by name (`embedder.feature_groups`); None or empty: all columns.
        n_resamples: The number of bootstrap draws over the clips of every side, at least 2; the three best noises of a
            group are resampled.
        confidence: The confidence level of the interval.
        seed: The seed of the bootstrap.

    Returns:
        The skill; NaN if a side has under 10 clips, or D_n - D_r is under 3 standard errors in a group.

    Raises:
        ValueError: There are no noises, the shapes do not fit, or there is NaN or infinity.
    """
    sides = {"reference": reference, "held_out": held_out, "candidate": candidate, **noises}
    _check(sides, noises)
    n_clips = min(len(features) for features in sides.values())
    if n_clips < MIN_CLIPS:
        reason = f"expected at least {MIN_CLIPS} clips on every side for a skill, got {n_clips}"
        return Skill(NAN, reason, n_clips=n_clips)
    thinned = standardise(*(evenly_spaced(features, n_clips) for features in sides.values()))
    rows = dict(zip(sides, thinned, strict=True))
    measured = [
        _measure(name, {side: features[:, columns] for side, features in rows.items()}, list(noises), n_resamples, seed)
        for name, columns in (feature_groups or {"all": slice(None)}).items()
    ]
    return _answer(measured, n_clips, confidence)


@dataclass(frozen=True)
class _Group:
    """One feature group: distances from the reference by side, and (D_n - D_r, skill) of every bootstrap draw."""

    name: str
    distances: dict[str, float]
    best: str
    rooms: np.ndarray
    skills: np.ndarray

    @property
    def room(self) -> float:
        return self.distances[self.best] - self.distances["held_out"]

    @property
    def error(self) -> float:
        return float(self.rooms.std(ddof=1))

    @property
    def resolved(self) -> bool:
        return self.room > max(MIN_STANDARD_ERRORS * self.error, 0)

    def skill_of(self, side: str) -> float:
        return (self.distances[self.best] - self.distances[side]) / self.room


def _measure(name: str, rows: dict[str, np.ndarray], noises: list[str], n_resamples: int, seed: int) -> _Group:
    base, others = rows["reference"], {side: features for side, features in rows.items() if side != "reference"}
    distances = _distances(base, others)
    ranked = sorted(noises, key=lambda noise: distances[noise])[:N_RANKED]
    kept = {side: others[side] for side in ["held_out", "candidate", *ranked]}
    draws = [_resampled(base, kept, np.random.default_rng((seed, draw))) for draw in range(n_resamples)]
    best = np.array([min(draw[noise] for noise in ranked) for draw in draws])
    rooms = best - [draw["held_out"] for draw in draws]
    with np.errstate(divide="ignore", invalid="ignore"):
        skills = (best - [draw["candidate"] for draw in draws]) / rooms
    return _Group(name, distances, ranked[0], rooms, skills)


def _answer(measured: list[_Group], n_clips: int, confidence: float) -> Skill:
    unresolved = [group for group in measured if not group.resolved]
    weakest = unresolved[0] if unresolved else min(measured, key=lambda group: group.skill_of("candidate"))
    parts: dict[str, Any] = {
        "group": weakest.name,
        "distance": weakest.distances["candidate"],
        "distance_real": weakest.distances["held_out"],
        "distance_noise": weakest.distances[weakest.best],
        "best_noise": weakest.best,
        "standard_error": weakest.error,
        "n_clips": n_clips,
    }
    if unresolved:
        reason = (
            f"D_n - D_r is {weakest.room:.2f} in feature group {weakest.name!r}, under {MIN_STANDARD_ERRORS:g} "
            f"standard errors of {weakest.error:.2f}: {n_clips} clips do not resolve it"
        )
        return Skill(NAN, reason, **parts)
    # a clip is drawn in all groups at once, so that the smallest skill of a draw is the skill of that draw
    tail = (1 - confidence) / 2
    low, high = np.quantile(np.min([group.skills for group in measured], axis=0), [tail, 1 - tail])
    noises = [side for side in weakest.distances if side not in ("held_out", "candidate")]
    return Skill(
        weakest.skill_of("candidate"),
        None,
        **parts,
        low=float(low),
        high=float(high),
        group_skills={group.name: group.skill_of("candidate") for group in measured},
        noise_skills={noise: min(group.skill_of(noise) for group in measured) for noise in noises},
    )


def _check(sides: Mapping[str, np.ndarray], noises: Mapping[str, np.ndarray]) -> None:
    if not noises:
        raise ValueError("expected at least one noise to form a skill, got none")
    width = sides["reference"].shape[-1]
    for name, features in sides.items():
        if features.ndim != 2 or features.shape[1] != width:
            raise ValueError(f"expected features (N, {width}) of {name}, got {features.shape}")
        if not np.isfinite(features).all():
            raise ValueError(f"expected finite features of {name}, got NaN or infinity")


def _distances(reference: np.ndarray, others: Mapping[str, np.ndarray]) -> dict[str, float]:
    """Compute Frechet distances from one reference, whose covariance is factored once (Heusel et al. 2017, eq. 6)."""
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
    """Compute the distances after the clips of every side were drawn again with replacement."""

    def draw(features: np.ndarray) -> np.ndarray:
        return features[rng.integers(0, len(features), len(features))]

    reference = draw(base)
    return _distances(reference, {name: draw(features) for name, features in others.items()})
