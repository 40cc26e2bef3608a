"""Sets of log-mels as they sound: embedded by a pretrained model, and measured by the structure of their sound."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from musemo_hf.audio.mel import MelSettings
from musemo_hf.evaluation.external.structure import FEATURES, STRUCTURE, structure_features
from musemo_hf.pipelines.embedders.audio_embedder import AudioEmbedder, audio_embedder
from musemo_hf.pipelines.embedders.feature_cache import FeatureCache
from musemo_hf.pipelines.embedders.sound_features import sound_features


def structure_embedder() -> AudioEmbedder:
    """Return the six structural features of `evaluation.external.structure` as an embedder of audio."""

    def embed(waveforms: Sequence[np.ndarray], sampling_rate: float) -> np.ndarray:
        return np.stack([structure_features(samples, round(sampling_rate)) for samples in waveforms])

    return audio_embedder(STRUCTURE, len(FEATURES), MelSettings().sampling_rate, embed)


@dataclass(frozen=True)
class SoundSets:
    """Measures sets of log-mels through the one inversion that all sides of a comparison share.

    Attributes:
        embedder: The embedder of audio, of a model that took no part in any training.
        cache: The cache of what was measured before; True for that of the user, False for none.
        progress: Whether to show progress bars; None for where standard error is a terminal.
    """

    embedder: AudioEmbedder
    cache: FeatureCache | bool = True
    progress: bool | None = None

    def features(self, clips_db: np.ndarray, title: str) -> np.ndarray:
        """Return the embedder's features of the sound of log-mels, float64 `(N, dimension)`.

        Args:
            clips_db: The log-mels `(N, 128, n_frames)` in dB.
            title: The name of the set on its progress bar.

        Raises:
            ValueError: There are no clips, or they have another shape.
        """
        return self._measured(self.embedder, clips_db, title)

    def structure(self, clips_db: np.ndarray, title: str) -> np.ndarray:
        """Return the structural features `(N, 6)` of the sound of log-mels; see `features`."""
        return self._measured(structure_embedder(), clips_db, title)

    def _measured(self, embedder: AudioEmbedder, clips_db: np.ndarray, title: str) -> np.ndarray:
        if clips_db.ndim != 3 or not len(clips_db):
            raise ValueError(f"expected log-mels (N, 128, n_frames) in dB, got {clips_db.shape}")
        n_frames = clips_db.shape[-1]
        found = sound_features(
            clips_db, embedder, n_frames=n_frames, cache=self.cache, progress=self.progress, title=title
        )
        return found.features
