"""A run knows what it was trained on, with what settings and on what hardware."""

import json
import re
from dataclasses import replace

import pytest
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState

from musemo_hf.audio.verification import write_checksums
from musemo_hf.training.checkpoint import checkpoints, read_state
from musemo_hf.training.flow.settings import FlowTraining
from musemo_hf.training.flow.trainer import FlowTrainer
from musemo_hf.training.gan.trainer import GanTrainer
from musemo_hf.training.identity import hash_of
from musemo_hf.training.loop import FolderInUseError
from musemo_hf.training.parallel import Parallel
from musemo_hf.training.recogniser.masked_pretraining import MaskedPretraining
from musemo_hf.training.recogniser.trainer import RecogniserTrainer

FLOW = {"n_frames": 32, "patch_size": (128, 4), "n_components": 8, "width": 16, "depth": 1, "n_heads": 2}
KINDS = ("gan", "flow", "recogniser")


@pytest.fixture
def make(gan_config, gan_training, vit_config, recogniser_training, tmp_path):
    """`make(kind, clips, **changes)`: a trainer of two updates in one folder."""

    def trainer(kind, clips, origin=None, label_deviation=None, **changes):
        changes = {"steps": 2, "batch_size": 4, "checkpoint_every": 1, "log_every": 1} | changes
        if kind == "gan":
            return GanTrainer(gan_config, gan_training(**changes), clips, tmp_path, origin=origin)
        if kind == "flow":
            return FlowTrainer(FLOW, FlowTraining(**changes), clips, tmp_path, origin=origin)
        config = (
            vit_config if label_deviation is None else type(vit_config)(**vit_config.to_dict() | {"uncertainty": True})
        )
        training = recogniser_training(**changes)
        return RecogniserTrainer(config, training, clips, tmp_path, label_deviation=label_deviation, origin=origin)

    return trainer


@pytest.mark.parametrize("kind", KINDS)
def test_another_fold_is_refused_by_name(make, clips, kind):
    make(kind, clips[:30], {"held_out_fold": 0, "labels": "corrected"}).train()
    with pytest.raises(ValueError, match=r"other data \(emotions .*, held_out_fold 0 -> 2, spectrograms .*\)"):
        make(kind, clips[10:], {"held_out_fold": 2, "labels": "corrected"}).train()
    message = r"other data and settings \(batch_size 4 -> 2, labels 'corrected' -> 'published'\)"
    with pytest.raises(ValueError, match=message):
        make(kind, clips[:30], {"held_out_fold": 0, "labels": "published"}, batch_size=2).train()
    make(kind, clips[:30], {"held_out_fold": 0, "labels": "corrected"}).train()


def swapped_labels(clips):
    return replace(clips, emotion=clips.emotion.flip(1))


def one_other_label(clips):
    emotion = clips.emotion.clone()
    emotion[7, 1] = torch.nextafter(emotion[7, 1], torch.tensor(0.0))
    return replace(clips, emotion=emotion)


def one_other_value(clips):
    spectrogram = clips.spectrogram.clone()
    spectrogram[3, 0, 5, 9] = -spectrogram[3, 0, 5, 9]
    return replace(clips, spectrogram=spectrogram)


def another_order(clips):
    return clips[torch.arange(len(clips)).flip(0)]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("change", [swapped_labels, one_other_label, one_other_value, another_order])
def test_as_many_other_songs_are_refused(make, clips, kind, change):
    make(kind, clips).train()
    names = {swapped_labels: "emotions", one_other_label: "emotions", one_other_value: "spectrograms"}
    name = names.get(change, "emotions .*, spectrograms")
    with pytest.raises(ValueError, match=rf"other data \({name} '\w+' -> '\w+'\)"):
        make(kind, change(clips)).train()


def rounded_otherwise(clips):
    noise = 1e-6 * torch.randn(clips.spectrogram.shape, generator=torch.Generator().manual_seed(0))
    return replace(clips, spectrogram=(clips.spectrogram + noise).clamp(-1, 1))


@pytest.mark.parametrize("kind", KINDS)
def test_spectrograms_of_other_rounding_have_to_be_accepted(make, clips, kind, caplog):
    make(kind, clips, {"held_out_fold": 0}).train()
    with pytest.raises(ValueError, match=r"differ by rounding.*--accept-other-hardware"):
        make(kind, rounded_otherwise(clips), {"held_out_fold": 0}).train()
    make(kind, rounded_otherwise(clips), {"held_out_fold": 0}).train(accept_other_hardware=True)
    assert "other rounding, which was accepted" in caplog.text
    with pytest.raises(ValueError, match=r"other data \(spectrograms "):
        make(kind, one_other_song(clips), {"held_out_fold": 0}).train(accept_other_hardware=True)


def one_other_song(clips):
    spectrogram = clips.spectrogram.clone()
    spectrogram[5] = spectrogram[5].roll(7, -1)
    return replace(clips, spectrogram=spectrogram)


