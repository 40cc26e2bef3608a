import datasets
import evaluate
import numpy as np
import pytest
import torch

from musemo_hf.evaluation.statistics.concordance import concordance_report
from musemo_hf.metrics import metric_path

RNG = np.random.default_rng(0)
REFERENCES = RNG.uniform(-1, 1, (60, 2))
PREDICTIONS = 0.5 * REFERENCES + 0.2 * RNG.standard_normal((60, 2))


@pytest.fixture
def metric(tmp_path):
    return evaluate.load(metric_path("concordance_correlation"), cache_dir=str(tmp_path))


def test_answers_as_the_function_does(metric):
    expected = concordance_report(PREDICTIONS, REFERENCES)
    assert metric.compute(predictions=PREDICTIONS, references=REFERENCES) == expected
    one = metric.compute(predictions=PREDICTIONS[:, 0], references=REFERENCES[:, 0])
    assert one["ccc"] == pytest.approx(expected["ccc"][0])


@pytest.mark.parametrize(
    "kind",
    [
        torch.tensor,
        lambda array: torch.tensor(array).requires_grad_(),
        lambda array: list(torch.tensor(array).requires_grad_()),
        np.ndarray.tolist,
        lambda array: list(array),
        lambda array: datasets.Dataset.from_dict({"x": array})["x"],
    ],
    ids=["torch", "gradient", "tensors", "lists", "rows", "column"],
)
def test_every_kind_of_numbers_is_taken(metric, kind):
    answer = metric.compute(predictions=kind(PREDICTIONS), references=kind(REFERENCES))
    assert answer["ccc"] == pytest.approx(concordance_report(PREDICTIONS, REFERENCES)["ccc"])


def test_streamed_in_batches_and_one_by_one(metric):
    metric.add_batch(predictions=PREDICTIONS[:40], references=REFERENCES[:40])
    for prediction, reference in zip(PREDICTIONS[40:], REFERENCES[40:], strict=True):
        metric.add(prediction=prediction, reference=torch.tensor(reference))
    assert metric.compute()["ccc"] == pytest.approx(concordance_report(PREDICTIONS, REFERENCES)["ccc"])
    metric.add(prediction=0.1, reference=0.2)
    metric.add_batch(predictions=[0.3, 0.4], references=[0.3, 0.5])
    assert metric.compute()["n"] == 3


def test_intervals_and_artists(metric):
    artists = [f"artist {index // 3}" for index in range(60)]
    options = {"confidence": 0.9, "groups": artists, "n_resamples": 500, "seed": 2}
    answer = metric.compute(predictions=PREDICTIONS, references=REFERENCES, **options)
    assert answer == concordance_report(PREDICTIONS, REFERENCES, **options)
    for name in ("ccc", "pearson_r", "bias", "scale_ratio", "rmse", "r2", "variance_matched_ccc"):
        for value, (low, high) in zip(answer[name], answer[f"{name}_interval"], strict=True):
            assert low < value < high, name


def test_half_precision_is_taken(metric):
    halves = [torch.tensor(side).bfloat16() for side in (PREDICTIONS, REFERENCES)]
    answer = metric.compute(predictions=halves[0], references=halves[1])
    assert answer == concordance_report(*(side.double().numpy() for side in halves))


@pytest.mark.parametrize("names", [("prediction", "reference"), ("predictions", "references")])
def test_combined_with_another_metric_one_by_one(tmp_path, names):
    paths = [metric_path("concordance_correlation")] * 2
    combined = evaluate.combine([evaluate.load(path, cache_dir=str(tmp_path / str(i))) for i, path in enumerate(paths)])
    for pair in zip(PREDICTIONS, REFERENCES, strict=True):
        combined.add(**dict(zip(names, pair, strict=True)))
    combined.add_batch(predictions=PREDICTIONS[:7], references=REFERENCES[:7])
    answer = combined.compute()
    expected = concordance_report(np.r_[PREDICTIONS, PREDICTIONS[:7]], np.r_[REFERENCES, REFERENCES[:7]])
    for index in range(2):
        assert answer[f"concordance_correlation_{index}_ccc"] == expected["ccc"]


def test_constants_are_nan_with_a_reason(metric):
    for value in np.linspace(-1, 1, 21):
        answer = metric.compute(predictions=[value] * 60, references=REFERENCES[:, 0])
        assert np.isnan(answer["ccc"])
        assert "constant predictions: ccc" in answer["notes"]["predictions"]


def test_a_bad_batch_is_refused_and_the_good_ones_stay(metric):
    metric.add_batch(predictions=PREDICTIONS[:30], references=REFERENCES[:30])
    for predictions, references, message in (
        (PREDICTIONS[:5, 0], REFERENCES[:5, 0], "items of 2 numbers, as were added before, got items of one number"),
        (np.zeros((5, 3)), np.zeros((5, 3)), "items of 2 numbers, as were added before, got items of 3 numbers"),
        (PREDICTIONS[:5], REFERENCES[:4], "Mismatch in the number"),
        (np.full((1, 2), np.nan), REFERENCES[:1], "finite predictions, got NaN or infinity in row 0"),
    ):
        with pytest.raises(ValueError, match=message):
            metric.add_batch(predictions=predictions, references=references)
    with pytest.raises(ValueError, match="as were added before"):
        metric.add(prediction=0.1, reference=0.2)
    metric.add_batch(predictions=PREDICTIONS[30:], references=REFERENCES[30:])
    assert metric.compute() == concordance_report(PREDICTIONS, REFERENCES)


@pytest.mark.parametrize(
    ("predictions", "references", "message"),
    [
        (PREDICTIONS, REFERENCES[:5], "Mismatch in the number"),
        (PREDICTIONS, None, "expected references with every call"),
        (None, None, "expected predictions and references, got none"),
        ([], [], "at least one number in predictions"),
        (PREDICTIONS, np.full_like(REFERENCES, np.nan), "finite references"),
        (0.1, 0.2, r"expected \(B,\) or \(B, 2\) predictions and references, got \(\)"),
        (PREDICTIONS, REFERENCES[:, 0], r"expected predictions and references of one shape, got \(2,\) and \(\)"),
        (["loud"], [0.1], "expected numbers as predictions, got str 'loud' among them"),
        ([0.1, None], [0.1, 0.2], "expected numbers as predictions, got None among them"),
        (np.zeros((2, 2, 2)), np.zeros((2, 2, 2)), r"expected \(B,\) or \(B, 2\)"),
    ],
)
def test_bad_inputs_are_named(metric, predictions, references, message):
    with pytest.raises(ValueError, match=message):
        metric.compute(predictions=predictions, references=references)
    answer = metric.compute(predictions=PREDICTIONS, references=REFERENCES)  # nothing of it is left
    assert answer == concordance_report(PREDICTIONS, REFERENCES)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"confidence": 0.9, "n_resamples": 0}, "n_resamples as a whole number from 1 on, got 0"),
        ({"confidence": 1}, r"a confidence in \(0, 1\)"),
        ({"level": 0.9}, "expected options out of groups, confidence, n_resamples, seed, got level"),
    ],
)
def test_bad_options_are_named(metric, options, message):
    with pytest.raises(ValueError, match=message):
        metric.compute(predictions=PREDICTIONS, references=REFERENCES, **options)


def test_one_item_has_one_name(metric):
    with pytest.raises(ValueError, match="in the singular and in the plural"):
        metric.add(prediction=0.1, predictions=0.1, reference=0.2)
    with pytest.raises(ValueError, match="expected a number or a pair"):
        metric.add(prediction=[[0.1, 0.2]], reference=[[0.1, 0.2]])
