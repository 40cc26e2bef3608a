"""Skill in an external space: where sound stands between the best music-free noise and other real songs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, get_args

import numpy as np

from musemo_hf.evaluation.arrays import evenly_spaced
from musemo_hf.evaluation.statistics.bootstrap import check_confidence, check_draws
from musemo_hf.evaluation.surrogates.skill_scale import (
    NAN,
    Skill,
    best_noises,
    check_sides,
    measured_group,
    skill_of_groups,
)
from musemo_hf.evaluation.threads import single_blas

from .resampled_distances import (
    ComponentDistances,
    KernelDistances,
    ResampledDistances,
    drawn_weights,
    group_labels,
    scaled,
)

Distance = Literal["kid", "frechet"]
MIN_CLIPS = 50  # measured in docs/metric-validation.md
# the surrogates that come nearest to music in sound; the others need no inversion
EXTERNAL_NOISES = ("modulation-gaussian", "impulse-noise", "joint-gaussian")


@single_blas
def external_skill(
    reference: np.ndarray,
    held_out: np.ndarray,
    candidate: np.ndarray,
    noises: Mapping[str, np.ndarray],
    groups: Mapping[str, Sequence] | None = None,
    distance: Distance = "kid",
    n_resamples: int = 200,
    confidence: float = 0.95,
    seed: int = 0,
    min_clips: int = MIN_CLIPS,
) -> Skill:
    """Compute (D_n - D_f) / (D_n - D_r) of PROTOCOL, section 5, from features of a pretrained audio model.

    0 is the best noise, 1 is other real songs. All sides must have come to their features in the same way: log-mels
    through one inversion to sound, or audio as it is. Where two distances are nearly equal, the interval is too wide by
    up to the square root of two.

    Args:
        reference: The features of real songs `(N, D)`, by which everything is standardised; a dimension that is
            constant in them is left out, and values are limited to 4 deviations.
        held_out: The features of real songs of other artists `(N_r, D)`.
        candidate: The features of generated clips `(N_f, D)`.
        noises: The features of each noise `(N_n, D)`, by its name.
        groups: The artists of the clips of "reference", "held_out" and, where it consists of real songs, "candidate":
            one label a clip. The bootstrap draws artists on the sides named here, and clips on the others.
        distance: "kid" for the unbiased cubic kernel distance, whose sides may differ in size, or "frechet" for the
            Frechet distance in 32 principal components of the reference, at equal N, by which all sides are thinned.
        n_resamples: The number of bootstrap draws, at least 2; the scale and the components stay as they are.
        confidence: The confidence level of the interval.
        seed: The seed of the bootstrap.
        min_clips: The number of clips that each side needs.

    Returns:
        The skill, with `group` "all"; NaN with a reason if a side has under `min_clips` clips, or D_n - D_r is under 3
        standard errors.

    Raises:
        ValueError: There are no noises, the shapes do not fit, there is NaN or infinity, the labels of a side are not
            as many as its clips, the name of the distance is unknown, or an option of the bootstrap is out of range.
    """
    if distance not in get_args(Distance):
        raise ValueError(f"expected a distance out of {', '.join(get_args(Distance))}, got {distance!r}")
    check_draws(n_resamples, seed)
    check_confidence(confidence)
    sides = {"reference": reference, "held_out": held_out, "candidate": candidate, **noises}
    sides = {name: np.asarray(features, dtype=np.float64) for name, features in sides.items()}
    check_sides(sides, noises)
    labels = _labels(groups or {}, sides)
    n_clips = min(len(features) for features in sides.values())
    if n_clips < min_clips:
        fewest = min(sides, key=lambda name: len(sides[name]))
        reason = f"expected at least {min_clips} clips on every side for an external skill, got {n_clips} of {fewest}"
        return Skill(NAN, reason, n_clips=n_clips)
    if distance == "frechet":
        sides = {name: evenly_spaced(features, n_clips) for name, features in sides.items()}
        labels = {name: evenly_spaced(own, n_clips) for name, own in labels.items()}
    rows = scaled(sides["reference"], sides)
    measure: ResampledDistances = KernelDistances(rows) if distance == "kid" else ComponentDistances(rows)
    found = measure.distances()
    ranked = best_noises(found, list(noises))
    lengths = {name: len(sides[name]) for name in ("reference", "held_out", "candidate", *ranked)}
    draws = [measure.distances(weights) for weights in drawn_weights(lengths, labels, n_resamples, seed)]
    return skill_of_groups([measured_group("all", found, draws, ranked)], n_clips, confidence)


def _labels(groups: Mapping[str, Sequence], sides: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    for side in groups:
        if side not in ("reference", "held_out", "candidate"):
            raise ValueError(f"expected groups of reference, held_out or candidate, got groups of {side!r}")
    return group_labels(groups, sides)
