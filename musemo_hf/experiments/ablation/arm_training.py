"""The training of an arm's recogniser: on one set of clips, or on two after each other."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from accelerate import Accelerator

from musemo_hf.models.vit import MusemoViTConfig, MusemoViTForEmotionRegression
from musemo_hf.training.checkpoint import checkpoints
from musemo_hf.training.clips import Clips
from musemo_hf.training.configuration import Configuration
from musemo_hf.training.recogniser.settings import RecogniserTraining
from musemo_hf.training.recogniser.trainer import RecogniserTrainer
from musemo_hf.training.sampler import total_steps

from .material import Arm

PRETRAINING_SHARE = 0.5  # of the updates of an arm with pretraining
KERNEL = "kernel."  # the head in closed form, which is fitted to the last set of clips alone


class ArmTraining:
    """Trains the recogniser of an arm; all arms get the common number of updates, times their own factor.

    Args:
        configuration: The settings of recogniser and training.
        arm: The training set.
        seed: The seed of weights, batches and augmentation.
        folder: The folder of the checkpoints, from which the training is resumed.
        accelerator: The accelerator of the launch.
    """

    def __init__(
        self, configuration: Configuration, arm: Arm, seed: int, folder: Path, accelerator: Accelerator
    ) -> None:
        self.arm, self.folder, self.accelerator = arm, folder, accelerator
        self.recogniser = {"n_frames": arm.clips.spectrogram.shape[-1], **configuration.recogniser}
        training = replace(configuration.recogniser_training, seed=seed)
        if arm.augmentation not in ("none", *training.augmentation.split("+")):  # on top of what every arm gets
            both = [name for name in (training.augmentation, arm.augmentation) if name != "none"]
            training = replace(training, augmentation="+".join(both))
        if training.epochs is None:
            training = replace(training, steps=round(training.steps * arm.steps_factor))
        self.training = training
        self.steps = total_steps(training.steps, training.epochs, len(arm.clips), training.batch_size)
        self.pretraining_steps = 0 if arm.pretraining is None else round(PRETRAINING_SHARE * self.steps)

    def train(self, accept_other_hardware: bool = False) -> MusemoViTForEmotionRegression:
        """Train, and remove the checkpoints.

        Args:
            accept_other_hardware: See `TrainingLoop.train`.
        """
        before, training = None, self.training
        if self.arm.pretraining is not None:
            first = replace(training, steps=self.pretraining_steps, epochs=None)
            trainer = self._trainer(self.arm.pretraining, first, self.folder / "pretraining")
            before = trainer.train(accept_other_hardware)
            training = replace(training, steps=self.steps - self.pretraining_steps, epochs=None)
        trainer = self._trainer(self.arm.clips, training, self.folder)
        if before is not None:
            learnt = {name: value for name, value in before.state_dict().items() if not name.startswith(KERNEL)}
            trainer.network.load_state_dict(learnt, strict=False)
        model = trainer.train(accept_other_hardware)
        for checkpoint in self._checkpoints():
            shutil.rmtree(checkpoint)  # the optimizer states of dozens of trainings would fill a disk
        return model

    def _trainer(self, clips: Clips, training: RecogniserTraining, folder: Path) -> RecogniserTrainer:
        config = MusemoViTConfig(**self.recogniser)  # one for each model, into which the kernel head writes
        return RecogniserTrainer(config, training, clips, folder, self.accelerator, data_parallel=False)

    def _checkpoints(self) -> Iterator[Path]:
        yield from checkpoints(self.folder)
        yield from checkpoints(self.folder / "pretraining")

    def exposures(self) -> dict[str, float]:
        """Return the number of updates and of clips, and how often each real and each added clip is seen."""
        arm, batch_size = self.arm, self.training.batch_size
        drawn = (self.steps - self.pretraining_steps) * batch_size / len(arm.clips)
        added = len(arm.clips) > arm.n_real
        before = 0.0 if arm.pretraining is None else self.pretraining_steps * batch_size / len(arm.pretraining)
        return {
            "steps": self.steps,
            "n_clips": len(arm.clips) + (0 if arm.pretraining is None else len(arm.pretraining)),
            "times_each_real_clip": drawn if arm.n_real else 0.0,
            "times_each_synthetic_clip": drawn if added else before,
        }
