import numpy as np
import pytest
from scipy.linalg import sqrtm

from musemo_hf.evaluation.distances.frechet import (
    extrapolated_frechet,
    features_frechet,
    frechet_distance,
    frechet_score,
    mean_and_covariance,
)


def _gaussian(rng, dimension, samples):
    mixing = rng.standard_normal((dimension, dimension)) * np.geomspace(1, 1e-3, dimension)
    return rng.standard_normal((samples, dimension)) @ mixing + rng.standard_normal(dimension)


def _by_sqrtm(mean_x, cov_x, mean_y, cov_y):
    root = sqrtm(cov_x @ cov_y)
    return np.square(mean_x - mean_y).sum() + np.trace(cov_x + cov_y - 2 * root.real)


@pytest.mark.parametrize("dimension", [2, 64, 128])
def test_equals_the_square_root_of_scipy(dimension):
    rng = np.random.default_rng(dimension)
    x, y = (mean_and_covariance(_gaussian(rng, dimension, 4 * dimension)) for _ in range(2))
    assert frechet_distance(*x, *y) == pytest.approx(_by_sqrtm(*x, *y), rel=1e-9)


def test_diagonal_covariances_have_a_closed_form():
    a, b = np.array([1.0, 4.0, 9.0]), np.array([4.0, 4.0, 1.0])
    expected = 3 + np.square(np.sqrt(a) - np.sqrt(b)).sum()
    assert frechet_distance(np.zeros(3), np.diag(a), np.ones(3), np.diag(b)) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("samples", [2, 5, 20, 200])
def test_a_set_is_at_no_distance_from_itself_whatever_its_rank(samples):
    features = _gaussian(np.random.default_rng(0), 64, samples)
    mean, covariance = mean_and_covariance(features)
    assert frechet_distance(mean, covariance, mean, covariance) <= 1e-10 * np.trace(covariance)


def test_fewer_samples_than_dimensions_agrees_with_the_subspace_that_they_span():
    rng = np.random.default_rng(3)
    basis = np.linalg.qr(rng.standard_normal((64, 12)))[0]
    x, y = (rng.standard_normal((10, 12)) for _ in range(2))
    expected = frechet_distance(*mean_and_covariance(x), *mean_and_covariance(y))
    inside = frechet_distance(*mean_and_covariance(x @ basis.T), *mean_and_covariance(y @ basis.T))
    assert inside == pytest.approx(expected, rel=1e-9)


def test_weights_are_repetitions():
    rng = np.random.default_rng(4)
    features, counts = rng.standard_normal((20, 6)), rng.integers(0, 4, 20)
    weighted, repeated = mean_and_covariance(features, counts), np.repeat(features, counts, axis=0)
    assert np.allclose(weighted[0], repeated.mean(axis=0))
    assert np.allclose(weighted[1], np.cov(repeated, rowvar=False))


def test_extrapolation_takes_the_bias_away():
    """Two samples of one Gaussian in 128 dimensions are far apart at N = 174, and at no distance at infinite N."""
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((2, 1000, 128))
    at_174 = frechet_distance(*mean_and_covariance(x[:174]), *mean_and_covariance(y[:174]))
    assert at_174 > 25
    result = extrapolated_frechet(x, y)
    assert abs(result.distance) < 0.5
    assert result.n_clips == 1000
    assert features_frechet(x, y) > 2
    shifted = extrapolated_frechet(x, y + 0.5)
    assert shifted.distance == pytest.approx(0.25 * 128, rel=0.05)


def test_score_is_bounded_and_scale_free():
    covariance = np.diag([2.0, 3.0])
    assert frechet_score(0, covariance) == 100
    assert frechet_score(2.5, covariance) == 50
    assert frechet_score(1e9, covariance) == 0
    assert np.isnan(frechet_score(1, np.zeros((2, 2))))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((np.zeros(2), np.eye(3), np.zeros(3), np.eye(3)), r"covariance \(D, D\) of x"),
        ((np.zeros(2), np.eye(2), np.zeros(3), np.eye(3)), "same dimension"),
        ((np.zeros(2), np.eye(2) * np.nan, np.zeros(2), np.eye(2)), "finite"),
    ],
)
def test_bad_inputs_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        frechet_distance(*arguments)


def test_too_few_rows_are_named():
    with pytest.raises(ValueError, match="at least two rows"):
        mean_and_covariance(np.zeros((1, 4)))
    with pytest.raises(ValueError, match="at least 10 rows on each side"):
        extrapolated_frechet(np.zeros((9, 4)), np.zeros((50, 4)))
