"""What the training loop promises, for each of the trainers: an exact resumption, and no loss by any end of a run."""

import json
import math
import shutil
import subprocess
import sys
import time

import pytest
import torch

from musemo_hf import MusemoViTConfig, MusemoViTForEmotionRegression
from musemo_hf.training.checkpoint import CheckpointError, checkpoints, read_state
from musemo_hf.training.flow.settings import FlowTraining
from musemo_hf.training.flow.trainer import FlowTrainer
from musemo_hf.training.gan.trainer import GanTrainer
from musemo_hf.training.log import read_statistics
from musemo_hf.training.loop import RedFlagError, is_due
from musemo_hf.training.recogniser.masked_pretraining import MaskedPretraining
from musemo_hf.training.recogniser.trainer import RecogniserTrainer
from musemo_hf.training.unet.settings import UNetTraining
from musemo_hf.training.unet.trainer import UNetTrainer

STEPS = 8
FLOW = {"n_frames": 32, "patch_size": (128, 4), "n_components": 8, "width": 16, "depth": 1, "n_heads": 2}
UNET = {"n_frames": 32, "channels": (32, 32), "attention": (False, True), "condition_width": 8}
FULL_RECOGNISER = {"window_frames": 24, "uncertainty": True}
KINDS = {  # name: (statistics and class of the trainer, changes of its training)
    "gan": ("gan", {}),
    "gan, balanced often": ("gan", {"balance_window": 2, "accuracy_band": (0.0, 1e-6)}),
    "flow": ("flow", {}),
    "flow, rolled and mixed": ("flow", {"roll": True, "profile_mix": 0.3}),
    "U-Net": ("unet", {"augmented_share": 0.5, "whole_share": 0.4}),
    "recogniser": ("recogniser", {}),
    "recogniser, every value": (
        "recogniser",
        {"layer_decay": 0.7, "augmentation": "shift_gain+mixup", "pretraining_steps": 5},
    ),
    "pretraining": ("pretraining", {}),
}
TRAINERS = ("gan", "flow", "recogniser", "pretraining")


@pytest.fixture
def trainer(gan_config, gan_training, vit_config, recogniser_training, clips, tmp_path):
    """`trainer(kind, folder, **changes)`: eight updates, a checkpoint every three; the folder None writes nothing."""

    def make(kind, folder="run", **changes):
        (name, given), run_dir = KINDS[kind], None if folder is None else tmp_path / folder
        changes = given | changes
        if name == "gan":
            return GanTrainer(gan_config, gan_training(**changes), clips, run_dir)
        if name == "flow":
            short = {"steps": STEPS, "batch_size": 4, "log_every": 1, "checkpoint_every": 3, "warmup_steps": 2}
            return FlowTrainer(FLOW, FlowTraining(**(short | changes)), clips, run_dir)
        if name == "unet":
            short = {"steps": STEPS, "batch_size": 2, "crop_frames": 16, "log_every": 1, "checkpoint_every": 3}
            config = UNET | {"augmentations": ("gain", "band_shift")}
            return UNetTrainer(config, UNetTraining(**(short | {"pictures": 0} | changes)), clips, run_dir)
        if name == "recogniser":
            full = FULL_RECOGNISER if given else {}
            config = MusemoViTConfig(**{**vit_config.to_diff_dict(), **full})
            spread = 0.1 + 0.1 * clips.emotion.abs() if given else None
            return RecogniserTrainer(config, recogniser_training(**changes), clips, run_dir, label_deviation=spread)
        torch.manual_seed(0)
        model = MusemoViTForEmotionRegression(vit_config)
        training = recogniser_training(pretraining_steps=changes.pop("steps", STEPS), **changes)
        return MaskedPretraining(model, clips.spectrogram, training, run_dir)

    return make


