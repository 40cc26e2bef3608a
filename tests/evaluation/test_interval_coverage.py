"""Intervals of predictions whose errors are known: what they hold, how wide they are, and what it helps."""

import numpy as np
import pytest
from scipy import stats

from musemo_hf.evaluation.statistics.interval_coverage import coverage_report, interval_scores

N = 3000


@pytest.fixture(scope="module")
def known():
    """Labels, predictions, and the true deviations of their errors: valence's differ tenfold, arousal's are one."""
    rng = np.random.default_rng(0)
    deviation = np.column_stack([rng.uniform(0.05, 0.5, N), np.full(N, 0.2)])
    labels = rng.uniform(-0.5, 0.5, (N, 2))
    return labels + deviation * rng.standard_normal((N, 2)), labels, deviation


def report(known, factor=1.0, **changes):
    predicted, labels, deviation = known
    constant = np.sqrt(np.mean((predicted - labels) ** 2, axis=0))
    return coverage_report(predicted, labels, factor * deviation, constant, **({"n_resamples": 500} | changes))


def test_true_deviations_cover_as_promised_and_help_only_where_they_differ(known):
    found = report(known)
    for level in (0.8, 0.95):
        share = found["own"]["coverage"][f"{level:g}"]
        # four standard errors of a share of 3,000
        assert share["value"] == pytest.approx([level, level], abs=4 * np.sqrt(level * (1 - level) / N))
        for value, (low, high) in zip(share["value"], share["interval"], strict=True):
            assert low < value < high
            assert high - low == pytest.approx(2 * 1.96 * np.sqrt(level * (1 - level) / N), rel=0.2)
    assert found["own"]["width"]["0.95"] == pytest.approx((2 * 1.95996 * known[2].mean(axis=0)).tolist(), rel=1e-4)
    (valence, arousal), gain = found["nll_gain"]["interval"], found["nll_gain"]["value"]
    assert valence[0] > 0.1
    assert arousal[0] < 0.01
    assert gain == pytest.approx(np.subtract(found["constant"]["nll"], found["own"]["nll"]).tolist())
    assert found["n"] == found["n_groups"] == N


def test_deviations_without_their_factor_are_found_out(known):
    half, double = report(known, 0.5), report(known, 2.0)
    assert max(half["own"]["coverage"]["0.95"]["value"]) < 0.75
    assert min(double["own"]["coverage"]["0.8"]["value"]) > 0.97
    for wrong in (half, double):
        assert max(wrong["nll_gain"]["interval"][1]) < 0
        assert min(wrong["own"]["nll"]) > min(report(known)["own"]["nll"])


def test_the_likelihood_is_scipys(known):
    predicted, labels, deviation = known
    scores = interval_scores(labels - predicted, deviation, [0.5])
    np.testing.assert_allclose(scores["nll"], -stats.norm.logpdf(labels, predicted, deviation))
    assert set(scores) == {"nll", "inside 0.5", "width 0.5"}


def test_groups_widen_the_interval_of_a_share(known):
    predicted, labels, deviation = (np.repeat(side[:300], 10, axis=0) for side in known)
    groups = np.repeat(np.arange(300), 10)
    together, apart = (
        report((predicted, labels, deviation), groups=side)["own"]["coverage"]["0.8"]["interval"][0]
        for side in (groups, None)
    )
    assert np.ptp(together) > 2 * np.ptp(apart)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"factor": -1.0}, "positive deviations"),
        ({"factor": np.nan}, "positive deviations"),
        ({"groups": ["a"]}, f"for each of {N} items, got 1"),
        ({"confidence": 1.0}, r"confidence in \(0, 1\)"),
    ],
)
def test_refuses(known, changes, message):
    with pytest.raises(ValueError, match=message):
        report(known, **changes)
