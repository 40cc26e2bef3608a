"""All figures in an external space together, as plain data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from musemo_hf.evaluation.arrays import as_numbers
from musemo_hf.evaluation.distances.neighbours import neighbour_shares
from musemo_hf.evaluation.statistics.bootstrap import group_indices
from musemo_hf.evaluation.surrogates.skill_scale import Skill, check_sides

from .detectability import Detectability, detectability
from .external_skill import external_skill
from .resampled_distances import scaled

N_NEIGHBOURS = 6  # clips of a side that coverage needs


def external_figures(
    reference: np.ndarray,
    candidate: np.ndarray,
    noises: Mapping[str, np.ndarray],
    held_out: np.ndarray | None = None,
    reference_groups: Sequence | None = None,
    candidate_groups: Sequence | None = None,
    held_out_groups: Sequence | None = None,
    n_resamples: int = 200,
    confidence: float = 0.95,
    seed: int = 0,
) -> dict[str, Any]:
    """Compute all figures of generated clips in the space of a pretrained audio model.

    Args:
        reference: The features of real songs `(N, D)`; all sides came to their features in the same way.
        candidate: The features of generated clips `(M, D)`.
        noises: The features of each noise, by its name.
        held_out: The features of real songs of other artists; None: the reference is halved by its groups.
        reference_groups: The artist of each reference song; None makes each its own group.
        candidate_groups: The artist of the song whose emotion was requested of each generated clip, or None.
        held_out_groups: The artist of each held-out song, or None.
        n_resamples: The number of bootstrap draws.
        confidence: The confidence level of the intervals.
        seed: The seed of halves, folds and bootstrap.

    Returns:
        `external_skill` by the kernel distance and `external_skill_frechet`; `external_kid`, `external_kid_real` and
        `external_kid_noise`; `external_best_noise` and `external_noise_skills`; `detectability` and
        `detectability_real`, of the held-out songs; `external_precision`, `external_recall`, `external_density`,
        `external_coverage` and `external_coverage_real`; `external_n` by side; `external_notes` with the reason why a
        skill, a detectability or the coverage, with the figures that come with it, is NaN, and `external_groups` where
        an artist is in the reference and among the held-out songs. `external_skill`, `external_skill_frechet`,
        `detectability` and `detectability_real` have an `_interval` beside them.

    Raises:
        ValueError: A side has no clips, or the reference, or a half of it, has one; there are no noises; the shapes do
            not fit, or there is NaN or infinity; the labels of a side are not one artist for each clip, or all one
            artist; or an option of the bootstrap is out of range.
    """
    sides = _checked_sides(reference, candidate, held_out, noises)
    reference, candidate, held_out = sides["reference"], sides["candidate"], sides.get("held_out")
    noises = {name: sides[name] for name in noises}
    reference_groups = _checked_groups(reference_groups, "reference", len(reference))
    candidate_groups = _checked_groups(candidate_groups, "candidate", len(candidate))
    held_out_groups = _checked_groups(held_out_groups, "held_out", 0 if held_out is None else len(held_out))
    other, other_groups, base, base_groups = held_out, held_out_groups, reference, reference_groups
    if other is None:
        first, second = _halves(len(reference), reference_groups, seed)
        base, other = reference[first], reference[second]
        base_groups, other_groups = (_picked(reference_groups, half) for half in (first, second))
        if min(len(base), len(other)) < 2:
            raise ValueError(
                f"expected held_out, or a reference whose halves have at least 2 songs, got halves of {len(base)} and "
                f"{len(other)}"
            )
    given = {"reference": base_groups, "held_out": other_groups}
    groups = {side: own for side, own in given.items() if own is not None}
    kid, frechet = (
        external_skill(base, other, candidate, noises, groups, distance, n_resamples, confidence, seed)
        for distance in ("kid", "frechet")
    )
    generated = detectability(reference, candidate, reference_groups, candidate_groups, n_resamples, confidence, seed)
    real = detectability(base, other, base_groups, other_groups, n_resamples, confidence, seed)
    answer: dict[str, Any] = {
        "external_kid": kid.distance,
        "external_kid_real": kid.distance_real,
        "external_kid_noise": kid.distance_noise,
        "external_best_noise": kid.best_noise or None,
        "external_noise_skills": dict(kid.noise_skills),
        "external_n": {"reference": len(base), "held_out": len(other), "candidate": len(candidate)},
    }
    notes: dict[str, str] = {}
    for name, skill in (("external_skill", kid), ("external_skill_frechet", frechet)):
        _add(answer, notes, name, skill.skill, skill)
    for name, found in (("detectability", generated), ("detectability_real", real)):
        _add(answer, notes, name, found.auc, found)
    answer |= _coverage(base, candidate, other, notes)
    shared = sorted({str(name) for name in base_groups or ()} & {str(name) for name in other_groups or ()})
    if shared:
        notes["external_groups"] = (
            f"{len(shared)} artists, such as {shared[0]}, are in the reference and among the held-out songs, which "
            f"have to be of other artists: the skill is too low, and the figures of real songs are too good"
        )
    return answer | {"external_notes": notes}


def _checked_sides(
    reference: Any, candidate: Any, held_out: Any, noises: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Return the features of all sides by name; errors name the side."""
    if not isinstance(noises, Mapping):
        raise ValueError(f"expected noises as a dict of features by name, got {type(noises).__name__}")
    given = {"reference": reference, "candidate": candidate, "held_out": held_out, **noises}
    if clash := {"reference", "candidate", "held_out"} & set(noises):
        raise ValueError(f"expected names of noises other than reference, candidate and held_out, got {clash.pop()}")
    sides = {name: as_numbers(side, f"features of {name}") for name, side in given.items() if side is not None}
    for name in ("reference", "candidate"):
        if name not in sides:
            raise ValueError(f"expected features (N, D) of {name}, got None")
    for name, features in sides.items():
        if features.ndim != 2:
            raise ValueError(f"expected features (N, D) of {name}, got {features.shape}")
        least = 2 if name == "reference" else 1  # a reference of one song has no deviation to standardise by
        if len(features) < least:
            raise ValueError(f"expected features of at least {least} clips of {name}, got {len(features)}")
    check_sides(sides, noises)
    return sides


