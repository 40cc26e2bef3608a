import numpy as np
import pytest
from scipy import stats

from musemo_hf.evaluation.distances.frechet import frechet_distance, mean_and_covariance
from musemo_hf.evaluation.score.intervals import (
    frechet_interval,
    mean_interval,
    normal_interval,
    recentred,
    score_intervals,
)
from musemo_hf.evaluation.score.moments import SetMoments, clip_row


def _rows(clips):
    return np.stack([clip_row(clip) for clip in clips])


def test_score_intervals_hold_the_figures_of_other_draws(musical):
    """The 90 % interval of one candidate set holds the smoothness of most others of its size."""
    references = _rows(musical(40))
    low, high = score_intervals(references, _rows(musical(40, seed=1)), 0.9, n_resamples=80)["smoothness"]
    others = [SetMoments.of(_rows(musical(40, seed=seed))).smoothness for seed in range(2, 12)]
    assert sum(low - 0.01 <= value <= high + 0.01 for value in others) >= 7


def test_identical_sets_stay_at_100(musical):
    rows = _rows(musical(30))
    intervals = score_intervals(rows, rows, 0.95, n_resamples=40)
    assert intervals["quality_score"][1] <= 100
    assert all(0 <= low <= high <= 100 for name, (low, high) in intervals.items() if name.endswith("e_score"))


def test_frechet_interval_is_not_moved_by_the_bias_of_resampling():
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((2, 60, 30))
    value = frechet_distance(*mean_and_covariance(x), *mean_and_covariance(y))
    low, high = frechet_interval(x, y, 0.95, n_resamples=200)
    assert low < value < high
    assert frechet_interval(x, x, 0.95, n_resamples=50)[0] == 0  # draws of no distance, shifted below 0
    assert 0 < low < 20


def test_simple_intervals_are_the_textbooks():
    assert normal_interval(1.0, 0.1, 0.95) == pytest.approx([0.804, 1.196], abs=1e-3)
    values = np.random.default_rng(0).standard_normal(400)
    expected = stats.norm.interval(0.95, values.mean(), values.std() / 20)
    assert mean_interval(values, 0.95, n_resamples=2000) == pytest.approx(expected, abs=0.02)
    assert recentred(np.array([1.0, 2.0, 3.0, np.nan]), 10.0, 0.5) == pytest.approx([9.5, 10.5])
    assert np.isnan(recentred(np.array([np.nan]), 1.0, 0.9)).all()
