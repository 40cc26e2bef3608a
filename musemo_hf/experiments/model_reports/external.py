"""Figures of generated clips through sound, by an external embedder: the part of a generator's report that decides."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from musemo_hf.data.arrays import SongArrays
from musemo_hf.data.folds import artist_groups
from musemo_hf.evaluation.arrays import evenly_spaced
from musemo_hf.evaluation.external.external_figures import external_figures
from musemo_hf.evaluation.external.external_skill import EXTERNAL_NOISES
from musemo_hf.evaluation.statistics.concordance import concordance_report
from musemo_hf.evaluation.surrogates.reference_statistics import ReferenceStatistics
from musemo_hf.evaluation.surrogates.samplers import sample_surrogate
from musemo_hf.experiments.sound_sets import SoundSets

from .external_recogniser import fit_external_recogniser

N_NOISES = 200  # clips of each noise at most
NOISE_SEED = 1
AGREEMENT = (
    "pearson_r",
    "pearson_r_interval",
    "ccc",
    "ccc_interval",
    "bias",
    "bias_interval",
    "scale_ratio",
    "scale_ratio_interval",
    "n",
)


def external_report(made: np.ndarray, held_out: SongArrays, training: SongArrays, sounds: SoundSets) -> dict[str, Any]:
    """Measure generated clips through sound, beside real songs of other artists and noise.

    The reference are the held-out songs; the songs whose skill is 1, and those that noises are fitted to, are training
    songs of other artists, so that neither knows more than the generator did.

    Args:
        made: The generated log-mels in dB, one at the emotion of each held-out song `(N, 128, n_frames)`.
        held_out: The held-out songs.
        training: The songs that the generator was trained on.
        sounds: Measures sound by an embedder that took no part in any training.

    Returns:
        The answer of `external_figures`, and `embedder`, `route` ("sound"), `n_training`; `requested` (r, CCC, bias and
        scale of the emotion that kernel ridge regression on the embedder's features recognises in the generated clips,
        against the requested one) and `songs` (the same of the held-out songs, against their labels).
    """
    artists, others = artist_groups(held_out.artist), artist_groups(training.artist)
    reference, candidate = (
        sounds.features(clips, title)
        for clips, title in ((held_out.spectrogram, "held-out songs"), (made, "generated clips"))
    )
    known = sounds.features(training.spectrogram, "training songs")
    some = evenly_spaced(np.arange(len(training)), len(held_out))
    figures = external_figures(
        reference,
        candidate,
        _noises(training, min(len(held_out), N_NOISES), sounds),
        known[some],
        artists,
        artists,
        [others[i] for i in some],
    )
    recogniser = fit_external_recogniser(known, training.emotion, others)
    agreement = {
        name: concordance_report(recogniser.predict(features), held_out.emotion, artists, confidence=0.95)
        for name, features in (("requested", candidate), ("songs", reference))
    }
    return {
        "embedder": sounds.embedder.name,
        "route": "sound",
        "n_training": len(training),
        **figures,
        **{name: {key: found[key] for key in AGREEMENT} for name, found in agreement.items()},
    }


def _noises(training: SongArrays, n_clips: int, sounds: SoundSets) -> dict[str, np.ndarray]:
    statistics = ReferenceStatistics.empty(*training.spectrogram.shape[1:])
    statistics.update(training.spectrogram)
    return {
        name: sounds.features(np.concatenate(list(sample_surrogate(name, statistics, n_clips, NOISE_SEED))), name)
        for name in EXTERNAL_NOISES
    }


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
