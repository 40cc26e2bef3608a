"""Baselines: what they learn, what they may not see, and that their values are chosen inside the training part."""

import dataclasses

import numpy as np
import pytest

from musemo_hf.evaluation.statistics.concordance import concordance_correlation
from musemo_hf.experiments.ablation.baselines.band_statistics import band_statistics
from musemo_hf.experiments.ablation.baselines.regressors import FAMILIES, ArtistLookup, Songs, fit_baseline
from musemo_hf.experiments.ablation.baselines.small_cnn import SmallCnnTrainer, fit_cnn

N = 60


@pytest.fixture(scope="module")
def songs() -> Songs:
    rng = np.random.default_rng(0)
    emotion = rng.uniform(-1, 1, (N, 2))
    mixing = rng.standard_normal((2, 12))
    features = emotion @ mixing + 0.3 * rng.standard_normal((N, 12))
    return Songs(features, emotion, [f"artist {i // 3}" for i in range(N)], [2014] * N)


TRAIN, TEST = np.arange(42), np.arange(42, N)


@pytest.mark.parametrize("name", sorted(FAMILIES))
def test_regressors_find_what_is_in_the_features(songs, name):
    fitted = fit_baseline(name, songs[TRAIN], songs[TEST])
    assert np.min(concordance_correlation(fitted.predictions, songs.emotion[TEST])) > 0.35
    assert fitted.inner.shape == (len(TRAIN), 2)
    assert all(chosen in FAMILIES[name].grid for chosen in fitted.selected)


@pytest.mark.parametrize("name", ["mean", "artist", *sorted(FAMILIES)])
def test_no_test_label_is_read(songs, name):
    test = songs[TEST]
    blind = dataclasses.replace(test, emotion=np.full_like(test.emotion, np.nan))
    first, other = (fit_baseline(name, songs[TRAIN], part) for part in (test, blind))
    np.testing.assert_array_equal(first.predictions, other.predictions)
    assert first.selected == other.selected


def test_the_artist_is_looked_up_and_an_unknown_one_gets_the_mean(songs):
    train = dataclasses.replace(songs[TRAIN], artist=["Known", "known", *["Other"] * 39, "Unknown"])
    test = dataclasses.replace(songs[TEST[:3]], artist=[" KNOWN", "never heard", "unknown"])
    predicted = ArtistLookup().fit(train).predict(test)
    np.testing.assert_allclose(predicted[0], train.emotion[:2].mean(axis=0))
    np.testing.assert_allclose(predicted[1:], np.tile(train.emotion.mean(axis=0), (2, 1)))


def test_rescaling_uses_the_training_songs_alone(songs):
    fitted = fit_baseline("ridge", songs[TRAIN], songs[TEST])
    labels = songs.emotion[TRAIN]
    spread = fitted.rescaled(labels).std(axis=0) / fitted.predictions.std(axis=0)
    np.testing.assert_allclose(spread, labels.std(axis=0) / fitted.inner.std(axis=0))


def test_an_unknown_baseline_is_refused(songs):
    with pytest.raises(ValueError, match="expected a baseline out of mean, artist, ridge"):
        fit_baseline("magic", songs[TRAIN], songs[TEST])


def test_band_statistics_are_those_of_a_loop():
    decibels = np.random.default_rng(0).normal(-20, 30, (70, 4, 20)).astype(np.float32)
    found = band_statistics(decibels)
    assert found.shape == (70, 24)
    one = np.clip(decibels[69, 2], -60, 40)
    expected = [one.mean(), one.std(), np.diff(one).std(), *np.percentile(one, [10, 50, 90])]
    np.testing.assert_allclose(found[69, 2::4], expected, rtol=1e-4)


def test_the_small_cnn_learns_and_repeats(clips, recogniser_training):
    training = recogniser_training(steps=60, batch_size=16)
    trainers = [SmallCnnTrainer(clips[:30], training) for _ in range(2)]
    first, again = (fit_cnn(trainer, clips.spectrogram[30:]) for trainer in trainers)
    np.testing.assert_array_equal(first.predictions, again.predictions)
    assert concordance_correlation(first.predictions, clips.emotion[30:].numpy())[1] > 0.5
