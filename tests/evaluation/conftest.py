"""Clips with what music has and fitted noise lacks: a beat, sections, notes with an attack and a decay."""

import numpy as np
import pytest

N_MELS = 128


def _song(rng: np.random.Generator, n_frames: int) -> np.ndarray:
    bands, frames = np.arange(N_MELS), np.arange(n_frames)
    tilt = rng.uniform(-0.35, -0.15) * bands + 6 * np.sin(bands / rng.uniform(8, 25) + rng.uniform(0, 6))
    beat = rng.integers(9, 26)
    decay = np.exp(-(frames % beat) / rng.uniform(2, 8)) * rng.uniform(4, 14)
    section = 3 * np.sign(np.sin(2 * np.pi * frames / rng.uniform(150, 400) + rng.uniform(0, 6)))
    song = (
        tilt[:, None]
        + rng.normal(5, 6)
        + section
        + np.where(bands % rng.integers(2, 5) == 0, 1.0, 0.4)[:, None] * decay
    )
    for _ in range(n_frames // 12):
        start, band = rng.integers(0, n_frames), rng.integers(0, N_MELS - 4)
        tail = np.exp(-np.arange(n_frames - start) / rng.uniform(10, 60)) * rng.uniform(5, 25)
        song[band : band + 3, start:] += tail
    noise = rng.standard_normal((N_MELS, n_frames)) * 2
    noise[:, 1:] += 0.7 * noise[:, :-1]
    return (song + noise).astype(np.float32)


@pytest.fixture(scope="session")
def musical():
    """`musical(n, n_frames, seed)`: float32 `(n, 128, n_frames)` in dB."""

    def make(n: int, n_frames: int = 256, seed: int = 0) -> np.ndarray:
        return np.stack([_song(np.random.default_rng((seed, index)), n_frames) for index in range(n)])

    return make
