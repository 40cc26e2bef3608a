"""Arms compared: against brute-force loops, and where the answer is known beforehand."""

import numpy as np
import pytest
from scipy import stats

from musemo_hf.evaluation.statistics.bootstrap import group_indices, multinomial_weights
from musemo_hf.evaluation.statistics.comparison import compare_arms, compare_with_best, holm, smallest_effect
from musemo_hf.evaluation.statistics.concordance import concordance_correlation

N, SEEDS = 120, 2


@pytest.fixture
def labels():
    return np.random.default_rng(0).uniform(-1, 1, (N, 2))


@pytest.fixture
def artists():
    return [f"artist {i // 3}" for i in range(N)]


def predict(labels, noise, seed):
    rng = np.random.default_rng(seed)
    return np.stack([0.7 * labels + noise * rng.standard_normal(labels.shape) for _ in range(SEEDS)])


def test_figures_are_means_over_seeds_and_predictions_are_never_averaged(labels, artists):
    predictions = {"real": predict(labels, 0.5, 1)}
    arms = compare_arms(predictions, labels, artists, n_resamples=50)
    expected = np.mean([concordance_correlation(one, labels) for one in predictions["real"]], axis=0)
    assert arms["real"]["ccc"]["valence"]["value"] == pytest.approx(expected[0])
    assert arms["real"]["ccc"]["arousal"]["value"] == pytest.approx(expected[1])
    assert arms["real"]["ccc"]["mean"]["value"] == pytest.approx(expected.mean())
    ensemble = np.mean(concordance_correlation(predictions["real"].mean(axis=0), labels))
    assert arms["real"]["ccc"]["mean"]["value"] < ensemble - 0.01


def test_the_deviation_is_over_seeds_and_one_seed_has_none(labels, artists):
    predictions = predict(labels, 0.5, 1)
    by_seed = [concordance_correlation(one, labels) for one in predictions]
    arms = compare_arms({"real": predictions, "once": predictions[:1]}, labels, artists, n_resamples=20)
    assert arms["real"]["ccc"]["valence"]["seed_deviation"] == pytest.approx(np.std(by_seed, axis=0, ddof=1)[0])
    assert arms["once"]["ccc"]["valence"]["seed_deviation"] is None


def test_intervals_equal_a_brute_force_bootstrap_over_artists(labels, artists):
    predictions = {"real": predict(labels, 0.5, 1), "synthetic": predict(labels, 0.4, 2)}
    arms = compare_arms(predictions, labels, artists, n_resamples=200, seed=3)
    members, n_groups = group_indices(N, artists)
    differences = []
    for weights in np.concatenate(list(multinomial_weights(n_groups, 200, 3))):
        rows = np.repeat(np.arange(N), weights[members].astype(int))
        ccc = {
            arm: np.mean([concordance_correlation(one[rows], labels[rows]) for one in values])
            for arm, values in predictions.items()
        }
        differences.append(ccc["synthetic"] - ccc["real"])
    delta = arms["synthetic"]["delta_real"]
    np.testing.assert_allclose(delta["interval"], np.quantile(differences, [0.025, 0.975]), atol=1e-9)
    assert delta["smallest_effect"] == pytest.approx(2.8016 * np.std(differences, ddof=1), rel=1e-3)


def test_a_better_arm_is_found_and_an_equal_one_is_not(labels, artists):
    predictions = {"real": predict(labels, 0.6, 1), "better": predict(labels, 0.2, 2), "equal": predict(labels, 0.6, 3)}
    arms = compare_arms(predictions, labels, artists, n_resamples=1000)
    assert arms["better"]["delta_real"]["interval"][0] > 0
    assert arms["better"]["delta_real"]["p_holm"] < 0.01
    low, high = arms["equal"]["delta_real"]["interval"]
    assert low < 0 < high
    assert arms["equal"]["delta_real"]["p_holm"] > 0.05
    assert "delta_real" not in arms["real"]


def test_the_best_alternative_is_chosen_again_in_each_draw(labels, artists):
    # two alternatives of one quality: the better of the two by luck is a harder rival than either by name
    predictions = {name: predict(labels, 0.5, seed) for seed, name in enumerate(("real", "specaugment", "synthetic"))}
    arms = compare_arms(predictions, labels, artists, alternatives=("real", "specaugment"), n_resamples=2000)
    synthetic = arms["synthetic"]
    assert synthetic["delta_best_alternative"]["interval"][1] <= synthetic["delta_real"]["interval"][1] + 1e-12
    best = max(("real", "specaugment"), key=lambda arm: arms[arm]["ccc"]["mean"]["value"])
    assert synthetic["delta_best_alternative"]["alternative"] == best


