"""The sets of clips whose sound is compared: real songs, noise, songs taken apart, and generated clips."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from musemo_hf.audio.mel import denormalise, log_mel
from musemo_hf.data.arrays import SongArrays
from musemo_hf.data.folds import artist_groups
from musemo_hf.evaluation.arrays import evenly_spaced
from musemo_hf.evaluation.score.reducer import SKILL_SPACE
from musemo_hf.evaluation.spaces.embedders import get_embedder
from musemo_hf.evaluation.spaces.modulation import clamp_decibels
from musemo_hf.evaluation.surrogates.reference_statistics import ReferenceStatistics
from musemo_hf.evaluation.surrogates.samplers import NOISES, sample_surrogate
from musemo_hf.pipelines.embedders.audio_embedder import invert
from musemo_hf.pipelines.generators import sample_clips

from .attacks import Attacks, attack_clips
from .degradations import DEGRADATIONS, Songs
from .gradient_attack import noise_by_gradient

SEED = 10_000_000  # of generated clips, as in the report of a generator
STRONG = ("modulation-gaussian", "impulse-noise")  # noises with as many clips as there are songs
TEXTURE = "texture synthesis"
REAL = "real songs of other artists"
STRIPPED = ("random phases",)
FAULTS = {  # the degradations that are worth the inversion: (name, level)
    "time shuffle": 30,
    "two songs mixed": 50,
    "modes dropped": 80,
    "copies": 50,
}


@dataclass(frozen=True)
class Roles:
    """Which songs take which side; no artist is on two of them.

    Attributes:
        reference: The indices of the songs that everything is compared with: those of the held-out fold.
        held_out: The indices of the songs whose skill is 1.
        candidate: The indices of the songs that stand for a perfect generator, and that are taken apart.
        training: The indices of all songs outside the held-out fold, which the noises are fitted to.
    """

    reference: np.ndarray
    held_out: np.ndarray
    candidate: np.ndarray
    training: np.ndarray


def roles(songs: SongArrays, held_out_fold: int, n_clips: int) -> Roles:
    """Divide the songs by their artist-disjoint folds: one fold, and two halves of the others.

    Args:
        songs: The whole corpus, with at least three folds.
        held_out_fold: The fold of the reference.
        n_clips: The largest number of songs of a side, evenly spaced.
    """
    others = [fold for fold in sorted(set(songs.fold.tolist())) if fold != held_out_fold]
    sides = [[held_out_fold], others[: len(others) // 2], others[len(others) // 2 :]]
    reference, held_out, candidate = (
        evenly_spaced(np.flatnonzero(np.isin(songs.fold, folds)), n_clips) for folds in sides
    )
    return Roles(reference, held_out, candidate, np.flatnonzero(songs.fold != held_out_fold))


@dataclass(frozen=True)
class Candidate:
    """One set of clips.

    Attributes:
        name: The name of the row.
        kind: "music", "generator", "noise" or "music taken apart".
        clips: The log-mels `(N, 128, n_frames)` in dB.
        groups: The artist of each clip, of the song whose emotion was requested, or None.
    """

    name: str
    kind: str
    clips: np.ndarray
    groups: list[str] | None = None


def main_candidates(
    songs: SongArrays,
    sides: Roles,
    statistics: ReferenceStatistics,
    generators: Mapping[str, Any],
    bfloat16: bool = False,
) -> Iterator[Candidate]:
    """Yield real songs of other artists, the clips of each generator, and the strong noises.

    Args:
        songs: The whole corpus.
        sides: The roles of the songs.
        statistics: The statistics of the training songs, see `fit_noises`.
        generators: The generators by the name of their row; each makes a clip at the emotion of each reference song.
        bfloat16: Whether clips are generated with products in bfloat16.
    """
    artists = artist_groups(songs.artist)
    real = clamp_decibels(songs.spectrogram[sides.candidate])
    yield Candidate(REAL, "music", real, [artists[i] for i in sides.candidate])
    emotion = torch.from_numpy(songs.emotion[sides.reference])
    for name, generator in generators.items():
        with torch.autocast(generator.device.type, torch.bfloat16, enabled=bfloat16):
            made = denormalise(sample_clips(generator, emotion, SEED)[:, 0].float()).numpy()
        yield Candidate(name, "generator", made, [artists[i] for i in sides.reference])
    for name in STRONG:
        yield Candidate(name, "noise", drawn(name, statistics, len(sides.reference)))


def further_candidates(
    songs: SongArrays, sides: Roles, statistics: ReferenceStatistics, n_few: int, say: Callable[[str], None]
) -> Iterator[Candidate]:
    """Yield texture synthesis, songs taken apart and the weak noises, one after another.

    All of them together need gigabytes.

    Args:
        songs: The whole corpus.
        sides: The roles of the songs.
        statistics: The statistics of the training songs, see `fit_noises`.
        n_few: The number of clips of each set.
        say: A function that is called with a line about the texture synthesis.
    """
    clips = clamp_decibels(songs.spectrogram)
    artists = artist_groups(songs.artist)
    few = evenly_spaced(sides.candidate, n_few)
    start = drawn("joint-gaussian", statistics, len(few), seed=7)
    features = get_embedder(SKILL_SPACE).embed(clips[evenly_spaced(sides.training, 300)])
    yield Candidate(TEXTURE, "noise", noise_by_gradient(start, features, say=say))
    others = clips[evenly_spaced(sides.held_out, n_few)]
    for name in STRIPPED:
        made = attack_clips(name, Attacks(statistics), clips[few], others)
        yield Candidate(name, "music taken apart", clamp_decibels(made))
    yield from _damaged(Songs(clips[few], others, clips[evenly_spaced(sides.reference, n_few)]), artists, few)
    twice = np.stack([log_mel(torch.from_numpy(sound[None]))[0].numpy() for sound in invert(clips[few])])
    yield Candidate("real songs, inverted twice", "music taken apart", twice, [artists[i] for i in few])
    for name in NOISES:
        if name not in STRONG:
            yield Candidate(name, "noise", drawn(name, statistics, n_few))


def _damaged(songs: Songs, artists: list[str], index: np.ndarray) -> Iterator[Candidate]:
    for order, fault in enumerate(DEGRADATIONS):
        if fault.name in FAULTS:
            level = FAULTS[fault.name]
            worse = fault.apply(songs, level, np.random.default_rng((3, order))).astype(np.float32)
            name = f"{fault.name}, {level:g} {fault.unit}"
            yield Candidate(name, "music taken apart", clamp_decibels(worse), [artists[i] for i in index])


def fit_noises(clips: np.ndarray) -> ReferenceStatistics:
    """Compute the statistics of real clips that noises are drawn from."""
    statistics = ReferenceStatistics.empty(clips.shape[1], clips.shape[2])
    statistics.update(clips)
    return statistics


def drawn(name: str, statistics: ReferenceStatistics, n_clips: int, seed: int = 1) -> np.ndarray:
    """Draw clips of one noise."""
    return np.concatenate(list(sample_surrogate(name, statistics, n_clips, seed)))
