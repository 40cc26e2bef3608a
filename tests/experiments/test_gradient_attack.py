import numpy as np
import pytest

from musemo_hf.evaluation.spaces.feature_groups import grouped_features
from musemo_hf.experiments.metric_validation.gradient_attack import drawn_features, noise_by_gradient


@pytest.fixture(scope="module")
def songs():
    steps = np.random.default_rng(0).normal(0, 2, (12, 128, 260))
    return np.clip(steps.cumsum(axis=2) - 20, -60, 40).astype(np.float32)


def test_draws_have_the_references_mean_and_covariance():
    reference = np.random.default_rng(1).normal(3, 2, (50, 6))
    drawn = drawn_features(reference, 4000, seed=0)
    np.testing.assert_allclose(drawn.mean(axis=0), reference.mean(axis=0), atol=1e-9)
    np.testing.assert_allclose(np.cov(drawn.T), np.cov(reference.T), atol=0.4)


def test_the_search_comes_nearer_and_stays_in_range(songs):
    noise = np.random.default_rng(2).normal(-20, 12, (4, 128, 260)).astype(np.float32)
    reference, said = grouped_features(songs), []
    fitted = noise_by_gradient(noise, reference, n_steps=12, batch=3, say=said.append)
    assert fitted.shape == noise.shape
    assert fitted.min() >= -60
    assert fitted.max() <= 40
    assert len(said) == 2
    goal, scale = drawn_features(reference, 4, seed=0), reference.std(axis=0)
    before, after = (np.square((grouped_features(clips) - goal) / scale).mean() for clips in (noise, fitted))
    assert after < 0.8 * before
    np.testing.assert_array_equal(fitted, noise_by_gradient(noise, reference, n_steps=12, batch=3))
