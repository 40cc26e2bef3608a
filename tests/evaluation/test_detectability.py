import numpy as np
import pytest

from musemo_hf.evaluation.external.detectability import MIN_CLIPS, _areas, _folds, _wins, detectability


@pytest.fixture(scope="module")
def artists():
    """`artists(n, seed)`: songs of n artists, three each, in 30 dimensions, and their artists."""

    def make(n_artists, seed, shift=0.0):
        rng = np.random.default_rng(seed)
        means = np.repeat(2 * rng.normal(size=(n_artists, 30)), 3, axis=0)
        return means + rng.normal(size=(3 * n_artists, 30)) + shift, [f"{seed} {i // 3}" for i in range(3 * n_artists)]

    return make


def test_what_is_alike_is_not_told_apart_and_what_is_not_is(artists):
    (real, names), (other, other_names), (far, far_names) = artists(60, 0), artists(60, 1), artists(60, 2, 1.5)
    alike = detectability(real, other, names, other_names)
    assert alike.auc == pytest.approx(0.5, abs=0.1)
    assert alike.low < 0.5 < alike.high
    assert (alike.n_real, alike.n_generated, alike.reason) == (180, 180, None)
    found = detectability(real, far, names, far_names)
    assert found.low > 0.9
    assert found.low <= found.auc <= found.high <= 1
    assert detectability(real, other, names, other_names) == alike  # a function of its seed


def test_an_artist_on_both_sides_of_a_split_would_give_it_away(artists):
    """The clips of each artist are alike, so that a classifier that knew some of them would recognise the others."""
    real, names = artists(40, 0)
    made, made_names = artists(40, 1)
    divided = detectability(real, made)  # each song its own group
    whole = detectability(real, made, names, made_names)
    assert divided.auc > 0.7
    assert whole.auc < divided.auc - 0.15
    assert whole.high - whole.low > 1.3 * (divided.high - divided.low)


def test_folds_divide_no_group_and_are_of_equal_size():
    members = np.random.default_rng(0).integers(0, 40, 300)
    folds = _folds(members, 40, seed=0)
    assert all(len(set(folds[members == group])) <= 1 for group in range(40))
    assert np.ptp(np.bincount(folds)) <= 8


def test_the_area_is_that_of_pairs_within_a_fold():
    from sklearn.metrics import roc_auc_score

    rng = np.random.default_rng(0)
    sides, folds = np.arange(90) >= 50, rng.integers(0, 5, 90)
    scores = rng.normal(size=90).round(1) + sides  # rounded: there are ties
    wins = _wins(scores, sides, folds)
    pairs = [sum(sides[folds == f]) * sum(~sides[folds == f]) for f in range(5)]
    areas = [roc_auc_score(sides[folds == f], scores[folds == f]) for f in range(5)]
    assert _areas(wins, np.ones((1, 90)), sides)[0] == pytest.approx(np.average(areas, weights=pairs))
    twice = rng.integers(0, 3, 90)
    repeated = [np.repeat(values, twice) for values in (scores, sides, folds)]
    expected = _areas(_wins(*repeated), np.ones((1, twice.sum())), repeated[1])[0]
    assert _areas(wins, twice[None].astype(float), sides)[0] == pytest.approx(expected)


def test_nan_with_a_reason(artists):
    real, names = artists(20, 0)
    few = detectability(real, real[: MIN_CLIPS - 1])
    assert np.isnan([few.auc, few.low, few.high]).all()
    assert f"at least {MIN_CLIPS} real and generated clips to tell apart, got {MIN_CLIPS - 1}" in few.reason
    one = detectability(real, real, names, ["one artist"] * 60)
    assert np.isnan(one.auc)
    assert "in each of 5 folds" in one.reason


def test_errors(artists):
    real, names = artists(20, 0)
    with pytest.raises(ValueError, match=r"generated features \(N, 30\), got \(60, 29\)"):
        detectability(real, real[:, 1:])
    with pytest.raises(ValueError, match="finite real features"):
        detectability(real * np.inf, real)
    with pytest.raises(ValueError, match="one group label for each of 60 generated clips, got 59"):
        detectability(real, real, names, names[1:])
    with pytest.raises(ValueError, match="n_resamples"):
        detectability(real, real, n_resamples=0)
