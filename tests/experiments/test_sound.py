"""The examination of sound hears what it says it hears."""

import numpy as np
import pytest

from musemo_hf import MusemoFeatureExtractor, MusemoGanConfig, MusemoGanGenerator, MusemoPipeline
from musemo_hf.data.arrays import SongArrays
from musemo_hf.experiments.model_reports.sound import (
    TITLES,
    checkerboard,
    describe,
    examine_sound,
    songs_of,
    sound_picture,
    sound_table,
)

N_FRAMES = 96


@pytest.fixture(scope="module")
def music():
    """Bands that fall from low to high, and a beat every 16 frames."""
    rng = np.random.default_rng(0)
    clip = np.linspace(10, -40, 128)[:, None] + 3 * rng.standard_normal((128, N_FRAMES))
    clip[:, ::16] += 15
    return clip


def test_louder_brighter_and_repeated_are_told(music):
    plain, louder, brighter = describe(music), describe(music + 5), describe(music[::-1])
    repeated = describe(np.repeat(music[:, ::2], 2, axis=1))
    assert set(plain) == set(TITLES)
    assert louder["loudness"] == pytest.approx(plain["loudness"] + 5, abs=0.5)
    assert brighter["brightness"] > 2 * plain["brightness"]
    assert plain["repeated_columns"] == 0
    assert repeated["repeated_columns"] == pytest.approx(0.5, abs=0.02)
    assert repeated["lag_correlation"] > plain["lag_correlation"]
    assert plain["tempo"] == pytest.approx(60 * 43.07 / 16, rel=0.05)
    assert plain["onset_rate"] == pytest.approx(43.07 / 16, rel=0.25)
    assert 0 < plain["convergence"] < 1


@pytest.mark.parametrize("period", [2, 4])
def test_a_checkerboard_stands_out(period):
    noise = np.random.default_rng(0).standard_normal((128, N_FRAMES))
    rows, columns = np.indices(noise.shape)
    grid = 4.0 * ((rows % period < period / 2) ^ (columns % period < period / 2))
    assert checkerboard(noise) < 15
    assert checkerboard(noise + grid) > checkerboard(noise) + 10


def test_silence_is_described_too():
    assert describe(np.full((128, N_FRAMES), -60.0))["repeated_columns"] == 1


def test_songs_of_a_preset_lie_in_its_quadrant():
    emotion = np.array([[-0.5, -0.5], [0.5, 0.5], [0.1, 0.1], [0.5, -0.5]])
    assert songs_of((-0.8, -0.6), emotion).tolist() == [0]
    assert songs_of((0.8, 0.7), emotion).tolist() == [1, 2]
    assert songs_of((0.0, 0.0), emotion).tolist() == [2]


def test_the_five_presets_are_held_against_real_songs(music):
    rng = np.random.default_rng(1)
    n_songs = 24
    emotion = rng.uniform(-1, 1, (n_songs, 2)).astype(np.float32)
    songs = SongArrays(
        spectrogram=(music + rng.uniform(-5, 5, (n_songs, 1, 1))).astype(np.float32),
        emotion=emotion,
        emotion_std=np.zeros_like(emotion),
        fold=np.zeros(n_songs, dtype=np.int8),
        song_id=np.arange(n_songs, dtype=np.int32),
        artist=[""] * n_songs,
        genre=[""] * n_songs,
        year=np.full(n_songs, 2014, dtype=np.int16),
    )
    config = MusemoGanConfig(n_frames=N_FRAMES, generator_channels=8, group_norm_groups=1)
    pipeline = MusemoPipeline(MusemoGanGenerator(config), MusemoFeatureExtractor(n_frames=N_FRAMES))
    report = examine_sound(pipeline, songs, seeds=[0, 1], n_real=6)
    assert len(report) == 5
    for preset in report.values():
        assert preset["n_generated"] == 2
        for figure in preset["figures"].values():
            assert (figure["within"] is None) == (preset["n_real"] < 5)
    assert "repeated columns" in sound_table(report)
    assert len(sound_picture(pipeline, songs).axes) == 15
