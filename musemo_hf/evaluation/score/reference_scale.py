"""The reference scale: the quality scores of real music, of music taken apart, and of noise without music.

A score means something only beside them. The answer of the metric holds them under the key `ladder`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from musemo_hf.evaluation.spaces.embedders import get_embedder
from musemo_hf.evaluation.spaces.modulation import clamp_decibels
from musemo_hf.evaluation.statistics.bootstrap import group_indices
from musemo_hf.evaluation.surrogates.reference_statistics import ReferenceStatistics
from musemo_hf.evaluation.surrogates.samplers import CONSTANT, SURROGATES, surrogate_sampler
from musemo_hf.evaluation.threads import over_clips

from .composite import quality_score
from .moments import SetMoments, clip_row, flipped_rows, shuffled_rows
from .reducer import DISTANCE_SPACE, SKILL_SPACE

Array = NDArray[np.float64]

MAX_NOISES = 300  # clips drawn of each surrogate: enough for a score within a point, few enough to be quick
UNCLAMPED = " (unclamped)"


@dataclass(frozen=True)
class SurrogateClips:
    """Clips drawn from one surrogate, reduced to rows.

    Attributes:
        rows: The moments of the clamped clips `(N, ROW_LENGTH)`.
        unclamped: The moments of the clips as drawn `(N, ROW_LENGTH)`.
        features: The features of the clamped clips `(N, D)`, by modulation space.
    """

    rows: Array
    unclamped: Array
    features: dict[str, Array]


def mixed_order(rows: Array) -> NDArray[np.intp]:
    """Order clips by the sums of their rows, and mix that order in a fixed way.

    The order mixes a set sorted by artist or genre, and does not depend on the order in which clips or processes
    came: whatever draws or halves clips by their position then gives the same answer. Nor does it depend on the last
    digit of a row, which another processor rounds otherwise.
    """
    ranked = np.argsort(np.asarray(rows, dtype=np.float64).reshape(len(rows), -1).sum(axis=1), kind="stable")
    return ranked[np.random.default_rng(len(rows)).permutation(len(rows))]


def shuffled_halves(rows: Array, groups: Sequence | NDArray | None = None) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the indices of two disjoint halves of the clips, alternating in `mixed_order`.

    Args:
        rows: The rows of the clips `(N, columns)`.
        groups: The artist of each clip, for halves of about equal size that share no artist: the artists with most
            clips go first, each into the smaller half. None halves by clips.
    """
    order = mixed_order(rows)
    if groups is None:
        return order[::2], order[1::2]
    members, n_groups = group_indices(len(rows), groups)
    sizes, filled, half_of = np.bincount(members), [0, 0], np.zeros(n_groups, dtype=int)
    for group in sorted(dict.fromkeys(members[order]), key=lambda group: -sizes[group]):
        half_of[group] = int(filled[1] < filled[0])
        filled[half_of[group]] += sizes[group]
    halves = half_of[members[order]]
    return order[halves == 0], order[halves == 1]


def draw_surrogates(statistics: ReferenceStatistics, n_clips: int, seed: int = 0) -> dict[str, SurrogateClips]:
    """Draw and reduce `n_clips` of every surrogate; a pure function of the statistics and the seed."""
    reduced = over_clips(lambda name: _reduce(name, statistics, n_clips, seed), SURROGATES)
    return dict(zip(SURROGATES, reduced, strict=True))


def _reduce(name: str, statistics: ReferenceStatistics, n_clips: int, seed: int) -> SurrogateClips:
    draw = surrogate_sampler(name, statistics, seed=seed)
    spaces = [get_embedder(space) for space in (DISTANCE_SPACE, SKILL_SPACE)]

    def reduced(index: int) -> tuple[Array, ...]:
        clip = draw(index)
        clamped = clamp_decibels(clip)
        row = clip_row(clamped, clamp=False)
        unclamped = row if np.array_equal(clip, clamped) else clip_row(clip, clamp=False)
        return row, unclamped, *(space.embed(clamped[None])[0] for space in spaces)

    n_drawn = 1 if name in CONSTANT else n_clips
    rows, unclamped, *features = (np.stack(part) for part in zip(*map(reduced, range(n_drawn)), strict=True))
    repeated = [np.repeat(part, n_clips // n_drawn, axis=0) for part in (rows, unclamped, *features)]
    names = [space.name for space in spaces]
    return SurrogateClips(repeated[0], repeated[1], dict(zip(names, repeated[2:], strict=True)))


def scale_steps(
    moments: Array,
    blurred: Array,
    surrogates: dict[str, SurrogateClips],
    groups: Sequence | NDArray | None = None,
) -> dict[str, tuple[Array, Array]]:
    """Return the reference and candidate moments of every step of the scale, by name.

    For real music and music taken apart, one half of the references is compared with the other, as a candidate
    consists of other songs than the reference. Surrogates are compared with all references, as a candidate is.

    Args:
        moments: The moments of the references `(N, ROW_LENGTH)`, at least two.
        blurred: The moments of the same clips after a blur.
        surrogates: The clips from `draw_surrogates`; may be empty.
        groups: The artist of each reference; the halves share none. None halves by clips.
    """
    first, second = shuffled_halves(moments, groups)
    half, other = moments[first], moments[second]
    steps = {
        "copies": (moments, moments),
        "real": (half, other),
        "blur": (half, blurred[second]),
        "time-shuffle": (half, shuffled_rows(other)),
        "flip": (half, flipped_rows(other)),
    }
    for name, clips in surrogates.items():
        steps[name] = moments, clips.rows
        steps[name + UNCLAMPED] = moments, clips.unclamped
    return steps


def scale_groups(
    moments: Array, groups: NDArray, steps: dict[str, tuple[Array, Array]]
) -> dict[str, tuple[NDArray, NDArray | None]]:
    """Return the artists of the reference and of the candidate of every step; None for a surrogate.

    Args:
        moments: The moments of the references, as `scale_steps` got them.
        groups: The artist of each reference.
        steps: The answer of `scale_steps` with these groups.
    """
    first, second = shuffled_halves(moments, groups)
    drawn: dict[str, tuple[NDArray, NDArray | None]] = {name: (groups, None) for name in steps}
    drawn["copies"] = groups, groups
    drawn |= dict.fromkeys(("real", "blur", "time-shuffle", "flip"), (groups[first], groups[second]))
    return drawn


def scale_scores(steps: dict[str, tuple[Array, Array]]) -> dict[str, float]:
    """Compute the quality score of every step, in descending order; NaN comes last."""
    scores = {
        name: quality_score(SetMoments.of(reference), SetMoments.of(candidate)).quality_score
        for name, (reference, candidate) in steps.items()
    }
    return dict(sorted(scores.items(), key=lambda step: -np.nan_to_num(step[1], nan=-1.0)))
