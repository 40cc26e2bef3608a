"""A calibrated recogniser takes its scale and what was measured of it along into the package."""

import json

import pytest
import torch

from musemo_hf import (
    MusemoFeatureExtractor,
    MusemoGanConfig,
    MusemoGanGenerator,
    MusemoViTConfig,
    MusemoViTForEmotionRegression,
)
from musemo_hf.evaluation.statistics.interval_coverage import coverage_report
from musemo_hf.hub.packaging import package_checkpoints

REPORT = {"quality_score": 61.25, "recogniser": {"rmse": [0.25, 0.21]}, "corpus": {"name": "DEAM", "n_songs": 10}}


@pytest.fixture(scope="module")
def uncertainty():
    torch.manual_seed(0)
    labels = torch.rand(60, 2).numpy() - 0.5
    found = coverage_report(labels + 0.1, labels, labels * 0 + 0.06, [0.1, 0.1], n_resamples=50)
    facts = {"held_out": True, "scale": [0.5, 0.75], "n_calibration": 130, "n_calibration_artists": 68}
    return json.loads(json.dumps(found | facts))


@pytest.fixture
def package(tmp_path):
    """`package(own_report, **configuration)` -> folder of the packaged recogniser."""

    def make(own, **changes):
        sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
        config = MusemoViTConfig(n_frames=48, patch_size=(16, 16), **sizes, **changes)
        generator = MusemoGanGenerator(MusemoGanConfig(n_frames=48, generator_channels=8, group_norm_groups=1))
        for name, model in (("generator", generator), ("recogniser", MusemoViTForEmotionRegression(config))):
            model.save_pretrained(tmp_path / name)
            MusemoFeatureExtractor(n_frames=48).save_pretrained(tmp_path / name)
        if own is not None:
            (tmp_path / "recogniser/report.json").write_text(json.dumps(own))
        (tmp_path / "report.json").write_text(json.dumps(REPORT))
        parts = (tmp_path / "generator", tmp_path / "recogniser", tmp_path / "report.json")
        return package_checkpoints(*parts, tmp_path / "package")

    return make


def test_scale_and_coverage_come_along(package, uncertainty):
    made = package({"uncertainty": uncertainty, "quality_score": 1.0}, uncertainty=True, deviation_scale=[0.5, 0.75])
    config = MusemoViTConfig.from_pretrained(made["recogniser"])
    assert (config.uncertainty, config.deviation_scale, config.emotion_error) == (True, [0.5, 0.75], [0.25, 0.21])
    report = json.loads((made["recogniser"] / "report.json").read_text())
    assert report == REPORT | {"uncertainty": uncertainty}
    card = (made["recogniser"] / "README.md").read_text()
    assert "that 130 songs of 68 artists gave" in card
    assert "| 95 % | 100.0 % (100.0 to 100.0) | 100.0 % (100.0 to 100.0) | 0.24 | 0.24 |" in card
    assert "| 80 % | 0.0 % (0.0 to 0.0) | 0.0 % (0.0 to 0.0) | 0.15 | 0.15 |" in card
    assert "uncertainty" not in json.loads((made["generator"] / "report.json").read_text())


@pytest.mark.parametrize("own", [None, {"ccc_real_only": 0.5}])
def test_what_was_not_measured_is_not_told(package, own):
    made = package(own, uncertainty=True, deviation_scale=[0.5, 0.75])
    assert "## Intervals" not in (made["recogniser"] / "README.md").read_text()


def test_coverage_of_another_recogniser_is_not_told(package, uncertainty):
    made = package({"uncertainty": uncertainty})
    assert "## Intervals" not in (made["recogniser"] / "README.md").read_text()
    assert json.loads((made["recogniser"] / "report.json").read_text()) == REPORT


def test_half_a_measurement_is_told_nowhere_and_named(package, uncertainty):
    half = {name: value for name, value in uncertainty.items() if name != "n_calibration"}
    with pytest.warns(UserWarning, match="expected uncertainty to be whole, with n_calibration"):
        made = package({"uncertainty": half}, uncertainty=True, deviation_scale=[0.5, 0.75])
    assert "## Intervals" not in (made["recogniser"] / "README.md").read_text()
