"""The comparison of sets of clips with the songs of one held-out fold, in their own space and as sound."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from musemo_hf.data.arrays import SongArrays
from musemo_hf.data.folds import artist_groups
from musemo_hf.evaluation.arrays import evenly_spaced
from musemo_hf.evaluation.distances.neighbours import prdc
from musemo_hf.evaluation.external.detectability import detectability
from musemo_hf.evaluation.external.external_skill import external_skill
from musemo_hf.evaluation.external.resampled_distances import scaled
from musemo_hf.evaluation.external.structure_distances import structure_distances
from musemo_hf.evaluation.score.reducer import SKILL_SPACE
from musemo_hf.evaluation.spaces.embedders import get_embedder
from musemo_hf.evaluation.spaces.modulation import clamp_decibels
from musemo_hf.evaluation.surrogates.samplers import NOISES
from musemo_hf.evaluation.surrogates.skill import skill
from musemo_hf.experiments.sound_sets import SoundSets

from .sound_candidates import Candidate, drawn, fit_noises, roles

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


class FoldComparison:
    """Compares sets of clips with the songs of a held-out fold.

    Args:
        songs: The whole corpus, with artist-disjoint folds.
        held_out_fold: The fold whose songs are the reference.
        sounds: Measures sound, with an embedder that is not any generator's own.
        n_clips: The largest number of real songs of a side.
        n_noises: The number of arrays that are drawn of each noise, for the own skill (default: `n_clips`).
    """

    def __init__(
        self, songs: SongArrays, held_out_fold: int, sounds: SoundSets, n_clips: int, n_noises: int | None = None
    ) -> None:
        self.held_out_fold, self.sounds = held_out_fold, sounds
        self.sides = roles(songs, held_out_fold, n_clips)
        self.artists = artist_groups(songs.artist)
        self.reference = self._real(songs, "reference", self.sides.reference)
        self.held_out = self._real(songs, "held-out", self.sides.held_out)
        self.statistics = fit_noises(clamp_decibels(songs.spectrogram[self.sides.training]))
        self.arrays = {name: OWN.embed(drawn(name, self.statistics, n_noises or n_clips)) for name in NOISES}

    def _real(self, songs: SongArrays, name: str, index: np.ndarray) -> Sounded:
        clips = clamp_decibels(songs.spectrogram[index])
        return Sounded(Candidate(name, "music", clips, [self.artists[i] for i in index]), self.sounds)

    def measured(self, candidates: Iterable[Candidate], say: Callable[[str], None]) -> dict[str, Sounded]:
        """Return the features of each set by its name; the clips themselves are not kept."""
        sets: dict[str, Sounded] = {}
        for candidate in candidates:
            sets[candidate.name] = Sounded(candidate, self.sounds)
            say(f"{candidate.name}: {len(candidate.clips)} clips")
        return sets

    def results(self, sets: Mapping[str, Sounded]) -> dict[str, Any]:
        """Return the fold, the counts of the roles, and `rows`, the figures of each set.

        The noises among the sets define the 0 of the external skill.
        """
        noises = {name: one.external for name, one in sets.items() if name in NOISES}
        counts = {f"n_{name}": len(index) for name, index in asdict(self.sides).items()}
        return {
            "held_out_fold": self.held_out_fold,
            "rows": {
                name: _figures(one, self.reference, self.held_out, noises, self.arrays) for name, one in sets.items()
            },
            **counts,
            "n_reference_artists": len({self.artists[i] for i in self.sides.reference}),
        }


def _figures(
    one: Sounded,
    reference: Sounded,
    held_out: Sounded,
    noises: Mapping[str, np.ndarray],
    arrays: Mapping[str, np.ndarray],
) -> dict[str, Any]:
    groups: dict[str, Sequence] = {
        name: side.groups for name, side in (("reference", reference), ("held_out", held_out)) if side.groups
    }
    if one.groups is not None and one.kind == "music":
        groups["candidate"] = one.groups
    own = skill(reference.own, held_out.own, one.own, arrays, OWN.feature_groups)
    kid, frechet = (
        external_skill(reference.external, held_out.external, one.external, noises, groups, distance)
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