def statistics(kind, folder):
    return (folder / f"{KINDS[kind][0]}.jsonl").read_text()


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_resumed_at_any_step_is_the_unbroken_one(trainer, state, assert_same, tmp_path, kind):
    unbroken = trainer(kind, "unbroken", checkpoint_every=1)
    unbroken.keep = STEPS
    unbroken.train()
    found = checkpoints(tmp_path / "unbroken")
    assert [read_state(path)["step"] for path in found] == list(range(1, STEPS + 1))
    for checkpoint in found:
        folder = tmp_path / f"from-{checkpoint.name}"
        shutil.copytree(checkpoint, folder / checkpoint.name)
        shutil.copy(tmp_path / "unbroken" / f"{KINDS[kind][0]}.jsonl", folder)
        resumed = trainer(kind, folder.name, checkpoint_every=1)
        resumed.train()
        assert_same(state(unbroken), state(resumed))
        assert statistics(kind, folder) == statistics(kind, tmp_path / "unbroken")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("cut", [2, 4, 7])
def test_a_run_cut_off_between_checkpoints_is_the_unbroken_one(
    trainer, interrupt, state, assert_same, tmp_path, kind, cut
):
    unbroken, broken, resumed = (trainer(kind, folder) for folder in ("unbroken", "broken", "broken"))
    unbroken.train()
    interrupt(broken, cut)
    assert [read_state(path)["step"] for path in checkpoints(tmp_path / "broken")][-1:] == [3 * (cut // 3)][: cut // 3]
    torch.rand(100)  # the global generator's state does not matter
    resumed.train()
    assert_same(state(unbroken), state(resumed))
    assert statistics(kind, tmp_path / "broken") == statistics(kind, tmp_path / "unbroken")


@pytest.mark.parametrize("kind", TRAINERS)
def test_the_last_checkpoint_and_line_alone_where_none_is_asked_for_between(trainer, tmp_path, kind):
    trainer(kind, log_every=0, checkpoint_every=0).train()
    lines = read_statistics(tmp_path / "run" / f"{kind}.jsonl")
    assert lines[-1]["step"] == STEPS - 1
    assert [line["step"] for line in lines if "kid" not in line] == ([] if kind == "gan" else [STEPS - 1])
    assert [read_state(path)["step"] for path in checkpoints(tmp_path / "run")] == [STEPS]
    with pytest.raises(ValueError, match="or 0 for none but the last, got -1"):
        trainer(kind, "negative", checkpoint_every=-1).train()


@pytest.mark.parametrize("kind", TRAINERS)
def test_the_newest_checkpoints_stay(trainer, tmp_path, kind):
    trainer(kind).train()
    assert [read_state(path)["step"] for path in checkpoints(tmp_path / "run")] == [6, 8]


@pytest.mark.parametrize("kind", ["recogniser", "pretraining"])
def test_without_a_folder_nothing_is_written(trainer, tmp_path, kind):
    trainer(kind, None).train()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", TRAINERS)
def test_a_finished_run_is_not_trained_again(trainer, state, assert_same, kind):
    first, again = trainer(kind), trainer(kind)
    first.train()
    again.update = lambda: pytest.fail("the run was finished")
    again.train()
    assert_same(state(first), state(again))


@pytest.mark.parametrize("kind", TRAINERS)
def test_the_seed_decides_and_the_global_generator_does_not(trainer, state, assert_same, kind):
    states = []
    for folder, seed in (("a", 0), ("b", 0), ("c", 1)):
        torch.rand(10 + len(states))
        run = trainer(kind, folder, steps=2, seed=seed)
        run.train()
        states.append(state(run))
    assert_same(*states[:2])
    assert any(torch.is_tensor(v) and not torch.equal(v, states[2][name]) for name, v in states[0].items())


@pytest.mark.parametrize("kind", TRAINERS)
def test_other_settings_are_refused(trainer, kind):
    trainer(kind, steps=2).train()
    with pytest.raises(ValueError, match=r"made with other settings \(batch_size \d -> 5\): choose another folder"):
        trainer(kind, steps=2, batch_size=5).train()


def test_a_checkpoint_of_an_older_version_is_refused(trainer, tmp_path):
    trainer("flow", steps=1).train()
    (checkpoint,) = checkpoints(tmp_path / "run")
    (checkpoint / "SHA256SUMS").unlink()
    with pytest.raises(ValueError, match="made by an older version and cannot be resumed"):
        trainer("flow", steps=1).train()


@pytest.mark.parametrize("kind", TRAINERS)
@pytest.mark.parametrize("what", ["weight", "gradient"])
def test_nan_stops_the_run_before_a_checkpoint_keeps_it(trainer, tmp_path, kind, what):
    run = trainer(kind, steps=20, checkpoint_every=2, log_every=0)
    update = run.update

    def spoil():
        if run.step == 3:  # checkpoint 4 would be the first to hold it
            network = next(iter(run.objects.values()))
            weight = [parameter for parameter in network.parameters() if parameter.requires_grad][-1]
            if what == "weight":
                weight.data[0] = torch.nan
            else:
                weight.register_hook(lambda gradient: gradient * torch.nan)
        return update()

    run.update = spoil
    with pytest.raises(RedFlagError, match=r"red flag at step 4: .* is nan; last good checkpoint: .*-00000002$"):
        run.train()
    assert [read_state(path)["step"] for path in checkpoints(tmp_path / "run")] == [2]
    again = trainer(kind, steps=20, checkpoint_every=2, log_every=0)
    assert again._resume()
    assert again.step == 2
    tensors = [value for network in (next(iter(again.objects.values())),) for value in network.state_dict().values()]
    assert all(torch.isfinite(value).all() for value in tensors)


@pytest.mark.parametrize("kind", TRAINERS)
def test_nan_is_seen_soon_where_nothing_is_logged(trainer, kind):
    run = trainer(kind, steps=40, log_every=0, checkpoint_every=0, **{"check_every": 0} if kind == "gan" else {})
    update = run.update
    run.update = lambda: update() | ({"loss": torch.tensor(math.inf)} if run.step == 12 else {})
    with pytest.raises(RedFlagError, match=r"red flag at step 20: loss is inf; last good checkpoint: None"):
        run.train()


@pytest.mark.parametrize("name", ["discriminator_loss", "generator_gradient", "penalty"])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_no_loss_gradient_or_penalty_may_be_infinite(trainer, name, value):
    run = trainer("gan", steps=2)
    update = run.update
    run.update = lambda: update() | {name: value}
    with pytest.raises(RedFlagError, match=rf"red flag at step 1: {name} is {value}"):
        run.train()


def test_a_step_goes_down_the_clipped_gradient_of_its_own_loss(trainer):
    run, network = trainer("flow"), torch.nn.Linear(2, 1, bias=False)
    expected, optimizer = network.weight.detach().clone(), torch.optim.SGD(network.parameters(), 1.0)
    for _ in range(3):  # a gradient that stayed would add up
        loss = network(torch.tensor([[3.0, 4.0]])).sum()
        values = run.descend(loss, network, optimizer, norm=1.0)
        expected -= torch.tensor([[0.6, 0.8]])
        torch.testing.assert_close(network.weight.detach(), expected)
        assert (values["loss"].item(), values["gradient"].item()) == (loss.item(), pytest.approx(5.0))


@pytest.mark.parametrize("kind", TRAINERS)
def test_a_checkpoint_that_cannot_be_written_stops_the_run_and_keeps_the_last(trainer, tmp_path, monkeypatch, kind):
    run = trainer(kind, steps=6)
    write = torch.save

    def full(states, file):
        if run.step == 6:
            raise OSError(28, "No space left on device")
        write(states, file)

    monkeypatch.setattr("musemo_hf.training.checkpoint.torch.save", full)
    with pytest.raises(CheckpointError, match=r"checkpoint-00000006.*No space left.*still stands"):
        run.train()
    monkeypatch.undo()
    assert [read_state(path)["step"] for path in checkpoints(tmp_path / "run")] == [3]
    assert not list((tmp_path / "run").glob("*.part"))
    resumed = trainer(kind, steps=6)
    resumed.train()
    assert resumed.step == 6


KILLED = """
import os, sys
from musemo_hf import MusemoViTConfig
from musemo_hf.training import checkpoint
from musemo_hf.training.clips import Clips
from musemo_hf.training.recogniser.settings import RecogniserTraining
from musemo_hf.training.recogniser.trainer import RecogniserTrainer
from musemo_hf.training.unet.settings import UNetTraining
from musemo_hf.training.unet.trainer import UNetTrainer
import torch

generator = torch.Generator().manual_seed(0)
clips = Clips(torch.rand(8, 1, 128, 32, generator=generator), torch.rand(8, 2, generator=generator))
config = MusemoViTConfig(n_frames=32, patch_size=(16, 16), hidden_size=16, num_hidden_layers=1, num_attention_heads=2,
                         intermediate_size=32)
training = RecogniserTraining(steps=6, batch_size=4, log_every=1, checkpoint_every=2)
run = RecogniserTrainer(config, training, clips, sys.argv[1])
save = checkpoint.save_file

def killed(weights, path, metadata):
    if run.step == 4 and "averaged" in str(path) and len(sys.argv) > 2:
        path.write_bytes(b"half of the wei")
        os.kill(os.getpid(), 9)
    save(weights, path, metadata)

checkpoint.save_file = killed
run.train()
"""


def test_a_kill_while_a_checkpoint_is_written_loses_nothing(tmp_path):
    def run(folder, *arguments):
        command = [sys.executable, "-c", KILLED, str(tmp_path / folder), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    broken = run("broken", "killed")
    assert broken.returncode == -9, broken.stderr
    assert [path.name for path in checkpoints(tmp_path / "broken")] == ["checkpoint-00000002"]
    assert len(list((tmp_path / "broken").glob("checkpoint-00000004.*.part"))) == 1
    for folder in ("broken", "unbroken"):
        assert run(folder).returncode == 0
    assert not list((tmp_path / "broken").glob("*.part"))
    assert [path.name for path in checkpoints(tmp_path / "broken")] == ["checkpoint-00000004", "checkpoint-00000006"]
    for file in ("recogniser.jsonl", "checkpoint-00000006/averaged_recogniser/model.safetensors"):
        assert (tmp_path / "broken" / file).read_bytes() == (tmp_path / "unbroken" / file).read_bytes()


def test_a_budget_of_seconds_ends_the_run_and_is_kept(trainer, tmp_path, monkeypatch):
    now = iter(range(10_000))
    monkeypatch.setattr(time, "perf_counter", lambda: float(next(now)))
    run = trainer("flow", steps=1000, seconds=5.0, checkpoint_every=2)
    run.train()
    assert (run.step, run.seconds) == (5, 5.0)
    assert read_state(checkpoints(tmp_path / "run")[-1])["seconds"] == 5.0
    again = trainer("flow", steps=1000, seconds=5.0, checkpoint_every=2)
    again.train()
    assert again.step == 5  # nothing is left of the budget
    assert run._rate() == pytest.approx(0, abs=1e-9)


def test_values_wait_on_the_device_until_somebody_needs_them(trainer, tmp_path):
    run = trainer("gan", steps=6, log_every=3, check_every=100, checkpoint_every=100)
    observe, seen = run.observe, []

    def record(values):
        seen.append(run.step)
        observe(values)

    run.observe = record
    run.train()
    assert seen == [3, 3, 3, 6, 6, 6]
    assert len(run.red_flags.accuracies) == 6
    lines = read_statistics(tmp_path / "run" / "gan.jsonl")
    assert [line["step"] for line in lines] == [2, 5]
    assert isinstance(lines[0]["discriminator_every"], int)


def test_parts_of_a_checkpoint_are_for_from_pretrained(trainer, tmp_path):
    made = trainer("recogniser").train()
    checkpoint = checkpoints(tmp_path / "run")[-1]
    loaded = MusemoViTForEmotionRegression.from_pretrained(checkpoint / "averaged_recogniser")
    assert all(torch.equal(value, loaded.state_dict()[name]) for name, value in made.state_dict().items())
    assert json.loads((checkpoint / "recogniser/config.json").read_text())["architectures"] == [type(made).__name__]


@pytest.mark.parametrize(
    ("step", "every", "done", "due"),
    [(1, 3, False, False), (3, 3, False, True), (1, 0, False, False), (1, 0, True, True)],
)
def test_is_due(step, every, done, due):
    assert is_due(step, every, done) == due
