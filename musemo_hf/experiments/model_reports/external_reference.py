"""What generated clips are measured against through sound: real songs and noises, embedded once for all generators."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
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

from .external_recogniser import ExternalRecogniser, fit_external_recogniser

N_NOISES = 200  # clips of each noise at most
NOISE_SEED = 1
HELD_OUT, TRAINING = "held-out songs", "training songs"
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


def embed_reference(held_out: SongArrays, training: SongArrays, sounds: SoundSets) -> dict[str, np.ndarray]:
    """Embed real songs and noises as they sound.

    Args:
        held_out: The held-out songs.
        training: The songs that the generators were trained on; the noises are fitted to them.
        sounds: Measures sound by an embedder that took no part in any training.

    Returns:
        The features `(N, D)` of `HELD_OUT`, of `TRAINING` and of each noise, by name.
    """
    songs = {HELD_OUT: held_out.spectrogram, TRAINING: training.spectrogram}
    features = {name: sounds.features(clips, name) for name, clips in songs.items()}
    statistics = ReferenceStatistics.empty(*training.spectrogram.shape[1:])
    statistics.update(training.spectrogram)
    n_clips = min(len(held_out), N_NOISES)
    for name in EXTERNAL_NOISES:
        noise = np.concatenate(list(sample_surrogate(name, statistics, n_clips, NOISE_SEED)))
        features[name] = sounds.features(noise, name)
    return features


@dataclass(frozen=True, eq=False)
class ExternalReference:
    """Real songs and noises in an external space, which measures any number of generators.

    The reference are the held-out songs; the songs whose skill is 1, and those that noises are fitted to, are training
    songs of other artists, so that neither knows more than the generators did.

    Attributes:
        held_out: The held-out songs.
        training: The songs that the generators were trained on.
        features: The result of `embed_reference`.
    """

    held_out: SongArrays
    training: SongArrays
    features: Mapping[str, np.ndarray]

    @cached_property
    def recogniser(self) -> ExternalRecogniser:
        """The recogniser of emotion in this space, fitted to the training songs."""
        return fit_external_recogniser(
            self.features[TRAINING], self.training.emotion, artist_groups(self.training.artist)
        )

    def measure(self, candidate: np.ndarray, requested: Sequence[int] | np.ndarray | None = None) -> dict[str, Any]:
        """Measure generated clips by their features.

        Args:
            candidate: The features of the generated clips `(M, D)`.
            requested: The positions of the held-out songs at whose emotions the clips were generated `(M,)`; None for
                all songs in their order.

        Returns:
            The answer of `external_figures`, and `n_training`; `requested` (r, CCC, bias and scale of the emotion that
            kernel ridge regression on the embedder's features recognises in the generated clips, against the requested
            one) and `songs` (the same of all held-out songs, against their labels).

        Raises:
            ValueError: There is not one clip for each requested emotion.
        """
        index = np.arange(len(self.held_out)) if requested is None else np.asarray(requested)
        if len(candidate) != len(index):
            raise ValueError(f"expected a clip for each of {len(index)} requested emotions, got {len(candidate)}")
        artists, others = artist_groups(self.held_out.artist), artist_groups(self.training.artist)
        some = evenly_spaced(np.arange(len(self.training)), len(self.held_out))
        figures = external_figures(
            self.features[HELD_OUT],
            candidate,
            {name: self.features[name] for name in EXTERNAL_NOISES},
            self.features[TRAINING][some],
            artists,
            [artists[i] for i in index],
            [others[i] for i in some],
        )
        return {
            "n_training": len(self.training),
            **figures,
            "requested": self.agreement(candidate, index),
            "songs": self.agreement(self.features[HELD_OUT], np.arange(len(self.held_out))),
        }

    def agreement(self, features: np.ndarray, index: np.ndarray) -> dict[str, Any]:
        """Return how the recognised emotion agrees with that of held-out songs; intervals are over artists.

        Args:
            features: The features of clips `(M, D)`.
            index: The positions of the held-out songs whose emotions are expected `(M,)`.

        Returns:
            The figures of `concordance_report` that `AGREEMENT` names.
        """
        artists = artist_groups(self.held_out.artist)
        recognised, expected = self.recogniser.predict(features), self.held_out.emotion[index]
        found = concordance_report(recognised, expected, [artists[i] for i in index], confidence=0.95)
        return {key: found[key] for key in AGREEMENT}
