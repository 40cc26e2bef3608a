"""Sets of log-mels as they sound: each clip is inverted once, and what is measured of its sound is kept on disk."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from tqdm import tqdm

from musemo_hf.audio.mel import MelSettings
from musemo_hf.evaluation.external.structure import STRUCTURE, structure_features
from musemo_hf.files import atomic_write
from musemo_hf.pipelines.embedders.audio_embedder import AudioEmbedder, invert

Measure = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class SoundSets:
    """Measures log-mels through the one inversion that all sides of a comparison share.

    Attributes:
        embedder: The embedder of audio.
        folder: The folder of what was measured before, which several processes may share; a run that was stopped
            goes on from it. None keeps nothing.
        progress: Whether to show a progress bar.
    """

    embedder: AudioEmbedder
    folder: Path | None = None
    progress: bool = True

    def features(self, clips_db: np.ndarray, title: str = "") -> np.ndarray:
        """Return the embedder's features of the sound of log-mels, float64 `(N, dimension)`.

        Args:
            clips_db: The log-mels `(N, 128, n_frames)` in dB.
            title: The name of the set for the progress bar.

        Raises:
            ValueError: There are no clips, or they have another shape.
        """
        return self.measured(clips_db, [self.embedder.name], title)[0]

    def with_structure(self, clips_db: np.ndarray, title: str = "") -> tuple[np.ndarray, np.ndarray]:
        """Return the features, and the structure features `(N, n)` of the same sound; see `features`."""
        embedded, structure = self.measured(clips_db, [self.embedder.name, STRUCTURE], title)
        return embedded, structure

    def measured(self, clips_db: np.ndarray, names: Sequence[str], title: str = "") -> list[np.ndarray]:
        """Return what is asked for of each clip, one array for each name; see `features`."""
        if clips_db.ndim != 3 or not len(clips_db):
            raise ValueError(f"expected log-mels (N, 128, n_frames) in dB, got {clips_db.shape}")
        rows = [
            self._clip(clip, names)
            for clip in tqdm(clips_db, desc=title or self.embedder.name, unit="clip", disable=not self.progress)
        ]
        return [np.stack([row[order] for row in rows]).astype(np.float64) for order in range(len(names))]

    def _clip(self, clip: np.ndarray, names: Sequence[str]) -> list[np.ndarray]:
        settings = MelSettings()
        clip = np.ascontiguousarray(np.clip(clip, settings.min_db, settings.max_db), dtype=np.float32)
        digest = hashlib.sha256(clip.tobytes() + str(clip.shape).encode()).hexdigest()
        found = {name: self._kept(digest, name) for name in names}
        missing = [name for name, values in found.items() if values is None]
        if missing:
            audio = invert(clip[None])[0]
            for name in missing:
                found[name] = self._of_audio(audio, name)
                self._keep(digest, name, found[name])
        return [values for values in found.values() if values is not None]

    def _of_audio(self, audio: np.ndarray, name: str) -> np.ndarray:
        rate = MelSettings().sampling_rate
        if name == STRUCTURE:
            return structure_features(audio, rate).astype(np.float32)
        return self.embedder.embed_audio(audio[None], rate)[0].astype(np.float32)

    def _path(self, digest: str, name: str) -> Path | None:
        return None if self.folder is None else self.folder / name / digest[:2] / f"{digest}.npy"

    def _kept(self, digest: str, name: str) -> np.ndarray | None:
        path = self._path(digest, name)
        return None if path is None or not path.is_file() else np.load(path, allow_pickle=False)

    def _keep(self, digest: str, name: str, values: np.ndarray | None) -> None:
        path = self._path(digest, name)
        if path is None or values is None:
            return
        buffer = BytesIO()
        np.save(buffer, values, allow_pickle=False)
        atomic_write(path, buffer.getvalue())
