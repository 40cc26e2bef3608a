"""Variations of real songs at several strengths: how far they leave their song, and whether they follow the emotion."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from musemo_hf.audio.mel import denormalise, normalise
from musemo_hf.data.arrays import SongArrays
from musemo_hf.data.folds import artist_groups
from musemo_hf.evaluation.distances.neighbours import authenticity
from musemo_hf.evaluation.external.resampled_distances import scaled
from musemo_hf.experiments.sound_sets import SoundSets

from .external_recogniser import fit_external_recogniser

SEED = 30_000_000  # of the variations
BATCH = 8


def measure_variations(
    generator: Any,
    sources: SongArrays,
    others: SongArrays,
    strengths: Sequence[float],
    sounds: SoundSets,
    bfloat16: bool = False,
) -> list[dict[str, Any]]:
    """Measure variations of songs, each asked for the emotion of another of the songs.

    Args:
        generator: A generator that can change songs.
        sources: The songs that are varied.
        others: Songs of other artists, which the recogniser is fitted to and authenticity compares with.
        strengths: The strengths, in [0, 1].
        sounds: Measures sound by an embedder that took no part in any training.
        bfloat16: Whether variations are made with products in bfloat16.

    Returns:
        For each strength: `distance`, the mean distance in the embedder's space of a variation from its song, divided
        by the mean distance of two songs of different artists; `authenticity`, the share of variations that are no
        nearer to any of the songs than all but 5 % of `others` are; `followed`, for valence and arousal, the slope of
        the change in the recognised emotion on the change that was requested (0: unchanged, 1: as requested); `n`.
    """
    own, known = (
        sounds.features(songs.spectrogram, title)
        for songs, title in ((sources, "songs"), (others, "songs of other artists"))
    )
    recogniser = fit_external_recogniser(known, others.emotion, artist_groups(others.artist))
    requested = np.roll(sources.emotion, len(sources) // 2, axis=0)
    heard = recogniser.predict(own)
    rows = []
    for strength in strengths:
        with torch.autocast(generator.device.type, torch.bfloat16, enabled=bfloat16):
            made = _varied(generator, sources.spectrogram, requested, strength)
        features = sounds.features(made, f"strength {strength:g}")
        space = scaled(known, {"songs": own, "others": known, "made": features})
        rows.append(
            {"strength": strength, "n": len(made)}
            | {"distance": _relative_distance(space["made"], space["songs"], sources.artist)}
            | {"authenticity": authenticity(space["made"], space["songs"], space["others"]).share}
            | {"followed": _slopes(requested - heard, recogniser.predict(features) - heard)}
        )
    return rows


def _varied(generator: Any, decibels: np.ndarray, requested: np.ndarray, strength: float) -> np.ndarray:
    """Return variations in dB of songs in dB, both `(N, 128, n_frames)`."""
    mels, emotion = normalise(torch.from_numpy(decibels))[:, None], torch.from_numpy(requested)
    parts = [
        generator.vary(mels[start : start + BATCH], emotion[start : start + BATCH], strength, seed=SEED + start)
        for start in range(0, len(mels), BATCH)
    ]
    return denormalise(torch.cat(parts)[:, 0].float().cpu()).numpy()


def _relative_distance(made: np.ndarray, songs: np.ndarray, artists: Sequence[str]) -> float:
    groups = np.unique(np.asarray(artist_groups(artists)), return_inverse=True)[1]
    between = np.linalg.norm(songs[:, None] - songs[None], axis=-1)[groups[:, None] != groups]
    return float(np.linalg.norm(made - songs, axis=-1).mean() / between.mean())


def _slopes(requested: np.ndarray, followed: np.ndarray) -> list[float]:
    """Return the slope through the origin of one change on the other, for each column."""
    return ((requested * followed).sum(axis=0) / np.square(requested).sum(axis=0)).tolist()


def variations_table(rows: Sequence[dict[str, Any]]) -> str:
    """Write the figures of `measure_variations` as a Markdown table, a row for each strength."""
    lines = [
        "| strength | distance from the song (two songs: 1) | authenticity | valence followed | arousal followed |",
        "|---|---|---|---|---|",
    ]
    for row in rows:
        valence, arousal = row["followed"]
        lines.append(
            f"| {row['strength']:g} | {row['distance']:.2f} | {row['authenticity']:.2f} | {valence:.2f} | "
            f"{arousal:.2f} |"
        )
    return "\n".join(lines) + "\n"