def _checked_groups(groups: Sequence | None, side: str, n_clips: int) -> list | None:
    """Return the artist of each clip of a side as a list."""
    if groups is None:
        return None
    try:
        n_groups = group_indices(n_clips, groups)[1]
    except ValueError as error:
        raise ValueError(f"{side}_groups: {error}") from error
    if n_groups < 2 and side != "candidate":
        raise ValueError(f"expected at least 2 artists in {side}_groups, got {n_groups}: artists are drawn again")
    return list(groups)


def _add(answer: dict[str, Any], notes: dict[str, str], name: str, value: float, found: Skill | Detectability) -> None:
    answer |= {name: value, f"{name}_interval": [found.low, found.high]}
    if found.reason is not None:
        notes[name] = found.reason


def _coverage(
    reference: np.ndarray, candidate: np.ndarray, other: np.ndarray, notes: dict[str, str]
) -> dict[str, float]:
    fewest = min(len(reference), len(candidate), len(other))
    if fewest < N_NEIGHBOURS:
        notes["external_coverage"] = f"expected at least {N_NEIGHBOURS} clips on each side for coverage, got {fewest}"
    rows = scaled(reference, {"reference": reference, "candidate": candidate, "other": other})
    shares = neighbour_shares(rows["reference"], rows["candidate"])
    real = neighbour_shares(rows["reference"], rows["other"])["coverage"]
    named = {f"external_{name}": float(values.mean()) for name, values in shares.items()}
    return named | {"external_coverage_real": float(real.mean())}


def _halves(n_songs: int, groups: Sequence | None, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Divide songs into two halves of about equal size that share no group."""
    labels = np.arange(n_songs) if groups is None else np.unique(np.asarray(groups), return_inverse=True)[1]
    sizes = np.bincount(labels)
    order = np.random.default_rng((seed, len(sizes))).permutation(len(sizes))
    first = np.zeros(len(sizes), dtype=bool)
    taken = np.cumsum(sizes[order])
    first[order[taken <= max(n_songs // 2, taken[0])]] = True
    return np.flatnonzero(first[labels]), np.flatnonzero(~first[labels])


def _picked(groups: Sequence | None, index: np.ndarray) -> list | None:
    return None if groups is None else [groups[i] for i in index]
