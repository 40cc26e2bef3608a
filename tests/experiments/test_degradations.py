import numpy as np
import pytest

from musemo_hf.experiments.metric_validation.degradations import DEGRADATIONS, Songs

BY_NAME = {fault.name: fault for fault in DEGRADATIONS}


@pytest.fixture
def songs():
    rng = np.random.default_rng(0)
    made = [np.clip(rng.normal(0, 2, (10, 128, 120)).cumsum(axis=2) - 15, -60, 40) for _ in range(3)]
    return Songs(*(clips.astype(np.float32) for clips in made))


def worse(songs, name, level):
    return BY_NAME[name].apply(songs, level, np.random.default_rng(1))


@pytest.mark.parametrize("fault", DEGRADATIONS, ids=lambda fault: fault.name)
def test_every_step_is_a_set_of_clips_and_leaves_the_songs_alone(songs, fault):
    before = songs.clips.copy()
    assert list(fault.levels) == sorted(fault.levels)
    changes = []
    for level in fault.levels:
        result = fault.apply(songs, level, np.random.default_rng(1))
        assert result.shape == songs.clips.shape
        assert np.isfinite(result).all()
        changes.append(np.abs(result - before).mean())
    np.testing.assert_array_equal(songs.clips, before)
    assert changes[0] > 0 or fault.name == "low-pass"
    assert changes[-1] > 0


def test_shuffles_lose_nothing(songs):
    for name in ("time shuffle", "block shuffle", "played backwards"):
        for level in BY_NAME[name].levels:
            result = worse(songs, name, level)
            np.testing.assert_array_equal(np.sort(result, axis=2), np.sort(songs.clips, axis=2))
    bands = worse(songs, "band shuffle", 100)
    np.testing.assert_array_equal(np.sort(bands, axis=1), np.sort(songs.clips, axis=1))
    moved = (worse(songs, "time shuffle", 30) != songs.clips).any(axis=1).mean()
    assert 0.2 < moved <= 0.3


def test_what_each_does(songs):
    np.testing.assert_allclose(worse(songs, "gain", 6), songs.clips + 6, rtol=1e-6)
    np.testing.assert_allclose(worse(songs, "pitch shift", 3)[:, 3:], songs.clips[:, :-3], atol=1e-4)
    np.testing.assert_allclose(worse(songs, "slower", 2)[:, :, ::2], songs.clips[:, :, :60], atol=1e-4)
    assert (worse(songs, "low-pass", 48)[:, 80:] == -60).all()
    mixed = 10 ** (worse(songs, "two songs mixed", 10) / 10)
    np.testing.assert_allclose(mixed, 0.9 * 10 ** (songs.clips / 10) + 0.1 * 10 ** (songs.others / 10), rtol=1e-3)
    copied = worse(songs, "copies", 50)
    np.testing.assert_array_equal(copied[:5], songs.training[:5])
    np.testing.assert_array_equal(copied[5:], songs.clips[5:])
    kept = {clip.tobytes() for clip in worse(songs, "modes dropped", 80)}
    loudest = sorted(songs.clips, key=lambda clip: clip.mean())[-2:]
    assert kept <= {clip.tobytes() for clip in loudest}
