import numpy as np
import pytest
from scipy import stats

from musemo_hf.evaluation.statistics.bootstrap import bootstrap_interval, interval, multinomial_weights


def test_interval_of_a_mean_is_scipys():
    x = np.random.default_rng(0).exponential(size=60)
    low, high = bootstrap_interval(lambda w: w @ x / w.sum(), 60, n_resamples=4000, seed=3)
    expected = stats.bootstrap((x,), np.mean, n_resamples=4000, method="percentile", rng=1).confidence_interval
    assert (low, high) == pytest.approx((expected.low, expected.high), abs=0.02)


def test_weights_are_counts_and_do_not_depend_on_the_chunk():
    drawn = np.concatenate(list(multinomial_weights(7, 40, seed=1, chunk=40)))
    assert (drawn.sum(axis=1) == 7).all()
    assert (drawn == drawn.astype(int)).all()
    assert (np.concatenate(list(multinomial_weights(7, 40, seed=1, chunk=9))) == drawn).all()
    assert (np.concatenate(list(multinomial_weights(7, 40, seed=2))) != drawn).any()


def test_groups_are_drawn_whole():
    groups = ["a", "a", "b", "b", "b", "c"]
    seen = []
    bootstrap_interval(lambda w: seen.append(w) or 0.0, 6, groups=groups, n_resamples=50)
    seen = np.array(seen)
    assert (seen[:, 0] == seen[:, 1]).all()
    assert (seen[:, 2] == seen[:, 3]).all()
    assert (seen[:, 3] == seen[:, 4]).all()
    assert (seen[:, [0, 2, 5]].sum(axis=1) == 3).all()


def test_an_array_statistic_keeps_its_shape_and_undefined_draws_are_left_out():
    draws = np.random.default_rng(0).normal(size=(500, 2, 3))
    draws[::2, 0, 0] = np.nan
    draws[:, 1, 1] = np.nan
    low, high = interval(draws)
    assert low.shape == (2, 3)
    assert np.isnan(low[1, 1])
    assert np.isfinite(low[0, 0])
    assert (low < high)[np.isfinite(low)].all()


@pytest.mark.parametrize(("n", "confidence", "message"), [(0, 0.95, "at least one item"), (5, 1.0, "confidence")])
def test_bad_requests_are_named(n, confidence, message):
    with pytest.raises(ValueError, match=message):
        bootstrap_interval(lambda w: w.sum(), n, confidence=confidence, n_resamples=5)
