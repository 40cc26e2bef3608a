import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats
from sklearn.metrics import mean_squared_error, r2_score

from musemo_hf.evaluation.statistics.concordance import concordance_correlation, concordance_report


def _emotions(n, seed=0):
    rng = np.random.default_rng(seed)
    references = rng.uniform(-1, 1, (n, 2))
    return 0.6 * references + 0.1 + 0.3 * rng.standard_normal((n, 2)), references


def _lin(p, r):
    """Lin's definition, written out with Python floats."""
    n = len(p)
    mp, mr = sum(p) / n, sum(r) / n
    vp, vr = sum((x - mp) ** 2 for x in p) / n, sum((y - mr) ** 2 for y in r) / n
    cov = sum((x - mp) * (y - mr) for x, y in zip(p, r, strict=True)) / n
    return 2 * cov / (vp + vr + (mp - mr) ** 2)


def test_equals_lins_definition_in_each_dimension():
    predictions, references = _emotions(200)
    ccc = concordance_correlation(predictions, references)
    assert ccc.shape == (2,)
    for dimension in range(2):
        expected = _lin(predictions[:, dimension].tolist(), references[:, dimension].tolist())
        assert ccc[dimension] == pytest.approx(expected, abs=1e-12)
        assert concordance_correlation(predictions[:, dimension], references[:, dimension]) == pytest.approx(expected)


def test_parts_equal_scipy_and_sklearn():
    predictions, references = _emotions(150)
    report = concordance_report(predictions, references)
    for dimension in range(2):
        p, r = predictions[:, dimension], references[:, dimension]
        assert report["pearson_r"][dimension] == pytest.approx(stats.pearsonr(p, r).statistic, abs=1e-12)
        assert report["r2"][dimension] == pytest.approx(r2_score(r, p), abs=1e-12)
        assert report["rmse"][dimension] == pytest.approx(mean_squared_error(r, p) ** 0.5, abs=1e-12)
        assert report["bias"][dimension] == pytest.approx(p.mean() - r.mean(), abs=1e-12)
        assert report["scale_ratio"][dimension] == pytest.approx(p.std() / r.std(), abs=1e-12)
        matched = (p - p.mean()) * r.std() / p.std() + p.mean()
        assert report["variance_matched_ccc"][dimension] == pytest.approx(_lin(matched.tolist(), r.tolist()), abs=1e-12)
    assert report["ccc_mean"] == pytest.approx(np.mean(report["ccc"]))


@given(arrays(np.float64, (12, 2), elements=st.floats(-1, 1)), st.floats(-3, 3), st.floats(0.1, 10))
@settings(max_examples=100, deadline=None)
def test_is_bounded_symmetric_and_free_of_a_common_scale(pairs, shift, scale):
    p, r = pairs.T
    ccc = concordance_correlation(p, r)
    if min(np.ptp(p), np.ptp(r)) < 1e-6:  # (nearly) a constant: undefined, or a ratio of rounding errors
        return
    assert -1 - 1e-9 <= ccc <= 1 + 1e-9
    assert ccc == pytest.approx(concordance_correlation(r, p), abs=1e-9)
    assert ccc == pytest.approx(concordance_correlation(scale * p + shift, scale * r + shift), abs=1e-6)


def test_perfect_reversed_and_constant_predictions():
    references = _emotions(50)[1]
    assert concordance_correlation(references, references) == pytest.approx([1, 1])
    assert concordance_correlation(2 * references.mean(axis=0) - references, references) == pytest.approx([-1, -1])
    assert np.isnan(concordance_correlation([0.3, 0.3], [0.3, 0.3]))


@pytest.mark.parametrize("n", [2, 3, 7, 60])
@pytest.mark.parametrize("side", ["predictions", "references", "both"])
def test_a_constant_has_no_concordance_and_it_says_why(n, side):
    varying = np.random.default_rng(n).uniform(-1, 1, (n, 2))
    for value in np.linspace(-1, 1, 201):
        constant = np.full((n, 2), value)
        predictions, references = (
            constant if side in (name, "both") else varying for name in ("predictions", "references")
        )
        report = concordance_report(predictions, references)
        assert np.isnan(
            [*report["ccc"], *report["pearson_r"], *report["variance_matched_ccc"], report["ccc_mean"]]
        ).all()
        assert np.isfinite([*report["bias"], *report["rmse"]]).all()
        assert set(report["notes"]) == ({"predictions", "references"} if side == "both" else {side})
        assert np.isnan(concordance_correlation(predictions[:, 0], references[:, 0]))


