"""One interface for generators of all kinds: create, train, save, load, sample."""

import json

import pytest
import torch
from accelerate import Accelerator

from musemo_hf import (
    MusemoFlowGenerator,
    MusemoGanDiscriminator,
    MusemoGanGenerator,
    MusemoPipeline,
    MusemoUNetGenerator,
)
from musemo_hf.pipelines.generators import load_generator, sample_clips
from musemo_hf.training.configuration import Configuration, merge
from musemo_hf.training.flow.trainer import FlowTrainer
from musemo_hf.training.gan.trainer import GanTrainer
from musemo_hf.training.generators import create_trainer, save_generator
from musemo_hf.training.unet.trainer import UNetTrainer

TINY = {
    "generator": {"generator_channels": 16, "discriminator_channels": 4, "group_norm_groups": 2},
    "flow": {"patch_size": [128, 4], "n_components": 8, "width": 16, "depth": 1, "n_heads": 2},
    "gan_training": {"steps": 2, "batch_size": 4, "seed": 5, "check_every": 0},
    "flow_training": {"steps": 2, "batch_size": 4, "seed": 5},
    "unet": {"channels": [32, 32], "attention": [False, True], "condition_width": 16, "num_inference_steps": 2},
    "unet_training": {"steps": 2, "batch_size": 4, "seed": 5, "crop_frames": 16, "pictures": 0},
}
CLASSES = {
    "gan": (GanTrainer, MusemoGanGenerator),
    "flow": (FlowTrainer, MusemoFlowGenerator),
    "unet": (UNetTrainer, MusemoUNetGenerator),
}


@pytest.fixture
def create(clips, tmp_path):
    configuration = merge(Configuration(), TINY, "the test")

    def make(kind, folder="run", **changes):
        return create_trainer(kind, configuration, clips, tmp_path / folder, Accelerator(), **changes)

    return make


@pytest.mark.parametrize("kind", CLASSES)
def test_trained_saved_and_loaded_by_the_kind_that_the_folder_names(create, clips, tmp_path, kind):
    trainer = create(kind)
    model, (trainer_class, model_class) = trainer.train(), CLASSES[kind]
    assert isinstance(trainer, trainer_class)
    assert (trainer.training.seed, model.config.n_frames) == (5, 32)
    save_generator(tmp_path / "generator", model, trainer.objects.get("discriminator"))
    loaded = load_generator(tmp_path / "generator")
    assert isinstance(loaded, model_class)
    assert not loaded.training
    weights = loaded.state_dict()
    assert all(torch.equal(value, weights[name]) for name, value in model.state_dict().items())
    made = sample_clips(loaded, clips.emotion, 7, batch_size=16)
    assert made.shape == (40, 1, 128, 32)
    assert made.dtype == torch.float32
    alone = loaded.generate(clips.emotion[20:21], seed=7 + 20)
    torch.testing.assert_close(made[20:21], alone, atol=1e-5, rtol=1e-4)  # sums of other batches round otherwise
    song = MusemoPipeline.from_pretrained(tmp_path / "generator")(0.1, 0.2, n_iter=1).songs[0]
    assert song.spectrogram.shape == (128, 32)
    if kind == "gan":
        MusemoGanDiscriminator.from_pretrained(tmp_path / "generator" / "discriminator")
        named = json.loads((tmp_path / "generator" / "config.json").read_text())["architectures"]
        assert named == ["MusemoGanGenerator"]


@pytest.mark.parametrize("kind", ["flow", "unet"])
def test_options_of_a_flow_reach_it(create, kind):
    flow = create(kind).train()
    emotion = torch.zeros(3, 2)
    one, four = (sample_clips(flow, emotion, 0, num_inference_steps=steps) for steps in (1, 4))
    assert not torch.equal(one, four)


@pytest.mark.parametrize("kind", CLASSES)
def test_the_seed_may_be_another(create, kind):
    assert create(kind, seed=9).settings["seed"] == 9


@pytest.mark.parametrize("kind", ["flow", "unet"])
def test_seconds_end_the_training_of_a_flow_only(create, kind):
    trainer = create(kind, seconds=0.2)
    trainer.train()
    assert trainer.seconds >= 0.2
    assert trainer.steps > 1000
    with pytest.raises(ValueError, match="expected seconds for a flow only, got 3 for a GAN"):
        create("gan", seconds=3.0)


def test_an_unknown_kind(create):
    with pytest.raises(ValueError, match=r"expected kind to be one of \('gan', 'flow', 'unet'\), got 'diffusion'"):
        create("diffusion")


def test_an_error_while_saving_leaves_the_old_generator(create, tmp_path, monkeypatch):
    model = create("gan").train()
    save_generator(tmp_path / "generator", model)
    before = sorted(path.name for path in (tmp_path / "generator").iterdir())

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("musemo_hf.training.checkpoint.save_file", full)
    with pytest.raises(OSError, match="No space left"):
        save_generator(tmp_path / "generator", model)
    assert sorted(path.name for path in (tmp_path / "generator").iterdir()) == before
    assert not list(tmp_path.glob("generator.*.part"))


def test_a_folder_without_a_generator(tmp_path):
    with pytest.raises(OSError, match=r"expected a model with config\.json"):
        load_generator(tmp_path)
