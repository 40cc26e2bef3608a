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
    "kind", [torch.tensor, np.ndarray.tolist, lambda array: datasets.Dataset.from_dict({"x": array})["x"]]
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


@pytest.mark.parametrize(
    ("predictions", "references", "message"),
    [
        (PREDICTIONS, REFERENCES[:5], "Mismatch in the number"),
        (PREDICTIONS, None, "expected references with every call"),
        ([], [], "at least one number in predictions"),
        (PREDICTIONS, np.full_like(REFERENCES, np.nan), "finite references"),
    ],
)
def test_bad_inputs_are_named(metric, predictions, references, message):
    with pytest.raises(ValueError, match=message):
        metric.compute(predictions=predictions, references=references)
