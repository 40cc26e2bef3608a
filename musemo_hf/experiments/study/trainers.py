"""GAN and flow in the same seat of a study: one way to make their trainers and to load what they made."""

from dataclasses import replace
from inspect import signature
from pathlib import Path
from typing import Any

from accelerate import Accelerator

from musemo_hf.models.flow import MusemoFlowGenerator
from musemo_hf.models.gan import MusemoGanConfig, MusemoGanGenerator
from musemo_hf.training.clips import Clips
from musemo_hf.training.flow.trainer import FlowTrainer
from musemo_hf.training.gan.trainer import GanTrainer

from .plan import TEACHER, StudyConfiguration

ENDLESS = 10**9  # updates: the seconds end the training


def check_networks(configuration: StudyConfiguration, n_frames: int) -> None:
    """Refuse values that no network knows: a rung with a misspelt one would be the baseline again.

    Raises:
        ValueError: an unknown value, or one that the network refuses.
    """
    known = {
        "generator": set(MusemoGanConfig().to_dict()),
        "flow": set(signature(MusemoFlowGenerator.__init__).parameters),
    }
    for rung in configuration.variants:
        merged = configuration.of_variant(rung)
        for section, names in known.items():
            if unknown := sorted(set(getattr(merged, section)) - names):
                raise ValueError(f"variants: {rung}: {section}: expected known values, got {', '.join(unknown)}")
        untaught = {key: value for key, value in merged.generator.items() if value != TEACHER}  # which is not there yet
        MusemoGanConfig(n_frames=n_frames, **untaught)


def make_trainer(
    configuration: StudyConfiguration,
    n_frames: int,
    seed: int,
    seconds: float | None,
    clips: Clips,
    run_dir: Path,
    accelerator: Accelerator,
) -> Any:
    """A trainer whose `train()` returns the averaged generator.

    Args:
        configuration: of the rung.
        n_frames: of a clip.
        seed: of the training.
        seconds: a flow's budget of training time; None for a GAN, whose updates are counted.
        clips: to train on.
        run_dir: its checkpoints.
        accelerator: of the launch.
    """
    if seconds is None:
        config = MusemoGanConfig(n_frames=n_frames, **configuration.generator)
        training = replace(configuration.gan_training, seed=seed)
        return GanTrainer(config, training, clips, run_dir, accelerator, data_parallel=False)
    flow = {"n_frames": n_frames, **configuration.flow}
    timed = replace(configuration.flow_training, seed=seed, steps=ENDLESS, epochs=None, seconds=seconds)
    return FlowTrainer(flow, timed, clips, run_dir, accelerator, data_parallel=False)


def load_generator(folder: Path, is_flow: bool) -> Any:
    """A trained generator, with `generate(emotion, seed)`."""
    return (MusemoFlowGenerator if is_flow else MusemoGanGenerator).from_pretrained(folder)