def test_the_interval_of_a_constant_is_undefined_too():
    predictions, references = _emotions(30)
    predictions[:, 0] = 0.1
    report = concordance_report(predictions, references, confidence=0.9, n_resamples=50)
    assert np.isnan(report["ccc_interval"][0]).all()
    assert np.isnan(report["pearson_r_interval"][0]).all()
    assert np.isnan(report["ccc_mean_interval"]).all()
    assert np.isfinite([*report["ccc_interval"][1], *report["bias_interval"][0]]).all()


def test_a_mean_that_is_a_constant_but_for_rounding_is_one():
    references = _emotions(50)[1]
    predictions = 0.1 + 0.2 + 1e-17 * references  # as of a network that has collapsed
    predictions[::2] = 0.3
    assert np.ptp(predictions) > 0
    assert np.isnan(concordance_correlation(predictions, references)).all()
    assert not np.isnan(concordance_correlation(1e-7 * references, references)).any()


def test_one_pair_has_an_error_but_no_correlation():
    report = concordance_report([0.5], [0.2])
    assert report["rmse"] == pytest.approx(0.3)
    assert np.isnan(report["pearson_r"])
    assert "n" in report["notes"]


def test_large_offset_loses_no_digits():
    predictions, references = _emotions(100)
    shifted = concordance_correlation(predictions + 1e6, references + 1e6)
    assert shifted == pytest.approx(concordance_correlation(predictions, references), abs=1e-7)


def test_torch_lists_and_half_precision_are_taken():
    predictions, references = _emotions(40)
    expected = concordance_correlation(predictions, references)
    gradient = torch.tensor(predictions).requires_grad_()
    assert concordance_correlation(gradient, references) == pytest.approx(expected)
    assert concordance_correlation(list(gradient), references) == pytest.approx(expected)
    assert concordance_correlation([list(row) for row in gradient], references) == pytest.approx(expected)
    assert concordance_correlation(gradient.bfloat16(), references) == pytest.approx(expected, abs=1e-2)
    assert concordance_correlation(list(gradient.half()), references) == pytest.approx(expected, abs=1e-3)
    assert concordance_correlation(torch.tensor(predictions), references.tolist()) == pytest.approx(expected)
    assert concordance_correlation(predictions.astype(np.float16), references) == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize(
    ("predictions", "references", "message"),
    [
        ([0.1, 0.2], [0.1], "as many predictions as references"),
        ([], [], "at least one"),
        ([0.1, np.nan], [0.1, 0.2], r"finite predictions.*row 1"),
        ([0.1, 0.2], [np.inf, 0.2], r"finite references.*row 0"),
        (np.zeros((2, 2, 2)), np.zeros((2, 2, 2)), r"\(2, 2, 2\)"),
        (None, [0.1, 0.2], "expected numbers as predictions, got None"),
        ([0.1, 0.2], [None, 0.2], "expected numbers as references, got None among them"),
        ([[0.1], [0.1, 0.2]], [0.1, 0.2], "predictions, in rows of one length"),
        ("0.1", [0.1], "expected numbers as predictions, got str '0.1'"),
        (["0.1", "0.2"], [0.1, 0.2], "expected numbers as predictions, got str '0.1' among them"),
        ([True, False], [0.1, 0.2], "expected numbers as predictions, got .* among them"),
        (torch.tensor([1j, 0]), [0.1, 0.2], "expected numbers as predictions, got .* among them"),
        ({"valence": 0.1}, [0.1], "expected numbers as predictions, got dict"),
        ([2**80, 0.1], [0.1, 0.2], "expected numbers as predictions"),
        ([0.1, 1e200], [0.1, 0.2], r"expected predictions of at most 1e\+100, got 1e\+200"),
    ],
)
def test_bad_inputs_are_named(predictions, references, message):
    with pytest.raises(ValueError, match=message):
        concordance_correlation(predictions, references)


def test_intervals_are_those_of_resampling_by_hand():
    predictions, references = _emotions(80)
    report = concordance_report(predictions, references, confidence=0.9, n_resamples=2000, seed=1)
    rng = np.random.default_rng(5)
    draws = []
    for _ in range(2000):
        rows = rng.integers(0, 80, 80)
        draws.append(concordance_correlation(predictions[rows], references[rows]))
    expected = np.quantile(draws, [0.05, 0.95], axis=0).T
    assert np.allclose(report["ccc_interval"], expected, atol=0.01)
    low, high = report["ccc_mean_interval"]
    assert low < report["ccc_mean"] < high


