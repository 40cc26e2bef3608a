"""Figures of generated clips through sound, by an external embedder: the part of a generator's report that decides."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from musemo_hf.data.arrays import SongArrays
from musemo_hf.experiments.sound_sets import SoundSets

from .external_reference import ExternalReference, embed_reference


def external_report(made: np.ndarray, held_out: SongArrays, training: SongArrays, sounds: SoundSets) -> dict[str, Any]:
    """Measure generated clips through sound, beside real songs of other artists and noise.

    Args:
        made: The generated log-mels in dB, one at the emotion of each held-out song `(N, 128, n_frames)`.
        held_out: The held-out songs.
        training: The songs that the generator was trained on.
        sounds: Measures sound by an embedder that took no part in any training.

    Returns:
        The answer of `ExternalReference.measure`, and `embedder` and `route` ("sound").
    """
    reference = ExternalReference(held_out, training, embed_reference(held_out, training, sounds))
    figures = reference.measure(sounds.features(made, "generated clips"))
    return {"embedder": sounds.embedder.name, "route": "sound", **figures}


def external_findings(external: dict[str, Any]) -> list[str]:
    """Write the sentences of a report, the one that decides first."""
    return [_skill_in_words(external), _agreement_in_words(external)]


def _skill_in_words(external: dict[str, Any]) -> str:
    place = f"through sound, in the space of {external['embedder']}, which took no part in the training"
    counts = f"{external['external_n']['candidate']} clips against {external['external_n']['reference']} held-out songs"
    if not math.isfinite(external["external_skill"]):
        reason = external["external_notes"].get("external_skill", "no reason was given")
        return f"The skill {place}, is not defined ({reason}; {counts})."
    return (
        f"Skill {external['external_skill']:.2f} {_ends(external['external_skill_interval'])} {place} (0 is the best "
        f"noise, 1 is other real music; {counts}); generated clips are distinguished from real songs with an area "
        f"under the curve of {external['detectability']:.2f}, real songs of other artists with "
        f"{external['detectability_real']:.2f} (0.5 is chance)."
    )


def _agreement_in_words(external: dict[str, Any]) -> str:
    made, songs = (
        ", ".join(
            f"r {found['pearson_r'][dimension]:.2f}, CCC {found['ccc'][dimension]:.2f}, bias "
            f"{found['bias'][dimension]:+.2f}, scale {found['scale_ratio'][dimension]:.2f} in {name}"
            for dimension, name in enumerate(("valence", "arousal"))
        )
        for found in (external["requested"], external["songs"])
    )
    return (
        f"Requested against recognised emotion, by kernel ridge regression on {external['embedder']} trained on "
        f"{external['n_training']} songs: {made}; of the held-out songs, against their labels: {songs}."
    )


def _ends(interval: list[float]) -> str:
    return f"[{interval[0]:.2f}, {interval[1]:.2f}]"