def test_whole_artists_are_drawn(labels):
    # ten copies of each song: as songs they look like ten times the evidence, as artists they are not
    repeated = np.repeat(labels[:12], 10, axis=0)
    predictions = {"real": np.repeat(predict(labels, 0.5, 1)[:, :12], 10, axis=1)}
    by_song = compare_arms(predictions, repeated, None, n_resamples=500)["real"]["ccc"]["mean"]["interval"]
    artists = np.repeat(np.arange(12), 10)
    by_artist = compare_arms(predictions, repeated, artists, n_resamples=500)["real"]["ccc"]["mean"]["interval"]
    assert by_artist[1] - by_artist[0] > 2 * (by_song[1] - by_song[0])


def test_holm_is_the_step_down_adjustment():
    deltas = [{"p_value": p} for p in (0.04, 0.01, 0.03, 0.005)]
    holm(deltas)
    assert [delta["p_holm"] for delta in deltas] == pytest.approx([0.06, 0.03, 0.06, 0.02])


def test_the_smallest_effect_is_found_with_power_0_8():
    effect = smallest_effect(standard_error=0.01)
    critical = stats.norm.isf(0.025) * 0.01
    assert stats.norm.sf(critical, loc=effect, scale=0.01) == pytest.approx(0.8, abs=1e-6)


def test_what_cannot_be_compared_is_refused(labels):
    with pytest.raises(ValueError, match="expected the arm 'real'"):
        compare_arms({"synthetic": predict(labels, 0.5, 1)}, labels, None)
    with pytest.raises(ValueError, match=r"expected \(seeds, 120, 2\) predictions of 'real', got \(120, 2\)"):
        compare_arms({"real": labels}, labels, None)
    with pytest.raises(ValueError, match="one group label"):
        compare_arms({"real": predict(labels, 0.5, 1)}, labels, ["a"] * 3)


def test_the_best_rival_is_chosen_in_each_dimension_and_draw(labels, artists):
    good_at_valence, good_at_arousal = predict(labels, 0.8, 1), predict(labels, 0.8, 2)
    good_at_valence[..., 0], good_at_arousal[..., 1] = labels[:, 0], labels[:, 1]
    predictions = {"real": predict(labels, 0.3, 3), "v": good_at_valence, "a": good_at_arousal}
    against = compare_with_best(predictions, labels, artists, "real", ["v", "a"], n_resamples=300)
    assert (against["valence"]["best"], against["arousal"]["best"]) == ("v", "a")
    alone = compare_with_best(predictions, labels, artists, "real", ["v"], n_resamples=300)
    assert against["mean"]["interval"][1] <= alone["mean"]["interval"][1]
    reference = compare_arms(predictions, labels, artists, reference="v", n_resamples=300)["real"]["delta_v"]
    assert alone["mean"]["interval"] == pytest.approx(reference["interval"])
    with pytest.raises(ValueError, match="of rivals"):
        compare_with_best(predictions, labels, artists, "real", ["svr"])


def test_what_is_no_number_is_named_by_its_arm(labels, artists):
    for predictions in (None, [[["loud", "soft"]] * N], [[[None, 0.1]] * N]):
        with pytest.raises(ValueError, match="expected numbers as predictions of 'real'"):
            compare_arms({"real": predictions}, labels, artists, n_resamples=5)
    with pytest.raises(ValueError, match="expected numbers as labels"):
        compare_arms({"real": predict(labels, 0.5, 1)}, "labels", artists, n_resamples=5)


def test_songs_of_one_artist_have_figures_and_no_interval(labels):
    arms = {"real": predict(labels, 0.5, 1), "noise": predict(labels, 0.9, 2)}
    compared = compare_arms(arms, labels, ["one artist"] * N, n_resamples=5)
    assert compared["real"]["ccc"]["mean"]["value"] > compared["noise"]["ccc"]["mean"]["value"] > 0
    assert np.isnan(compared["real"]["ccc"]["mean"]["interval"]).all()
    delta = compared["noise"]["delta_real"]
    assert delta["value"] < 0
    assert np.isnan([*delta["interval"], delta["p_value"], delta["p_holm"], delta["smallest_effect"]]).all()
