"""What the tests of scripts share."""

import numpy as np
import pytest

from musemo_hf.data.arrays import SongArrays


@pytest.fixture(scope="session")
def small_songs():
    """`small_songs(fold, n_frames)`: songs that are not procedural, two by each artist, whose level is the arousal."""

    def make(fold: np.ndarray, n_frames: int) -> SongArrays:
        n_songs, rng = len(fold), np.random.default_rng(0)
        emotion = rng.uniform(-1, 1, (n_songs, 2)).astype(np.float32)
        noise = rng.normal(-20, 10, (n_songs, 128, n_frames))
        return SongArrays(
            spectrogram=(20 * emotion[:, 1, None, None] + noise).astype(np.float32),
            emotion=emotion,
            emotion_std=np.zeros_like(emotion),
            fold=fold.astype(np.int8),
            song_id=np.arange(n_songs, dtype=np.int32),
            artist=[f"artist {i // 2}" for i in range(n_songs)],
            genre=[""] * n_songs,
            year=np.full(n_songs, 2014, dtype=np.int16),
        )

    return make
