"""The ladder: what real music, music taken apart, and noise without music score on the same scale."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from musemo_hf.evaluation.spaces.embedders import get_embedder
from musemo_hf.evaluation.spaces.modulation import clamp_decibels
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
    """Drawn clips of one surrogate, reduced.

    Attributes:
        rows: moments of the clamped clips `(N, ROW_LENGTH)`.
        unclamped: of the clips as drawn.
        features: of the clamped clips, by modulation space `(N, D)`.
    """

    rows: Array
    unclamped: Array
    features: dict[str, Array]


def hashed_order(rows: Array) -> NDArray[np.intp]:
    """An order of the clips behind `rows` that follows from the rows alone, by a hash of each.

    A set sorted by artist or genre is mixed by it, and whatever draws or halves clips by their place answers the same
    for one process and two, and for clips that came in any order.
    """
    digests = [blake2b(np.ascontiguousarray(row).tobytes(), digest_size=8).digest() for row in rows]
    return np.asarray(sorted(range(len(rows)), key=lambda index: digests[index]), dtype=np.intp)


def shuffled_halves(rows: Array) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Indices of two disjoint halves of the clips behind `rows`, every other one of `hashed_order`."""
    order = hashed_order(rows)
    return order[::2], order[1::2]


def draw_surrogates(statistics: ReferenceStatistics, n_clips: int, seed: int = 0) -> dict[str, SurrogateClips]:
    """Draw and reduce every surrogate, `n_clips` each; a pure function of the statistics and the seed."""
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


def rungs(moments: Array, blurred: Array, surrogates: dict[str, SurrogateClips]) -> dict[str, tuple[Array, Array]]:
    """Reference and candidate rows of every rung.

    Args:
        moments: rows of the references `(N, ROW_LENGTH)`, at least two.
        blurred: rows of the same clips blurred.
        surrogates: of `draw_surrogates`; may be empty.

    Returns:
        By name: real music and music taken apart are one half of the references against the other, as a candidate is
        made of other songs than the reference; surrogates are against all of them, as a candidate is.
    """
    first, second = shuffled_halves(moments)
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


def ladder(steps: dict[str, tuple[Array, Array]]) -> dict[str, float]:
    """The quality score of every rung, best first; NaN last."""
    scores = {
        name: quality_score(SetMoments.of(reference), SetMoments.of(candidate)).quality_score
        for name, (reference, candidate) in steps.items()
    }
    return dict(sorted(scores.items(), key=lambda rung: -np.nan_to_num(rung[1], nan=-1.0)))
