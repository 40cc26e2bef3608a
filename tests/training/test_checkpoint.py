import re
import subprocess
import sys

import pytest
import torch
from torch.optim.swa_utils import AveragedModel

from musemo_hf import MusemoGanGenerator
from musemo_hf.training.checkpoint import (
    CheckpointError,
    checkpoints,
    load_checkpoint,
    read_state,
    save_checkpoint,
)
from musemo_hf.training.gan.balance import UpdateBalance


@pytest.fixture
def save(tmp_path, gan_config):
    model = MusemoGanGenerator(gan_config)

    def run(step, **changes):
        return save_checkpoint(tmp_path, step, {"generator": model}, **({"state": {"a": 1}} | changes))

    return run


def test_written_and_read(save, tmp_path):
    path = save(7)
    assert checkpoints(tmp_path) == [path]
    assert read_state(path) == {"step": 7, "a": 1}
    assert MusemoGanGenerator.from_pretrained(path / "generator").config.n_frames == 32


def test_objects_are_restored_in_place(tmp_path, gan_config):
    def objects(seed):
        torch.manual_seed(seed)
        model = MusemoGanGenerator(gan_config)
        average, optimizer = AveragedModel(model), torch.optim.SGD(model.parameters(), 0.1, momentum=0.9)
        balance = UpdateBalance(count=seed)
        model.generate([[0.0, 0.0]], seed=0)
        for _ in range(seed):
            sum(parameter.sum() for parameter in model.parameters()).backward()
            optimizer.step()
            average.update_parameters(model)
        return {"generator": model, "averaged_generator": average, "optimizer": optimizer, "balance": balance}

    saved, loaded = objects(2), objects(1)
    path = save_checkpoint(tmp_path, 7, saved, {"a": 1})
    assert load_checkpoint(path, loaded) == {"step": 7, "a": 1}
    assert loaded["balance"] == saved["balance"]
    assert loaded["averaged_generator"].n_averaged == 2
    for name in ("generator", "averaged_generator"):
        weights = loaded[name].state_dict()
        assert all(torch.equal(value, weights[key]) for key, value in saved[name].state_dict().items())
    moments = [part.state_dict()["state"][0]["momentum_buffer"] for part in (saved["optimizer"], loaded["optimizer"])]
    assert torch.equal(*moments)


def test_the_newest_stay_in_order_of_steps(save, tmp_path):
    for step in (9, 10, 100, 11):
        save(step)
    assert [read_state(path)["step"] for path in checkpoints(tmp_path)] == [11, 100]


def test_writing_again_replaces(save, tmp_path):
    save(5)
    save(5, state={"a": 2})
    assert [read_state(path)["a"] for path in checkpoints(tmp_path)] == [2]


def test_an_interrupted_writing_leaves_the_old_one(save, tmp_path, monkeypatch):
    good = save(1)

    def half(weights, path, metadata):
        path.write_bytes(b"half of the wei")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("musemo_hf.training.checkpoint.save_file", half)
    with pytest.raises(
        CheckpointError, match=r"checkpoint-00000002: .*No space left.*last good checkpoint still stands"
    ):
        save(2)
    assert checkpoints(tmp_path) == [good]
    assert [path.name for path in tmp_path.iterdir()] == [good.name]  # nothing half-written is left
    MusemoGanGenerator.from_pretrained(good / "generator")


def test_a_killed_writing_leaves_the_old_one_and_is_cleared_by_the_next(save, tmp_path):
    good = save(1)
    partial = tmp_path / "checkpoint-00000002.part"
    (partial / "generator").mkdir(parents=True)
    (partial / "state.json").write_text('{"step": 2}')
    assert checkpoints(tmp_path) == [good]
    save(2)
    assert not partial.exists()
    assert len(checkpoints(tmp_path)) == 2


# the limit makes the operating system refuse to write, as a full disk does, in the middle of a file
FULL_DISK = """
import resource, sys
from pathlib import Path
import torch
from musemo_hf import MusemoGanConfig, MusemoGanGenerator
from musemo_hf.training.checkpoint import CheckpointError, checkpoints, save_checkpoint

run_dir = Path(sys.argv[1])
config = MusemoGanConfig(n_frames=32, generator_channels=16, discriminator_channels=4, group_norm_groups=2)
model = MusemoGanGenerator(config)
large = torch.optim.Adam([torch.zeros(200_000, requires_grad=True)])
large.param_groups[0]["params"][0].sum().backward()
large.step()
save_checkpoint(run_dir, 1, {"generator": model}, {})
resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, resource.RLIM_INFINITY))
for objects in ({"generator": model}, {"optimizer": large}):
    try:
        save_checkpoint(run_dir, 2, objects, {})
    except CheckpointError as error:
        print(error)
MusemoGanGenerator.from_pretrained(checkpoints(run_dir)[-1] / "generator")
"""


def test_a_disk_that_takes_no_more_loses_nothing(tmp_path):
    finished = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert finished.returncode == 0, finished.stderr
    assert len(re.findall("could not write .*checkpoint-00000002", finished.stdout)) == 2  # weights, optimizers
    assert finished.stdout.count("the last good checkpoint still stands") == 2
    assert finished.stdout.count("File too large") == 2  # the cause, as the operating system names it
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint-00000001"]


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "run").write_text("a file where the folder should be")
    with pytest.raises(CheckpointError, match="could not write"):
        save_checkpoint(tmp_path / "run", 1, {}, {})
