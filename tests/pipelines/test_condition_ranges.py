import pytest

from musemo_hf.models.unet.conditions import SCALES
from musemo_hf.pipelines.steering.condition_ranges import RANGES, check_range


def test_ranges_are_those_of_the_model():
    assert {name: (scale.low, scale.high, scale.unit) for name, scale in SCALES.items()} == RANGES


def test_values_out_of_range_and_nan_are_refused():
    check_range("tempo", 40)
    for value in (39.9, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="expected tempo from 40 to 240 beats per minute, got"):
            check_range("tempo", value)
    with pytest.raises(ValueError, match="expected --mood from -1 to 1, got 2"):
        check_range("mood", 2, "--mood")
