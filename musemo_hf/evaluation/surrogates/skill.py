"""Skill: where a candidate stands between the best music-free noise and other real music."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from scipy.linalg import eigh, eigvalsh

from musemo_hf.evaluation.arrays import evenly_spaced
from musemo_hf.evaluation.spaces.embedders import standardise
from musemo_hf.evaluation.statistics.bootstrap import group_indices

from .skill_scale import NAN, MeasuredGroup, Skill, best_noises, check_sides, measured_group, skill_of_groups

MIN_CLIPS = 10


def skill(
    reference: np.ndarray,
    held_out: np.ndarray,
    candidate: np.ndarray,
    noises: Mapping[str, np.ndarray],
    feature_groups: Mapping[str, slice] | None = None,
    n_resamples: int = 100,
    confidence: float = 0.95,
    seed: int = 0,
    groups: Mapping[str, Sequence | np.ndarray] | None = None,
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
        groups: The artists of the clips of "reference" and "held_out", one label a clip; the bootstrap draws artists on
            the sides named here, and clips on the others.

    Returns:
        The skill; NaN if a side has under 10 clips, or D_n - D_r is under 3 standard errors in a group.

    Raises:
        ValueError: There are no noises, the shapes do not fit, or there is NaN or infinity.
    """
    sides = {"reference": reference, "held_out": held_out, "candidate": candidate, **noises}
    check_sides(sides, noises)
    n_clips = min(len(features) for features in sides.values())
    if n_clips < MIN_CLIPS:
        reason = f"expected at least {MIN_CLIPS} clips on every side for a skill, got {n_clips}"
        return Skill(NAN, reason, n_clips=n_clips)
    thinned = standardise(*(evenly_spaced(features, n_clips) for features in sides.values()))
    rows = dict(zip(sides, thinned, strict=True))
    members = {
        side: group_indices(n_clips, evenly_spaced(np.asarray(own), n_clips))[0] for side, own in (groups or {}).items()
    }
    measured = [
        _measure(
            name,
            {side: features[:, columns] for side, features in rows.items()},
            list(noises),
            n_resamples,
            seed,
            members,
        )
        for name, columns in (feature_groups or {"all": slice(None)}).items()
    ]
    return skill_of_groups(measured, n_clips, confidence)


def _measure(
    name: str,
    rows: dict[str, np.ndarray],
    noises: list[str],
    n_resamples: int,
    seed: int,
    members: Mapping[str, np.ndarray],
) -> MeasuredGroup:
    base, others = rows["reference"], {side: features for side, features in rows.items() if side != "reference"}
    distances = _distances(base, others)
    ranked = best_noises(distances, noises)
    kept = {side: others[side] for side in ["held_out", "candidate", *ranked]}
    draws = [_resampled(base, kept, members, np.random.default_rng((seed, draw))) for draw in range(n_resamples)]
    return measured_group(name, distances, draws, ranked)


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


def _resampled(
    base: np.ndarray,
    others: Mapping[str, np.ndarray],
    members: Mapping[str, np.ndarray],
    rng: np.random.Generator,
) -> dict[str, float]:
    """Compute the distances after the clips, or the groups, of every side were drawn again with replacement."""

    def draw(side: str, features: np.ndarray) -> np.ndarray:
        if side not in members:
            return features[rng.integers(0, len(features), len(features))]
        n_groups = int(members[side].max()) + 1
        drawn = rng.integers(0, n_groups, n_groups)
        return features[np.concatenate([np.flatnonzero(members[side] == group) for group in drawn])]

    reference = draw("reference", base)
    return _distances(reference, {name: draw(name, features) for name, features in others.items()})