def test_other_label_deviations_of_the_same_mean_are_refused(make, clips):
    deviation = 0.1 + 0.1 * clips.emotion.abs()
    make("recogniser", clips, label_deviation=deviation).train()
    with pytest.raises(ValueError, match=r"other data \(label_deviations "):
        make("recogniser", clips, label_deviation=deviation.flip(0)).train()


def test_other_songs_of_a_pretraining_are_refused(vit_config, recogniser_training, clips, tmp_path):
    from musemo_hf import MusemoViTForEmotionRegression

    training = recogniser_training(pretraining_steps=2)
    for songs in (clips, clips):
        MaskedPretraining(MusemoViTForEmotionRegression(vit_config), songs.spectrogram, training, tmp_path).train()
    other = one_other_value(clips).spectrogram
    run = MaskedPretraining(MusemoViTForEmotionRegression(vit_config), other, training, tmp_path)
    with pytest.raises(ValueError, match=r"other data \(spectrograms "):
        run.train()


def test_how_often_a_run_saves_and_logs_may_change(make, clips, tmp_path):
    make("recogniser", clips).train()
    make("recogniser", clips, checkpoint_every=7, log_every=3).train()


def test_a_hash_covers_type_shape_and_values():
    values = torch.arange(6.0)
    kinds = [values, values.view(2, 3), values.double(), values.to(torch.int32), -values]
    assert len({hash_of(each) for each in kinds}) == len(kinds)
    assert hash_of(values) == hash_of(values.numpy()) == hash_of(torch.arange(12.0)[:6])


def as_if_made_on(run_dir, **hardware):
    for checkpoint in checkpoints(run_dir):
        state = read_state(checkpoint)
        state["hardware"][-1] |= hardware
        (checkpoint / "state.json").write_text(json.dumps(state))
        write_checksums(checkpoint)


@pytest.mark.parametrize("other", [{"device": "cuda (NVIDIA H100)"}, {"processes": 2}])
def test_other_hardware_has_to_be_accepted_and_is_recorded(make, clips, tmp_path, caplog, other):
    from shutil import rmtree

    make("recogniser", clips).train()
    rmtree(checkpoints(tmp_path)[-1])
    as_if_made_on(tmp_path, **other)
    (name, value), now = next(iter(other.items())), {"device": "cpu", "processes": 1}
    message = re.escape(f"made on other hardware ({name} {value!r} -> {now[name]!r})") + ".*--accept-other-hardware"
    with pytest.raises(ValueError, match=message):
        make("recogniser", clips).train()
    make("recogniser", clips).train(accept_other_hardware=True)
    parts = read_state(checkpoints(tmp_path)[-1])["hardware"]
    assert [(part["step"], part[name]) for part in parts] == [(0, value), (1, now[name])]
    assert "was accepted and is recorded" in caplog.text


def test_two_runs_in_one_folder_are_refused(make, clips):
    first, second = make("recogniser", clips), make("recogniser", clips)
    update = first.update

    def meanwhile():
        with pytest.raises(FolderInUseError, match="expected no other process that trains in"):
            second.train()
        return update()

    first.update = meanwhile
    first.train()
    second.train()  # the first has finished


@pytest.fixture
def accelerator():
    """`accelerator(**options)`: a new one, whatever this process had before."""
    AcceleratorState._reset_state(True)
    yield Accelerator
    AcceleratorState._reset_state(True)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"gradient_accumulation_steps": 2}, "expected gradient_accumulation_steps 1, got 2"),
        ({"mixed_precision": "fp16"}, "expected mixed_precision no or bf16, got 'fp16'"),
    ],
)
def test_settings_of_accelerate_that_are_not_obeyed_are_refused(accelerator, options, message):
    with pytest.raises(ValueError, match=message):
        Parallel(accelerator(**options))


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("ACCELERATE_GRADIENT_ACCUMULATION_STEPS", "2", "expected gradient_accumulation_steps 1, got 2"),
        ("ACCELERATE_MIXED_PRECISION", "fp16", "expected mixed_precision no or bf16, got 'fp16'"),
    ],
)
def test_so_are_those_of_the_environment(accelerator, make, clips, monkeypatch, name, value, message):
    monkeypatch.setenv(name, value)
    with pytest.raises(ValueError, match=message):
        make("flow", clips)


def test_bfloat16_of_accelerate_is_obeyed_and_belongs_to_the_run(accelerator, make, clips, tmp_path):
    accelerator()
    full = make("recogniser", clips)
    full.train()
    AcceleratorState._reset_state(True)
    accelerator(mixed_precision="bf16")
    with pytest.raises(ValueError, match=r"other settings \(accelerator.mixed_precision 'no' -> 'bf16'\)"):
        make("recogniser", clips).train()
    half = make("recogniser", clips, seed=0)
    half.run_dir = None
    half.train()
    assert half.values["loss"] != full.values["loss"]
    assert half.values["loss"] == pytest.approx(full.values["loss"], rel=0.05)
