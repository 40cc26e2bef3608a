"""What is asked of a generator beside the emotion, against what is measured in its clips."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from musemo_hf import MusemoUNetGenerator
from musemo_hf.experiments.model_reports.conditions import conditions_table, measure_conditions
from musemo_hf.models.unet.conditions import SCALES
from musemo_hf.training.unet.measures import loudness


class Obedient:
    """Noise of the requested loudness, which is half as far from the middle of the scale, or of one loudness."""

    config = SimpleNamespace(conditions=("loudness", "mood"))
    device = torch.device("cpu")

    def generate(self, emotion, seed, conditions):
        noise = torch.randn(len(emotion), 1, 128, 256, generator=torch.Generator().manual_seed(seed))
        wanted = SCALES["loudness"].normalise(conditions.get("loudness", torch.full((len(emotion),), 20.0)))
        clips = 0.02 * noise - 0.2
        now = torch.tensor([loudness(50 * clip[0].numpy() - 10) for clip in clips])
        change = SCALES["loudness"].denormalise(wanted / 2) - now
        return (clips + change.view(-1, 1, 1, 1) / 50).clamp(-1, 1)


def test_requested_against_measured(songs):
    (row,) = measure_conditions(Obedient(), songs, 12)
    assert (row["condition"], row["n"]) == ("loudness", 12)
    assert row["pearson_r"] > 0.99
    assert row["slope"] == pytest.approx(0.5, abs=0.05)
    assert row["slope_interval"][0] <= row["slope"] <= row["slope_interval"][1]
    assert abs(row["unasked_r"]) < 0.9
    assert conditions_table([row]).splitlines()[2].startswith(f"| loudness | {row['pearson_r']:.2f} [")


def test_what_cannot_be_measured(songs):
    small = {"n_frames": 40, "channels": (32, 32), "attention": (False, False), "condition_width": 16}
    with pytest.raises(ValueError, match=r"expected a generator with some of the conditions loudness, .* got none"):
        measure_conditions(MusemoUNetGenerator(**small), songs, 4)
    with pytest.raises(ValueError, match="and 48 songs, got loudness and 24 songs"):
        measure_conditions(Obedient(), songs, 24)


def test_a_scale_is_inverted():
    values = torch.from_numpy(np.linspace(-1, 1, 9))
    for scale in SCALES.values():
        assert torch.allclose(scale.normalise(scale.denormalise(values)), values)
