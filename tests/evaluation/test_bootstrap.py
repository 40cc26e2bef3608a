import numpy as np
import pytest
from scipy import stats

from musemo_hf.evaluation.statistics.bootstrap import interval, multinomial_weights, resampled_sums


def test_interval_of_a_mean_is_scipys():
    x = np.random.default_rng(0).exponential(size=60)
    low, high = interval(resampled_sums(x, None, 4000, seed=3) / 60)
    expected = stats.bootstrap((x,), np.mean, n_resamples=4000, method="percentile", rng=1).confidence_interval
    assert (low, high) == pytest.approx((expected.low, expected.high), abs=0.02)


def test_weights_are_counts_and_do_not_depend_on_the_chunk():
    drawn = np.concatenate(list(multinomial_weights(7, 40, seed=1, chunk=40)))
    assert (drawn.sum(axis=1) == 7).all()
    assert (drawn == drawn.astype(int)).all()
    assert (np.concatenate(list(multinomial_weights(7, 40, seed=1, chunk=9))) == drawn).all()
    assert (np.concatenate(list(multinomial_weights(7, 40, seed=2))) != drawn).any()


def test_every_group_is_drawn_as_often():
    drawn = np.concatenate(list(multinomial_weights(5, 4000)))
    np.testing.assert_allclose(drawn.mean(axis=0), 1, atol=0.06)
    np.testing.assert_allclose(drawn.var(axis=0), 0.8, atol=0.1)  # of a multinomial, 1 - 1 / 5


def test_groups_are_drawn_whole():
    groups = ["a", "a", "b", "b", "b", "c"]
    seen = resampled_sums(np.eye(6), groups, 50, seed=0)
    assert (seen[:, 0] == seen[:, 1]).all()
    assert (seen[:, 2] == seen[:, 3]).all()
    assert (seen[:, 3] == seen[:, 4]).all()
    assert (seen[:, [0, 2, 5]].sum(axis=1) == 3).all()
    with pytest.raises(ValueError, match="one group label for each of 6 items, got 5"):
        resampled_sums(np.eye(6), groups[:5], 50, seed=0)


def test_sums_are_those_of_a_loop():
    values, groups = np.random.default_rng(1).normal(size=(9, 2, 3)), np.array(list("abcabcaab"))
    found = resampled_sums(values, groups, 20, seed=4)
    for drawn, counts in zip(found, np.concatenate(list(multinomial_weights(3, 20, seed=4))), strict=True):
        expected = sum(count * values[groups == name].sum(axis=0) for count, name in zip(counts, "abc", strict=True))
        np.testing.assert_allclose(drawn, expected)


def test_an_array_statistic_keeps_its_shape_and_undefined_draws_are_left_out():
    draws = np.random.default_rng(0).normal(size=(500, 2, 3))
    draws[::2, 0, 0] = np.nan
    draws[:, 1, 1] = np.nan
    low, high = interval(draws)
    assert low.shape == (2, 3)
    assert np.isnan(low[1, 1])
    assert np.isnan(high[1, 1])
    assert low[0, 0] == pytest.approx(np.quantile(draws[1::2, 0, 0], 0.025))
    assert high[0, 1] == pytest.approx(np.quantile(draws[:, 0, 1], 0.975))


@pytest.mark.parametrize("confidence", [0.0, 1.0, 95])
def test_bad_confidences_are_named(confidence):
    with pytest.raises(ValueError, match="confidence in"):
        interval(np.zeros(5), confidence)