def test_whole_artists_are_drawn():
    """Ten copies of each song: by songs the interval is far too narrow, by artists it is that of the ten songs."""
    predictions, references = _emotions(30)
    copies, artists = (np.repeat(side, 10, axis=0) for side in (predictions, references)), np.repeat(np.arange(30), 10)
    predictions_10, references_10 = copies
    names = [f"artist {number}" for number in artists]

    def width(*args, **kwargs):
        low, high = concordance_report(*args, confidence=0.95, n_resamples=1000, **kwargs)["ccc_interval"][0]
        return high - low

    alone = width(predictions, references)
    assert width(predictions_10, references_10, groups=names) == pytest.approx(alone, rel=0.15)
    assert width(predictions_10, references_10) < 0.5 * alone


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_resamples": 0}, "n_resamples as a whole number from 1 on, got 0"),
        ({"n_resamples": -5}, "n_resamples as a whole number from 1 on, got -5"),
        ({"n_resamples": 10.5}, "n_resamples as a whole number from 1 on, got 10.5"),
        ({"n_resamples": None}, "n_resamples as a whole number from 1 on, got None"),
        ({"seed": -1}, "seed as a whole number from 0 on, got -1"),
        ({"seed": "0"}, "seed as a whole number from 0 on, got '0'"),
        ({"confidence": "0.9"}, r"confidence in \(0, 1\), such as 0.95, got '0.9'"),
        ({"confidence": b""}, r"confidence in \(0, 1\)"),
        ({"confidence": [0.9]}, r"confidence in \(0, 1\)"),
        ({"confidence": np.nan}, r"confidence in \(0, 1\)"),
        ({"groups": "abcde"}, "groups as a list of labels, got str"),
        ({"groups": 3}, "groups as a list of labels, got int"),
        ({"groups": [["a"], ["b"], ["c"], ["d"], ["e"]]}, "groups as a list of labels, got list of shape"),
        ({"groups": ["a", "b", None, "c", "d"]}, "a group label for each item, got None at 2"),
        ({"groups": [1.0, np.nan, 2, 3, 4]}, "a group label for each item, got nan at 1"),
        ({"groups": [1j, 2, 3, 4, 5]}, "group labels of one kind"),
    ],
)
def test_options_that_mean_nothing_are_named(options, message):
    values = np.arange(5.0)
    with pytest.raises(ValueError, match=message):
        concordance_report(values, values**2, **({"confidence": 0.95} | options))


def test_labels_of_every_kind_are_taken():
    predictions, references = _emotions(6)
    names = ["a", "b", "a", "c", "b", "c"]
    numbers = [0, 1, 0, 2, 1, 2]
    kinds = [names, tuple(names), np.array(names), np.array(names, dtype=object), numbers, torch.tensor(numbers)]
    options = {"confidence": 0.9, "n_resamples": 20}
    answers = [concordance_report(predictions, references, groups, **options)["ccc_interval"] for groups in kinds]
    assert all(answer == answers[0] for answer in answers)


@pytest.mark.parametrize(("n", "groups", "what"), [(1, None, "items"), (5, ["a"] * 5, "groups")])
def test_an_interval_of_one_item_or_group_is_undefined_and_says_why(n, groups, what):
    values = np.linspace(0.1, 0.5, n)
    report = concordance_report(values, values**2, groups, confidence=0.95, n_resamples=20)
    assert np.isnan(report["rmse_interval"]).all()
    assert report["rmse"] > 0
    assert report["notes"]["interval"] == f"an interval needs at least 2 {what}, got 1"


def test_groups_must_name_every_item():
    with pytest.raises(ValueError, match="one group label for each of 5 items, got 3"):
        concordance_report(np.arange(5.0), np.arange(5.0) ** 2, groups=["a", "b", "c"], confidence=0.95)


def test_a_constant_side_is_noted_and_a_varying_one_is_not():
    varying = np.array([[0.1, -0.2], [0.3, 0.4], [0.2, 0.1]])
    one_constant = np.column_stack([[0.5, 0.5, 0.5], varying[:, 1]])
    assert concordance_report(varying, varying[::-1])["notes"] == {}
    assert set(concordance_report(varying, one_constant)["notes"]) == {"references"}
    assert set(concordance_report(one_constant, varying)["notes"]) == {"predictions"}
    assert set(concordance_report(one_constant, one_constant)["notes"]) == {"predictions", "references"}
    assert set(concordance_report(varying[:1], varying[:1])["notes"]) == {"n"}
    equal_in_a_row = np.array([[0.3, 0.3], [0.1, 0.2]])  # the two dimensions of a song may well agree
    assert concordance_report(equal_in_a_row, equal_in_a_row + 0.1)["notes"] == {}
