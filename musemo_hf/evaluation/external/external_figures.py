"""All figures in an external space together, as plain data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from musemo_hf.evaluation.distances.neighbours import neighbour_shares
from musemo_hf.evaluation.surrogates.skill_scale import Skill

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
        skill, a detectability or the coverage, with the figures that come with it, is NaN. `external_skill`,
        `external_skill_frechet`, `detectability` and `detectability_real` have an `_interval` beside them.

    Raises:
        ValueError: See `external_skill`.
    """
    other, other_groups, base, base_groups = held_out, held_out_groups, reference, reference_groups
    if other is None:
        first, second = _halves(len(reference), reference_groups, seed)
        base, other = reference[first], reference[second]
        base_groups, other_groups = (_picked(reference_groups, half) for half in (first, second))
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
    return answer | {"external_notes": notes}


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
