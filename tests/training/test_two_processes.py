"""Two processes on a CPU, as `ACCELERATE_USE_CPU=1 torchrun --nproc_per_node 2` starts them (gloo)."""

import json
import os
import subprocess
import sys

import pytest

SCRIPT = """
import json
import shutil
import sys
from pathlib import Path

import torch
import torch.distributed
from accelerate import Accelerator

from musemo_hf import MusemoGanConfig, MusemoViTConfig
from musemo_hf.training.clips import Clips
from musemo_hf.training.configuration import GanTraining, RecogniserTraining
from musemo_hf.training.flow.settings import FlowTraining
from musemo_hf.training.flow.trainer import FlowTrainer
from musemo_hf.training.gan.trainer import GanTrainer
from musemo_hf.training.launch import finish
from musemo_hf.training.recogniser.trainer import RecogniserTrainer


def main(accelerator):
    folder = Path(sys.argv[1])
    rank, world_size = accelerator.process_index, accelerator.num_processes
    assert world_size == 2 == torch.distributed.get_world_size()
    assert torch.distributed.get_backend() == "gloo"

    generator = torch.Generator().manual_seed(0)
    mels, emotion = torch.rand(20, 1, 128, 32, generator=generator), torch.rand(20, 2, generator=generator)
    clips = Clips(mels * 2 - 1, emotion * 2 - 1)
    gan = MusemoGanConfig(n_frames=32, generator_channels=16, discriminator_channels=4, group_norm_groups=2)
    vit = MusemoViTConfig(n_frames=32, patch_size=(16, 16), hidden_size=16, num_hidden_layers=1,
                          num_attention_heads=2, intermediate_size=32, regression_loss="mse")
    short = GanTraining(steps=4, batch_size=4, log_every=1, check_every=2, checkpoint_every=2, instance_noise=0.0)
    recogniser = RecogniserTraining(steps=4, batch_size=8, log_every=1, checkpoint_every=2)

    def gathered(model):
        flat = torch.cat([p.detach().flatten().double() for p in model.parameters()])
        return accelerator.gather(flat[None])

    def same_everywhere(model):
        first, second = gathered(model)
        assert torch.equal(first, second), (first - second).abs().max()
        return first

    # one model over both processes
    trainer = GanTrainer(gan, short, clips, folder / "gan", accelerator)
    assert trainer.parallel.world == 2
    averaged = trainer.train()
    for model in (trainer.generator, trainer.discriminator, averaged):
        same_everywhere(model)

    model = RecogniserTrainer(vit, recogniser, clips, folder / "recogniser", accelerator).train()
    split = same_everywhere(model)

    # the squared error of a batch is the mean over its halves: two processes give what one gives
    alone = RecogniserTrainer(vit, recogniser, clips, None, accelerator, data_parallel=False).train()
    one = torch.cat([p.detach().flatten().double() for p in alone.parameters()])
    difference = (split - one).abs().max().item()
    assert difference < 1e-5, difference

    # a resumed run of two ends where the unbroken one ended
    half = "checkpoint-00000002"
    if rank == 0:
        shutil.copytree(folder / "gan" / half, folder / "broken" / half)
    accelerator.wait_for_everyone()
    resumed = GanTrainer(gan, short, clips, folder / "broken", accelerator)
    resumed.train()
    assert torch.equal(same_everywhere(resumed.generator), same_everywhere(trainer.generator))

    # a run of two processes goes on in one only where that is accepted
    other = None
    if rank == 0:
        shutil.copytree(folder / "gan" / half, folder / "fewer" / half)
        try:
            GanTrainer(gan, short, clips, folder / "fewer", accelerator, data_parallel=False).train()
        except ValueError as error:
            other = str(error)
        GanTrainer(gan, short, clips, folder / "fewer", accelerator, data_parallel=False).train(True)
        state = json.loads((folder / "fewer/checkpoint-00000004/state.json").read_text())
        other = [other, [part["processes"] for part in state["hardware"]]]
    accelerator.wait_for_everyone()

    # what each process pretrains alone is the same in both, and written once
    pretraining = RecogniserTraining(**{**vars(recogniser), "pretraining_steps": 3, "checkpoint_every": 2})
    same_everywhere(RecogniserTrainer(vit, pretraining, clips, folder / "pretrained", accelerator).train())
    assert len((folder / "pretrained/pretraining/pretraining.jsonl").read_text().splitlines()) == 3
    assert not list((folder / "pretrained/pretraining").glob("checkpoint-*"))

    # a budget of seconds ends both after the same update
    values = {"n_frames": 32, "patch_size": (128, 4), "n_components": 8, "width": 16, "depth": 1, "n_heads": 2}
    timed = FlowTraining(steps=10**6, batch_size=4, seconds=0.2, checkpoint_every=0)
    flow = FlowTrainer(values, timed, clips, folder / "flow", accelerator)
    same_everywhere(flow.train())
    steps = accelerator.gather(torch.tensor([flow.step])).tolist()
    assert steps[0] == steps[1] < 10**6

    # two models side by side: nothing is exchanged, and each writes its own
    own = RecogniserTraining(**{**vars(recogniser), "seed": rank})
    apart = RecogniserTrainer(vit, own, clips, folder / f"own{rank}", accelerator, data_parallel=False).train()
    left, right = gathered(apart)
    assert not torch.equal(left, right)
    assert len((folder / f"own{rank}" / "recogniser.jsonl").read_text().splitlines()) == 4
    again = RecogniserTrainer(vit, own, clips, folder / f"own{rank}", accelerator, data_parallel=False).train()
    for before, after in zip(apart.state_dict().values(), again.state_dict().values(), strict=True):
        assert torch.equal(before, after)  # from its own checkpoint, whatever its rank

    try:
        RecogniserTrainer(vit, RecogniserTraining(steps=1, batch_size=3), clips, None, accelerator).train()
    except ValueError as error:
        message = str(error)
    accelerator.wait_for_everyone()
    if accelerator.is_main_process:
        lines = len((folder / "gan" / "gan.jsonl").read_text().splitlines())
        result = {"world_size": world_size, "gan_lines": lines, "odd_batch": message, "other": other}
        (folder / "result.json").write_text(json.dumps(result))


accelerator = Accelerator()
main(accelerator)
finish(accelerator)  # as the scripts of training/ do, when no trainer is left
"""


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    folder = tmp_path_factory.mktemp("two")
    (folder / "script.py").write_text(SCRIPT)
    launch = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--nproc_per_node",
        "2",
        "--master_port",
        "0",
        "--standalone",
    ]
    environment = {**os.environ, "ACCELERATE_USE_CPU": "1", "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    finished = subprocess.run(
        [*launch, str(folder / "script.py"), str(folder)],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
        timeout=600,  # a bound against hanging, not a claim about speed
    )
    assert finished.returncode == 0, finished.stderr[-4000:]
    return json.loads((folder / "result.json").read_text())


def test_two_processes_train_one_model_and_two_models(result):
    """What must be equal on both ranks is asserted inside the script, which fails if it is not."""
    assert result["world_size"] == 2


def test_statistics_are_written_once(result):
    assert result["gan_lines"] == 4


def test_a_batch_that_does_not_divide_is_refused(result):
    assert "expected a batch size that 2 processes divide, got 3" in result["odd_batch"]


def test_fewer_processes_have_to_be_accepted_and_are_recorded(result):
    refused, processes = result["other"]
    assert "made on other hardware (processes 2 -> 1)" in refused
    assert processes == [2, 1]
