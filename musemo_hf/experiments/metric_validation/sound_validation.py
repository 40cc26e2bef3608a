"""The validation of figures of sound: what each set of clips has in its own space and in that of another model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from musemo_hf.data.arrays import SongArrays
from musemo_hf.data.folds import artist_groups
from musemo_hf.evaluation.arrays import evenly_spaced
from musemo_hf.evaluation.distances.neighbours import prdc
from musemo_hf.evaluation.external.detectability import MIN_CLIPS, detectability
from musemo_hf.evaluation.external.external_skill import external_skill
from musemo_hf.evaluation.external.resampled_distances import scaled
from musemo_hf.evaluation.external.structure_distances import structure_distances
from musemo_hf.evaluation.score.reducer import SKILL_SPACE
from musemo_hf.evaluation.spaces.embedders import get_embedder
from musemo_hf.evaluation.spaces.modulation import clamp_decibels
from musemo_hf.evaluation.surrogates.samplers import NOISES
from musemo_hf.evaluation.surrogates.skill import skill
from musemo_hf.experiments.sound_sets import SoundSets

from .sound_candidates import STRONG, Candidate, Roles, candidates, drawn, fit_noises, roles

SIZES = (25, 50, 93, 120, 187, 323)
N_STRUCTURE = 60  # clips of a set whose structure is measured
OWN = get_embedder(SKILL_SPACE)


class Sounded:
    """A set of clips with its features in both spaces, and the structure of some of them.

    Args:
        candidate: The clips.
        sounds: Measures their sound.
    """

    def __init__(self, candidate: Candidate, sounds: SoundSets) -> None:
        self.name, self.kind, self.groups = candidate.name, candidate.kind, candidate.groups
        some = evenly_spaced(np.arange(len(candidate.clips)), N_STRUCTURE)
        self.structure = sounds.structure(candidate.clips[some], candidate.name)
        self.structure_groups = None if self.groups is None else [self.groups[i] for i in some]
        self.external = sounds.features(candidate.clips, candidate.name)
        self.own = OWN.embed(candidate.clips)

    def __len__(self) -> int:
        return len(self.external)


def validate_sound(
    songs: SongArrays,
    generators: Mapping[str, Any],
    sounds: SoundSets,
    held_out_fold: int = 0,
    n_clips: int = 120,
    n_few: int = 50,
    sizes: Sequence[int] = SIZES,
    say: Callable[[str], None] = print,
) -> dict[str, Any]:
    """Measure every set of clips in its own space, as arrays, and in that of an external model, as sound.

    Args:
        songs: The whole corpus, with artist-disjoint folds.
        generators: The generators by the name of their row, none of which was trained on the held-out fold.
        sounds: Measures sound, with the embedder that is not any generator's own.
        held_out_fold: The fold that everything is compared with.
        n_clips: The number of real songs of a side, of generated clips and of clips of the strong noises.
        n_few: The number of clips of the other sets, at least `MIN_CLIPS`.
        sizes: The numbers of clips at which the skills of real songs are measured.
        say: A function that is called with a line when each part is done.

    Returns:
        `rows` by the name of a set, `sizes`, and the counts of the roles; numbers and texts only.

    Raises:
        ValueError: `n_few` is too small for a figure.
    """
    if n_few < MIN_CLIPS:
        raise ValueError(f"expected at least {MIN_CLIPS} clips of each set, got n_few {n_few}")
    sides = roles(songs, held_out_fold, n_clips)
    clips, artists = clamp_decibels(songs.spectrogram), artist_groups(songs.artist)

    def real(name: str, index: np.ndarray) -> Sounded:
        return Sounded(Candidate(name, "music", clips[index], [artists[i] for i in index]), sounds)

    reference, held_out = real("reference", sides.reference), real("held-out", sides.held_out)
    sets = []
    for candidate in candidates(songs, sides, generators, n_few, say):
        sets.append(Sounded(candidate, sounds))
        say(f"{candidate.name}: {len(candidate.clips)} clips")
    noises = {one.name: one for one in sets if one.name in NOISES}
    statistics = fit_noises(clips[sides.training])
    # the skill of arrays thins all sides to its smallest, so that every noise is drawn as often as there are songs
    arrays = {name: OWN.embed(drawn(name, statistics, max([n_clips, *sizes]))) for name in NOISES}
    rows = {one.name: _figures(one, reference, held_out, noises, arrays) for one in sets}
    say("figures")
    return {
        "embedder": sounds.embedder.name,
        "held_out_fold": held_out_fold,
        "rows": rows,
        "sizes": _sizes(
            songs, sides, held_out_fold, sounds, {name: noises[name].external for name in STRONG}, arrays, sizes
        ),
        **_counts(sides, artists),
    }


def _counts(sides: Roles, artists: list[str]) -> dict[str, int]:
    return {f"n_{name}": len(index) for name, index in asdict(sides).items()} | {
        "n_reference_artists": len({artists[i] for i in sides.reference})
    }


def _figures(
    one: Sounded, reference: Sounded, held_out: Sounded, noises: Mapping[str, Sounded], arrays: Mapping[str, np.ndarray]
) -> dict[str, Any]:
    groups: dict[str, Sequence] = {
        name: side.groups for name, side in (("reference", reference), ("held_out", held_out)) if side.groups
    }
    if one.groups is not None and one.kind == "music":
        groups["candidate"] = one.groups
    external = {name: side.external for name, side in noises.items()}
    own = skill(reference.own, held_out.own, one.own, arrays, OWN.feature_groups)
    kid, frechet = (
        external_skill(reference.external, held_out.external, one.external, external, groups, distance)
        for distance in ("kid", "frechet")
    )
    found = detectability(reference.external, one.external, reference.groups, one.groups)
    scale = scaled(reference.external, {"real": reference.external, "one": one.external})
    return {
        "kind": one.kind,
        "n": len(one),
        "own": [own.skill, own.low, own.high],
        "external": [kid.skill, kid.low, kid.high],
        "external_frechet": [frechet.skill, frechet.low, frechet.high],
        "best_noise": kid.best_noise,
        "kid": kid.distance,
        "detectability": [found.auc, found.low, found.high],
        "coverage": prdc(scale["real"], scale["one"])["coverage"],
        "structure": {
            name: asdict(found) | {"separates": found.separates}
            for name, found in structure_distances(
                reference.structure,
                one.structure,
                held_out.structure,
                reference.structure_groups,
                held_out.structure_groups,
            ).items()
        },
        "notes": [skill.reason for skill in (own, kid, frechet) if skill.reason is not None],
    }


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
