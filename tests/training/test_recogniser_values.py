"""Rates by layer, joined augmentations, rolled copies, pretraining and raters' spread: each a value of the training."""

import dataclasses

import pytest
import torch
from transformers import ASTConfig, ASTModel, ViTConfig, ViTModel

from musemo_hf import MusemoViTConfig, MusemoViTForEmotionRegression
from musemo_hf.training.checkpoint import checkpoints
from musemo_hf.training.clips import Clips
from musemo_hf.training.recogniser.augmentation import AUGMENTATIONS, augmentation
from musemo_hf.training.recogniser.layer_decay import layer_groups
from musemo_hf.training.recogniser.masked_pretraining import MaskedPretraining
from musemo_hf.training.recogniser.trainer import RecogniserTrainer

EVERYTHING = {"window_frames": 24, "uncertainty": True}
TRAINING = {"layer_decay": 0.7, "augmentation": "shift_gain+mixup", "pretraining_steps": 5}


@pytest.fixture(scope="module")
def full_config(vit_config):
    return MusemoViTConfig(**{**vit_config.to_diff_dict(), **EVERYTHING})


@pytest.fixture
def trainer(full_config, recogniser_training, clips, tmp_path):
    def make(folder="run", songs=clips, **changes):
        run_dir = None if folder is None else tmp_path / folder
        spread = 0.1 + 0.1 * songs.emotion.abs()
        return RecogniserTrainer(
            full_config, recogniser_training(**(TRAINING | changes)), songs, run_dir, label_deviation=spread
        )

    return make


def test_a_pretraining_cut_off_goes_on(trainer, monkeypatch, state, assert_same, tmp_path):
    unbroken = trainer("unbroken")
    unbroken.train()
    update, seen = MaskedPretraining.update, []

    def cut(run):
        if run.step == 4 and len(seen) == 4:
            raise KeyboardInterrupt
        seen.append(run.step)
        return update(run)

    monkeypatch.setattr(MaskedPretraining, "update", cut)
    with pytest.raises(KeyboardInterrupt):
        trainer("broken").train()
    assert [path.name for path in checkpoints(tmp_path / "broken/pretraining")] == ["checkpoint-00000003"]
    resumed = trainer("broken")
    seen.append(-1)
    resumed.train()
    assert seen == [0, 1, 2, 3, -1, 3, 4]
    assert checkpoints(tmp_path / "broken/pretraining") == []
    lines = (tmp_path / "broken/pretraining/pretraining.jsonl").read_text()
    assert lines == (tmp_path / "unbroken/pretraining/pretraining.jsonl").read_text()
    assert_same(state(unbroken), state(resumed))


def test_pretraining_sees_no_label_and_changes_the_encoder_alone(trainer, clips, state, assert_same):
    untouched, first = trainer(None), trainer(None)
    other = trainer(None, songs=Clips(clips.spectrogram, -clips.emotion.flip(0)))
    first.begin()
    other.begin()
    assert_same(state(first), state(other))
    changed = {name for name, value in first.model.state_dict().items()
               if not torch.equal(value, untouched.model.state_dict()[name])}  # fmt: skip
    assert changed == {name for name in first.model.state_dict() if name.startswith("vit.")}


def test_only_the_clips_handed_over_matter(trainer, clips, state, assert_same):
    # the test songs' labels cannot reach a weight: the trainer is given training songs alone, and asks for no others
    emotion, weights = clips.emotion.clone(), []
    for order in (torch.arange(30, 40), torch.arange(30, 40).flip(0)):
        songs = Clips(clips.spectrogram, torch.cat([emotion[:30], emotion[order]]))
        run = trainer(None, songs=songs[torch.arange(30)])
        run.train()
        weights.append(state(run))
    assert_same(*weights)


@pytest.mark.parametrize("values", [{}, EVERYTHING])
@pytest.mark.parametrize("decay", [0.5, 0.9, 1.0])
def test_layer_groups_hold_every_parameter_once(vit_config, values, decay):
    config = MusemoViTConfig(**{**vit_config.to_diff_dict(), **values, "num_hidden_layers": 3})
    model = MusemoViTForEmotionRegression(config)
    groups = layer_groups(model, 1e-3, decay)
    grouped = [id(parameter) for group in groups for parameter in group["params"]]
    assert sorted(grouped) == sorted(id(parameter) for parameter in model.parameters())
    rate = {id(parameter): group["lr"] for group in groups for parameter in group["params"]}
    assert rate[id(model.regressor.weight)] == pytest.approx(1e-3)
    for i in range(3):
        assert rate[id(model.vit.layers[i].mlp.fc1.weight)] == pytest.approx(1e-3 * decay ** (3 - i))
    assert rate[id(model.vit.embeddings.patch_embeddings.projection.weight)] == pytest.approx(1e-3 * decay**4)
    assert rate[id(model.vit.layernorm.weight)] == pytest.approx(1e-3)


