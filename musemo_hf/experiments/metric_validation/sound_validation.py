"""The validation of figures of sound: what each set of clips has in its own space and in that of another model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from musemo_hf.data.arrays import SongArrays
from musemo_hf.data.folds import artist_groups
from musemo_hf.evaluation.arrays import evenly_spaced
from musemo_hf.evaluation.external.detectability import MIN_CLIPS
from musemo_hf.evaluation.external.external_skill import external_skill
from musemo_hf.evaluation.spaces.modulation import clamp_decibels
from musemo_hf.evaluation.surrogates.samplers import NOISES
from musemo_hf.evaluation.surrogates.skill import skill
from musemo_hf.experiments.sound_sets import SoundSets

from .fold_comparison import OWN, FoldComparison
from .sound_candidates import REAL, STRONG, TEXTURE, Roles, further_candidates, main_candidates, roles

SIZES = (25, 50, 93, 120, 187, 323)
FIRST_FOLD = 0  # of the table with all sets


def validate_sound(
    songs: SongArrays,
    generators: Mapping[int, Mapping[str, Any]],
    sounds: SoundSets,
    n_clips: int = 120,
    n_few: int = 50,
    sizes: Sequence[int] = SIZES,
    bfloat16: bool = False,
    say: Callable[[str], None] = print,
) -> dict[str, Any]:
    """Measure every set of clips in its own space, as arrays, and in that of an external model, as sound.

    All sets are compared with the songs of fold 0. For every further fold that a generator holds out, real songs, the
    strong noises and the generators of that fold are compared with the songs of that fold.

    Args:
        songs: The whole corpus, with artist-disjoint folds.
        generators: The generators by the fold that was held out of their training, and by the name of their row.
        sounds: Measures sound, with the embedder that is not any generator's own.
        n_clips: The number of real songs of a side, of generated clips and of clips of the strong noises.
        n_few: The number of clips of the other sets, at least `MIN_CLIPS`.
        sizes: The numbers of clips at which the skills of real songs are measured.
        bfloat16: Whether clips are generated with products in bfloat16.
        say: A function that is called with a line when each part is done.

    Returns:
        `held_out_fold`, `rows` by the name of a set and the counts of the roles for fold 0; the same for each further
        fold in the list `further_folds`; `sizes`; numbers and texts only.

    Raises:
        ValueError: `n_few` is too small for a figure, a generator holds out a fold that the songs do not have, or a
            generator has the name of another set.
    """
    if n_few < MIN_CLIPS:
        raise ValueError(f"expected at least {MIN_CLIPS} clips of each set, got n_few {n_few}")
    _check(songs, generators)
    first = FoldComparison(songs, FIRST_FOLD, sounds, n_clips, max([n_clips, *sizes]))
    own = generators.get(FIRST_FOLD, {})
    sets = first.measured(main_candidates(songs, first.sides, first.statistics, own, bfloat16), say)
    sets |= first.measured(further_candidates(songs, first.sides, first.statistics, n_few, say), say)
    results = first.results(sets)
    say(f"figures of fold {FIRST_FOLD}")
    strong = {name: sets[name].external for name in STRONG}
    results["sizes"] = _sizes(songs, first.sides, FIRST_FOLD, sounds, strong, first.arrays, sizes)
    results["further_folds"] = []
    for fold in sorted(set(generators) - {FIRST_FOLD}):
        further = FoldComparison(songs, fold, sounds, n_clips)
        found = main_candidates(songs, further.sides, further.statistics, generators[fold], bfloat16)
        results["further_folds"].append(further.results(further.measured(found, say)))
        say(f"figures of fold {fold}")
    return {"embedder": sounds.embedder.name, **results}


def _check(songs: SongArrays, generators: Mapping[int, Mapping[str, Any]]) -> None:
    folds = sorted(set(songs.fold.tolist()))
    unknown = sorted(set(generators) - set(folds))
    if unknown:
        raise ValueError(f"expected generators to hold out folds out of {folds}, got {unknown}")
    names = [REAL, TEXTURE, *NOISES, *(name for own in generators.values() for name in own)]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"expected a name of its own for every generator, got {', '.join(twice)} twice")


def _three(sides: Roles) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return sides.reference, sides.held_out, sides.candidate


def _sizes(
    songs: SongArrays,
    sides: Roles,
    held_out_fold: int,
    sounds: SoundSets,
    noises: Mapping[str, np.ndarray],
    arrays: Mapping[str, np.ndarray],
    sizes: Sequence[int],
) -> list[dict[str, Any]]:
    """Measure the skills of real songs with growing numbers of clips, on sides that share no artist."""
    clips, artists = clamp_decibels(songs.spectrogram), artist_groups(songs.artist)
    everything = roles(songs, held_out_fold, len(songs))
    results = []
    for size in sizes:
        index = [
            evenly_spaced(own if size <= len(own) else whole, size)
            for own, whole in zip(_three(sides), _three(everything), strict=True)
        ]
        if min(map(len, index)) < size:
            continue
        reference, held_out, candidate = (sounds.features(clips[side], f"{size} songs") for side in index)
        names = ("reference", "held_out", "candidate")
        groups = {name: [artists[i] for i in side] for name, side in zip(names, index, strict=True)}
        some = {name: features[:size] for name, features in noises.items()}
        kid = external_skill(reference, held_out, candidate, some, groups, min_clips=2)
        reference, held_out, candidate = (OWN.embed(clips[side]) for side in index)
        some = {name: features[:size] for name, features in arrays.items()}
        own = skill(reference, held_out, candidate, some, OWN.feature_groups)
        results.append(
            {
                "n": size,
                "own": [own.skill, own.low, own.high],
                "external": [kid.skill, kid.low, kid.high],
                "notes": [found.reason for found in (own, kid) if found.reason is not None],
            }
        )
    return results
