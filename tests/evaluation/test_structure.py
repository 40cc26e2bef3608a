import numpy as np
import pytest

from musemo_hf.evaluation.external.structure import FEATURES, _durations, structure_features
from musemo_hf.evaluation.external.structure_distances import MIN_CLIPS, structure_distances

RATE, SECONDS = 22050, 8
TIME = np.arange(RATE * SECONDS) / RATE


def feature(samples, name):
    return structure_features(samples, RATE)[FEATURES.index(name)]


def tones(duration):
    """Tones of the given duration in seconds, one after another, at the pitches of C major."""
    pitches = 261.63 * 2 ** (np.array([0, 4, 7, 12, 5, 9, 2, 11]) / 12)
    index = (TIME / duration).astype(int)
    envelope = np.minimum(np.minimum((TIME % duration) / 0.01, (duration - TIME % duration) / 0.01), 1)
    phase = 2 * np.pi * np.cumsum(pitches[index % 8]) / RATE
    return 0.2 * envelope * sum(np.sin(k * phase) / k for k in range(1, 6)) + 1e-4 * noise(3)


def noise(seed, level=1.0):
    return level * np.random.default_rng(seed).standard_normal(len(TIME))


def clicks(times, seed=0):
    """Short bursts of noise at the given times in seconds, over quiet noise."""
    samples = noise(seed, 0.003)
    for start in times:
        burst = noise(seed + 1)[:2000] * np.exp(-np.arange(2000) / 400)
        first = int(start * RATE)
        samples[first : first + 2000] += burst[: len(samples) - first]
    return samples


def test_longer_tones_have_longer_partials():
    short, long, hiss = (feature(samples, "partial_length") for samples in (tones(0.2), tones(0.8), noise(0, 0.1)))
    assert hiss < short < long
    assert np.exp(long) == pytest.approx(0.8, rel=0.3)
    assert feature(tones(0.8), "partial_count") > feature(noise(0, 0.1), "partial_count") + 1


def test_clicks_are_sharper_than_noise_and_regular_ones_are_a_beat():
    even = clicks(np.arange(0.5, SECONDS - 0.5, 0.5))
    uneven = clicks(np.sort(np.random.default_rng(2).uniform(0.5, SECONDS - 0.5, 14)))
    assert feature(even, "onset_sharpness") > 2 * feature(noise(0, 0.1), "onset_sharpness")
    assert feature(even, "beat_strength") > 2 * feature(uneven, "beat_strength")


def test_a_key_is_clearer_than_noise():
    assert feature(tones(0.5), "tonal_clarity") > feature(noise(0, 0.1), "tonal_clarity") + 0.1


def test_what_returns_is_similar_to_itself():
    part = np.concatenate([noise(seed)[: RATE // 2] * (1 + seed) for seed in range(4)])
    part = np.convolve(part, np.hanning(9) / 4, mode="same") + part * np.linspace(0, 1, len(part))
    returning = np.tile(part, 4)
    assert feature(returning, "self_similarity") > feature(noise(5), "self_similarity") + 0.1


def test_silence_and_bad_sound():
    np.testing.assert_array_equal(structure_features(np.zeros(6 * RATE), RATE), 0)
    assert np.isfinite(structure_features(np.full(6 * RATE, 0.5), RATE)).all()
    with pytest.raises(ValueError, match="at least 5 s of mono samples at 22050 Hz"):
        structure_features(np.zeros(RATE), RATE)
    with pytest.raises(ValueError, match="finite samples"):
        structure_features(np.full(6 * RATE, np.nan), RATE)


def test_a_track_goes_on_in_a_neighbouring_band():
    peaks = np.zeros((6, 8), dtype=bool)
    peaks[[1, 2, 2, 3], [0, 1, 2, 3]] = True  # one track of four frames
    peaks[5, [5, 6]] = True  # one of two, still sounding before the end
    peaks[0, 7] = True
    assert sorted(_durations(peaks)) == [1, 2, 4]
    assert len(_durations(np.zeros((6, 8), dtype=bool))) == 0


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(0)
    reference, held_out, candidate = rng.normal(size=(3, 240, len(FEATURES)))
    candidate[:, 0] += 1
    candidate[:, 1] *= 0.1  # the same mean: only the distribution tells
    return reference, candidate, held_out


def test_distributions_are_compared_and_not_means(rows):
    found = structure_distances(*rows, n_resamples=100)
    assert found[FEATURES[0]].distance == pytest.approx(1, abs=0.3)
    assert found[FEATURES[1]].distance > 0.5
    assert [name for name in FEATURES if found[name].separates] == list(FEATURES[:2])
    same = found[FEATURES[2]]
    assert same.real == pytest.approx(found[FEATURES[0]].real, abs=0.2)
    assert 0 < same.real_low <= same.real_high
    assert structure_distances(*rows, n_resamples=100) == found


def test_artists_are_drawn_whole(rows):
    reference, candidate, held_out = rows
    alike = np.repeat(held_out[::10], 10, axis=0)
    names = [str(index // 10) for index in range(240)]
    songs = structure_distances(reference, candidate, alike, n_resamples=100)[FEATURES[2]]
    artists = structure_distances(reference, candidate, alike, None, names, n_resamples=100)[FEATURES[2]]
    assert artists.real == songs.real
    assert artists.real_high - artists.real_low > 1.3 * (songs.real_high - songs.real_low)


def test_reasons_and_errors(rows):
    reference, candidate, held_out = rows
    few = structure_distances(reference, candidate[: MIN_CLIPS - 1], held_out)[FEATURES[0]]
    assert np.isnan(few.distance)
    assert f"at least {MIN_CLIPS} clips" in few.reason
    constant = structure_distances(np.ones_like(reference), candidate, held_out, n_resamples=5)[FEATURES[0]]
    assert "constant in the real songs" in constant.reason
    assert not constant.separates
    with pytest.raises(ValueError, match=r"\(N, 6\) of candidate, got \(240, 5\)"):
        structure_distances(reference, candidate[:, 1:], held_out)
    with pytest.raises(ValueError, match="finite structural features of held_out"):
        structure_distances(reference, candidate, held_out * np.nan)
    with pytest.raises(ValueError, match="one group label for each of 240 clips of held_out"):
        structure_distances(reference, candidate, held_out, held_out_groups=["a"] * 300)