def test_rates_keep_their_ratio_along_the_schedule(trainer):
    run = trainer(None, steps=6, layer_decay=0.5, pretraining_steps=0)
    for _ in range(4):
        run.update()
        run.step += 1
    rates = [group["lr"] for group in run.optimizer.param_groups]
    assert rates[1] == pytest.approx(2 * rates[0])
    assert rates[-1] == pytest.approx(2 * rates[-2])


def test_a_rate_of_one_is_a_single_group(trainer):
    assert len(trainer(None, layer_decay=1.0).optimizer.param_groups) == 1


def test_joined_augmentations_are_applied_in_order(clips):
    both = augmentation("mixup+specaugment")
    generator = torch.Generator().manual_seed(3)
    spectrogram, emotion = both(clips.spectrogram, clips.emotion, generator)
    generator = torch.Generator().manual_seed(3)
    mixed = AUGMENTATIONS["mixup"](clips.spectrogram, clips.emotion, generator)
    expected = AUGMENTATIONS["specaugment"](*mixed, generator)
    assert torch.equal(spectrogram, expected[0])
    assert torch.equal(emotion, expected[1])
    assert not torch.equal(emotion, clips.emotion)


@pytest.mark.parametrize("names", ["mixup+cutmix", "mixup+", "", "mixup, specaugment"])
def test_unknown_among_joined_augmentations(names):
    with pytest.raises(ValueError, match=r"expected augmentation to be one of .*joined by '\+', got"):
        augmentation(names)


def test_raters_spread_is_mixed_as_the_emotions_are(trainer):
    run, given = trainer(None, augmentation="mixup", pretraining_steps=0), {}
    run.model.register_forward_pre_hook(lambda _, __, kwargs: given.update(kwargs), with_kwargs=True)
    run.label_deviation = 0.1 + 0.05 * (run.clips.emotion + 1)
    run.update()
    torch.testing.assert_close(given["emotion_deviation"], 0.1 + 0.05 * (given["labels"] + 1))


@pytest.mark.parametrize("kind", ["vit", "ast"])
def test_a_run_begins_with_the_backbones_weights_and_resumes_without_it(
    kind, recogniser_training, clips, interrupt, state, assert_same, tmp_path
):
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 24}
    source = ViTModel(ViTConfig(**sizes, image_size=48)) if kind == "vit" else ASTModel(ASTConfig(**sizes))
    source.save_pretrained(tmp_path / "source")

    def make(folder):
        config = MusemoViTConfig(n_frames=32, backbone=str(tmp_path / "source"))
        return RecogniserTrainer(config, recogniser_training(layer_decay=0.7), clips, tmp_path / folder)

    unbroken, broken = make("unbroken"), make("broken")
    unbroken.begin()
    for model in (unbroken.model, unbroken.averaged_model):
        assert torch.equal(model.vit.layers[0].mlp.fc1.weight, source.layers[0].mlp.fc1.weight)
    unbroken.train()
    interrupt(broken, 4)
    resumed = make("broken")
    for file in (tmp_path / "source").glob("*.safetensors"):
        file.unlink()
    resumed.train()
    assert_same(state(unbroken), state(resumed))


def test_default_values_are_those_of_before(recogniser_training):
    values = dataclasses.asdict(recogniser_training())
    assert (values["layer_decay"], values["pretraining_steps"]) == (1.0, 0)


@pytest.mark.parametrize("layer_decay", [0, -0.5, 1.1])
def test_layer_decay_out_of_range(trainer, layer_decay):
    with pytest.raises(ValueError, match="expected layer_decay above 0 up to 1, got"):
        trainer(layer_decay=layer_decay)


@pytest.mark.parametrize(
    ("spread", "uncertainty", "message"),
    [
        (torch.zeros(40, 2), False, "expected a configuration with uncertainty=True"),
        (torch.zeros(39, 2), True, r"of shape \(40, 2\), got \(39, 2\)"),
        (torch.full((40, 2), torch.nan), True, "with negative or infinite values"),
        (torch.full((40, 2), -1.0), True, "with negative or infinite values"),
    ],
)
def test_label_deviations_that_are_refused(vit_config, recogniser_training, clips, spread, uncertainty, message):
    config = MusemoViTConfig(**{**vit_config.to_diff_dict(), "uncertainty": uncertainty})
    with pytest.raises(ValueError, match=message):
        RecogniserTrainer(config, recogniser_training(), clips, label_deviation=spread)
