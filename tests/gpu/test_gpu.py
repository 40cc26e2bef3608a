"""What a GPU computes: the answers of a CPU, trainings that go on, and half precision. `make gpu` runs these tests."""

import pytest
import torch
from accelerate import Accelerator

from musemo_hf import MusemoGanConfig, MusemoPipeline, MusemoViTForEmotionRegression, embedded_checkpoint
from musemo_hf.training.gan.settings import GanTraining
from musemo_hf.training.gan.trainer import GanTrainer

pytestmark = pytest.mark.gpu
EMOTIONS = torch.tensor([[0.8, 0.7], [-0.8, -0.6], [0.0, 0.0]])
SMALL = {"preset": "modern", "n_frames": 32, "generator_channels": 32, "discriminator_channels": 8}
RECIPES = {"convolution": {}, "columns": {"column_noise_dim": 4, "song_dim": 8}}


@pytest.mark.parametrize("name", ["generator", "flow"])
def test_a_packaged_generator_makes_the_same_clips_as_on_a_cpu(name):
    pipe = MusemoPipeline.from_pretrained(embedded_checkpoint(name))
    expected = pipe.generator.generate(EMOTIONS, seed=0)
    found = pipe.generator.to("cuda").generate(EMOTIONS, seed=0)
    assert found.device.type == "cuda"
    assert 50 * (found.cpu() - expected).abs().mean() < 0.1  # dB; TF32 rounds convolutions


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_the_packaged_recogniser_hears_the_same_as_on_a_cpu(dtype):
    clips = MusemoPipeline.from_pretrained(embedded_checkpoint("flow")).generator.generate(EMOTIONS, seed=0)
    recogniser = MusemoViTForEmotionRegression.from_pretrained(embedded_checkpoint("recogniser"))
    with torch.no_grad():
        expected = recogniser(clips).emotion
        found = recogniser.to("cuda", dtype)(clips.to("cuda", dtype)).emotion
    assert (found.float().cpu() - expected).abs().max() < 0.01


@pytest.fixture
def trainer(clips, tmp_path):
    def make(recipe, folder="run", **changes):
        settings = {"steps": 8, "batch_size": 8, "loss": "rpgan", "r1_gamma": 1.0, "r2_gamma": 1.0, "balance": False}
        settings |= {"augmentation": "diffaugment", "instance_noise": 0.0, "checkpoint_every": 4, "log_every": 4}
        config = MusemoGanConfig(**SMALL, **RECIPES[recipe])
        return GanTrainer(config, GanTraining(**(settings | changes)), clips, tmp_path / folder, Accelerator())

    return make


@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize("bfloat16", [False, True])
def test_a_gan_trains_as_on_a_cpu(trainer, recipe, bfloat16):
    run = trainer(recipe, bfloat16=bfloat16, steps=2)
    made = run.train()
    assert next(made.parameters()).device.type == "cuda"
    assert torch.isfinite(made.generate(EMOTIONS, seed=0)).all()
    losses = [run.values[f"{name}_loss"] for name in ("generator", "discriminator")]
    assert all(0 < loss < 5 for loss in losses), losses


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_run_goes_on_where_it_was_stopped(trainer, recipe):
    whole = trainer(recipe, "whole").train()
    part = trainer(recipe, "part")
    while part.step < 4:
        part._timed_update()
        part._after_update(None)
    resumed = trainer(recipe, "part")
    made = resumed.train()
    assert resumed.step == 8
    difference = made.generate(EMOTIONS, seed=0) - whole.generate(EMOTIONS, seed=0)
    assert 50 * difference.abs().mean() < 0.5  # dB; sums on a GPU have no fixed order


def test_a_compiled_generator_trains(trainer):
    made = trainer("convolution", compile=True, penalty="finite_difference").train()
    assert torch.isfinite(made.generate(EMOTIONS, seed=0)).all()
