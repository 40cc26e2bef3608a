import pytest
import torch

from musemo_hf.training.gan.readings import Readings


def test_values_come_back_in_order_and_once():
    readings = Readings()
    assert readings.read() == []
    readings.add({"loss": torch.tensor(0.5), "every": 2})
    readings.add({"loss": torch.tensor(float("nan")), "accuracy": torch.tensor(0.25, dtype=torch.float64)})
    assert len(readings) == 2
    first, second = readings.read()
    assert first == {"loss": 0.5, "every": 2}
    assert second["loss"] != second["loss"]
    assert second["accuracy"] == pytest.approx(0.25)
    assert len(readings) == 0
    assert readings.read() == []


def test_no_gradient_is_kept():
    readings, weight = Readings(), torch.ones(1, requires_grad=True)
    readings.add({"loss": (2 * weight).sum()})
    assert readings.read() == [{"loss": 2.0}]
