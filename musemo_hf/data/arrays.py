"""A prepared data set as plain numpy arrays, for code that needs all songs at once."""

from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class SongArrays:
    """The log-mels and labels of N songs.

    Attributes:
        spectrogram: The log-mels in dB, float32 (N, 128, n_frames).
        emotion: The mean (valence, arousal) in [-1, 1], float32 (N, 2).
        emotion_std: The deviations over raters in the same unit, float32 (N, 2).
        fold: The artist-disjoint folds, int8 (N,).
        song_id: The ids, int32 (N,).
        artist: The N names of artists, "" where unknown.
        genre: The N genres.
        year: The years of the benchmark, int16 (N,).
    """

    spectrogram: np.ndarray
    emotion: np.ndarray
    emotion_std: np.ndarray
    fold: np.ndarray
    song_id: np.ndarray
    artist: list[str]
    genre: list[str]
    year: np.ndarray

    def __len__(self) -> int:
        return len(self.song_id)


def load_arrays(dataset: Any) -> SongArrays:
    """Read a data set of `DeamSpectrograms`' columns from its Arrow buffers, without Python lists in between.

    Args:
        dataset: A `datasets.Dataset`, also after `select`, `filter` or `shuffle`.

    Returns:
        Writable copies, in the order of the data set.
    """
    n_mels, n_frames = dataset.features["spectrogram"].shape
    spectrogram = np.empty((len(dataset), n_mels, n_frames), dtype=np.float32)
    rows = dataset.with_format("arrow")
    for start in range(0, len(dataset), 256):  # in pieces, so that the buffers are not held twice
        chunked = rows[start : start + 256]["spectrogram"]
        for chunk in chunked.chunks:
            values = chunk.storage.flatten().flatten().to_numpy(zero_copy_only=True)
            spectrogram[start : start + len(chunk)] = values.reshape(len(chunk), n_mels, n_frames)
            start += len(chunk)
    others = dataset.select_columns(["emotion", "emotion_std", "fold", "song_id", "artist", "genre", "year"])
    columns = others.with_format("numpy")[:] if len(dataset) else {}
    return SongArrays(
        spectrogram=spectrogram,
        emotion=np.asarray(columns.get("emotion", np.empty((0, 2))), dtype=np.float32),
        emotion_std=np.asarray(columns.get("emotion_std", np.empty((0, 2))), dtype=np.float32),
        fold=np.asarray(columns.get("fold", []), dtype=np.int8),
        song_id=np.asarray(columns.get("song_id", []), dtype=np.int32),
        artist=[str(name) for name in columns.get("artist", [])],
        genre=[str(name) for name in columns.get("genre", [])],
        year=np.asarray(columns.get("year", []), dtype=np.int16),
    )
