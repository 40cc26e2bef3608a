"""A corpus of random arrays for the ablation."""

import numpy as np
import pytest

from musemo_hf.data.arrays import SongArrays

N_SONGS, N_FRAMES = 24, 256


@pytest.fixture
def songs() -> SongArrays:
    rng = np.random.default_rng(0)
    emotion = rng.uniform(-1, 1, (N_SONGS, 2)).astype(np.float32)
    level = 20 * emotion[:, 1, None, None]
    spectrogram = (level - 20 + 10 * rng.standard_normal((N_SONGS, 128, N_FRAMES))).astype(np.float32)
    return SongArrays(
        spectrogram=spectrogram,
        emotion=emotion,
        emotion_std=np.full((N_SONGS, 2), 0.2, dtype=np.float32),
        fold=np.zeros(N_SONGS, dtype=np.int8),
        song_id=np.arange(N_SONGS, dtype=np.int32),
        artist=[f"artist {i // 2}" for i in range(N_SONGS)],
        genre=["rock"] * N_SONGS,
        year=np.full(N_SONGS, 2014, dtype=np.int16),
    )
