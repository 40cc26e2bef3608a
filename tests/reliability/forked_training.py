"""Trainings in children of one process, which imports torch once: FOLDER KIND, then one line of JSON for each training.

A line {"run": NAME, "kill": SECONDS or null, "full": BYTES or null} trains in FOLDER/NAME, with a SIGKILL after so many
seconds of training, or with files that the operating system refuses to make larger. The answer is a line of JSON:
{"status": EXIT STATUS, negative for a signal, "error": TEXT}.
"""

import json
import os
import resource
import signal
import sys
import time
from pathlib import Path

import torch
from accelerate import Accelerator

from musemo_hf import MusemoGanConfig, MusemoViTConfig
from musemo_hf.training.clips import Clips
from musemo_hf.training.flow.settings import FlowTraining
from musemo_hf.training.flow.trainer import FlowTrainer
from musemo_hf.training.gan.settings import GanTraining
from musemo_hf.training.gan.trainer import GanTrainer
from musemo_hf.training.recogniser.settings import RecogniserTraining
from musemo_hf.training.recogniser.trainer import RecogniserTrainer

COMMON = {"steps": 16, "batch_size": 4, "log_every": 1, "checkpoint_every": 2}


def trainer(kind, folder):
    """Return a small trainer of a kind."""
    generator = torch.Generator().manual_seed(0)
    clips = Clips(torch.rand(12, 1, 128, 32, generator=generator), torch.rand(12, 2, generator=generator))
    if kind == "gan":
        config = MusemoGanConfig(n_frames=32, generator_channels=16, discriminator_channels=4, group_norm_groups=2)
        return GanTrainer(config, GanTraining(check_every=4, **COMMON), clips, folder)
    if kind == "flow":
        config = {"n_frames": 32, "patch_size": (128, 4), "n_components": 8, "width": 16, "depth": 1, "n_heads": 2}
        return FlowTrainer(config, FlowTraining(**COMMON), clips, folder)
    shape = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    config = MusemoViTConfig(n_frames=32, patch_size=(16, 16), **shape)
    return RecogniserTrainer(config, RecogniserTraining(pretraining_steps=4, **COMMON), clips, folder)


def child(kind, folder, line):
    """Train as a line says; the exit status is 3 where an error arose."""
    run = trainer(kind, folder)
    if line.get("full") is not None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (line["full"], resource.RLIM_INFINITY))
    if line.get("kill") is not None:
        signal.signal(signal.SIGALRM, lambda *_: os.kill(os.getpid(), signal.SIGKILL))
        signal.setitimer(signal.ITIMER_REAL, line["kill"])
    try:
        started = time.perf_counter()
        run.train()
        Path(f"{folder}.seconds").write_text(str(time.perf_counter() - started))
    except Exception as error:
        Path(folder).mkdir(parents=True, exist_ok=True)
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        Path(f"{folder}.error").write_text(f"{type(error).__name__}: {error}")
        os._exit(3)
    os._exit(0)


def main():
    """Answer each line of standard input."""
    root, kind = Path(sys.argv[1]), sys.argv[2]
    torch.set_num_threads(1)
    Accelerator()
    for text in sys.stdin:
        line = json.loads(text)
        folder = root / line["run"]
        sys.stdout.flush()
        pid = os.fork()
        if pid == 0:
            child(kind, folder, line)
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        error = Path(f"{folder}.error")
        print(json.dumps({"status": status, "error": error.read_text() if status == 3 else ""}), flush=True)


main()
