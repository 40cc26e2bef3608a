"""The trainer of the GAN."""

import logging
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from torch import Tensor

from musemo_hf.audio.mel import denormalise
from musemo_hf.models.gan import MusemoGanConfig
from musemo_hf.pipelines.generators import sample_clips
from musemo_hf.training.checkpoint import shape_of
from musemo_hf.training.clips import Clips
from musemo_hf.training.fade import fade_of, without_fade
from musemo_hf.training.identity import data_identity
from musemo_hf.training.loop import TrainingLoop
from musemo_hf.training.parallel import Parallel
from musemo_hf.training.sampler import batch_indices, seed_step, step_generator, total_steps

from .balance import UpdateBalance
from .red_flags import RedFlags, published_reading
from .settings import GanTraining
from .song_codes import song_codes
from .step import Batch, GanStep

logger = logging.getLogger(__name__)
CHECKED_CLIPS = 64  # generated at each red-flag check


class GanTrainer(TrainingLoop):
    """Trains a generator and a discriminator on clips.

    Args:
        config: The configuration of the networks, whose `fade_in` is set where the training has `fade_frames`.
        training: The settings of the training.
        clips: The real clips.
        run_dir: The folder of the checkpoints and of `gan.jsonl`.
        accelerator: The accelerator of the launch; None makes one.
        data_parallel: See `Parallel`.
        origin: Where the clips come from, see `origin_of`.

    Raises:
        ValueError: There are too few clips for `song_dim`, or too few frames for `fade_frames`.
    """

    def __init__(
        self,
        config: MusemoGanConfig,
        training: GanTraining,
        clips: Clips,
        run_dir: str | Path,
        accelerator: Accelerator | None = None,
        data_parallel: bool = True,
        origin: Mapping[str, Any] | None = None,
    ) -> None:
        parallel = Parallel(accelerator or Accelerator(), data_parallel)
        steps = total_steps(training.steps, training.epochs, len(clips), training.batch_size)
        checks, reads = training.check_every, training.balance_window
        super().__init__("gan", training, steps, run_dir, parallel, check_every=checks, read_every=reads)
        self.training, self.clips = training, without_fade(clips.to(parallel.device), training.fade_frames)
        if training.fade_frames:
            config.fade_in = fade_of(clips, training.fade_frames)
        self.song_codes = song_codes(self.clips, config.song_dim) if config.song_dim else None
        seed_step(training.seed, 0)
        self.updates = GanStep(config, training, steps, parallel)
        self.generator, self.discriminator = self.updates.generator, self.updates.discriminator
        self.average = self.updates.average
        band = training.accuracy_band if training.balance else (0.0, 1.0)
        self.balance = UpdateBalance(*band, window=training.balance_window)
        self.red_flags = RedFlags(_decibels(self.clips.spectrogram[:512]), training.loss == "bce")
        self.objects = {
            "generator": parallel.unwrap(self.generator),
            "discriminator": parallel.unwrap(self.discriminator),
            "averaged_generator": self.average,
            **{f"{name}_optimizer": optimizer for name, optimizer in self.updates.optimizers.items()},
            "balance": self.balance,
            "red_flags": self.red_flags,
        }
        data = data_identity(clips, origin=origin)
        self.settings = {**asdict(training), "data": data, "config": shape_of(config)}

    def update(self) -> dict[str, Tensor | float]:
        """Make one iteration of the networks whose turn it is."""
        balance, step = self.balance, self.step
        seed_step(self.training.seed, step, self.parallel.rank)
        turns = balance.updates_discriminator(step), balance.updates_generator(step)
        intervals = {
            "discriminator_every": balance.discriminator_every,
            "generator_every": balance.generator_every,
        }
        return self.updates.iterate(step, self._batch(), turns) | intervals

    def observe(self, values: dict[str, float]) -> None:
        """Show the accuracy to the red flags and to the balance."""
        self.red_flags.observe(values["accuracy"])
        self.balance.observe(values["accuracy"])

    def check(self, values: dict[str, float]) -> dict[str, float]:
        """Generate clips at the emotions of the first real ones, and compare the two."""
        emotion = self.clips.emotion[:CHECKED_CLIPS]
        made = sample_clips(self.averaged_model, emotion, self.training.seed)
        found = self.red_flags.check(self.step, _decibels(made))
        if self.training.loss == "bce":
            reading = published_reading(values["accuracy"], values["discriminator_loss"])
            logger.info("step %d: %s", self.step, reading)
        return found

    def _batch(self) -> Batch:
        training, step, parallel = self.training, self.step, self.parallel
        index = parallel.share(batch_indices(len(self.clips), training.batch_size, step, training.seed))
        chosen = torch.from_numpy(index).to(parallel.device)
        spectrogram, emotion = self.clips.spectrogram[chosen], self.clips.emotion[chosen]
        draws = step_generator(training.seed, step)
        noise = torch.randn(training.batch_size, self.averaged_model.noise_dim, generator=draws)
        noise = parallel.share(noise).to(emotion)
        codes = None if self.song_codes is None else self.song_codes[chosen]
        if codes is not None:
            noise[:, : codes.shape[1]] = codes
        return Batch(spectrogram, emotion, noise, codes)


def _decibels(spectrogram: Tensor) -> np.ndarray:
    return denormalise(spectrogram[:, 0].float().cpu()).numpy()
