import numpy as np
import pytest

from musemo_hf.evaluation.surrogates.reference_statistics import ReferenceStatistics
from musemo_hf.experiments.metric_validation.attacks import HYBRIDS, NOISE_ATTACKS, STRIPPED, Attacks, attack_clips


@pytest.fixture(scope="module")
def songs():
    steps = np.random.default_rng(0).normal(0, 2, (2, 12, 128, 260))
    return np.clip(steps.cumsum(axis=3) - 20, -60, 40).astype(np.float32)


@pytest.fixture(scope="module")
def attacks(songs):
    statistics = ReferenceStatistics.empty(128, 260)
    statistics.update(songs.reshape(24, 128, 260))
    return Attacks(statistics)


@pytest.mark.parametrize("name", [*NOISE_ATTACKS, *STRIPPED, *HYBRIDS])
def test_clips_and_seeds(songs, attacks, name):
    clips = attack_clips(name, attacks, *songs, seed=1)
    assert clips.shape == songs[0].shape
    assert clips.dtype == np.float32
    assert np.isfinite(clips).all()
    np.testing.assert_array_equal(clips[:3], attack_clips(name, attacks, songs[0, :3], songs[1, :3], seed=1))
    changed = not np.array_equal(clips, attack_clips(name, attacks, *songs, seed=2))
    assert changed == (name not in ("patchwork", "borrowed phases"))


def test_random_phases_keep_spectra_and_cross_spectra(songs, attacks):
    song, stripped = songs[0, 0].astype(float), attack_clips("random phases", attacks, *songs)[0].astype(float)
    real, fake = np.fft.rfft(song), np.fft.rfft(stripped)
    # the last bin of an even length is real, and has no phase to draw
    np.testing.assert_allclose(np.abs(fake)[:, :-1], np.abs(real)[:, :-1], atol=0.05)
    np.testing.assert_allclose((fake[3] * fake[70].conj())[1:-1], (real[3] * real[70].conj())[1:-1], rtol=0.05, atol=20)


def test_same_levels_are_the_same(songs, attacks):
    clips = attack_clips("random phases same levels", attacks, *songs)
    np.testing.assert_array_equal(np.sort(clips, axis=2), np.sort(songs[0], axis=2))


def test_grains_and_patches_are_real(songs, attacks):
    frames = {frame.tobytes() for frame in songs[0, 0].T}
    assert {frame.tobytes() for frame in attack_clips("grains", attacks, *songs)[0].T} <= frames
    patches = attack_clips("patchwork", attacks, *songs)[0]
    own = (patches == songs[0, 0]).all(axis=0)
    assert (own | (patches == songs[1, 0]).all(axis=0)).all()
    assert 0.3 < own.mean() < 0.7
