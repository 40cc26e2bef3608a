"""The GAN's training loop."""

import logging
from dataclasses import asdict
from pathlib import Path
from typing import cast

import numpy as np
import torch
from accelerate import Accelerator
from torch import Tensor
from tqdm.auto import tqdm

from musemo_hf.audio.mel import denormalise
from musemo_hf.models.gan import MusemoGanConfig, MusemoGanDiscriminator, MusemoGanGenerator
from musemo_hf.training.checkpoint import (
    check_settings,
    checkpoints,
    read_state,
    read_tensors,
    save_checkpoint,
    shape_of,
)
from musemo_hf.training.clips import Clips
from musemo_hf.training.interval import is_due
from musemo_hf.training.log import Statistics
from musemo_hf.training.parallel import Parallel
from musemo_hf.training.sampler import batch_indices, seed_step, step_generator, total_steps

from .balance import UpdateBalance
from .readings import Readings
from .red_flags import RedFlagError, RedFlags, published_reading
from .settings import GanTraining
from .step import Batch, GanStep

logger = logging.getLogger(__name__)
CHECKED_CLIPS = 64  # generated at each red-flag check


class GanTrainer:
    """Trains generator and discriminator on clips; resumes from its own checkpoints.

    Args:
        config: of the networks.
        training: settings.
        clips: real music.
        run_dir: checkpoints and `gan.jsonl` go here.
        accelerator: of the launch.
        data_parallel: see `Parallel`.
    """

    def __init__(
        self,
        config: MusemoGanConfig,
        training: GanTraining,
        clips: Clips,
        run_dir: str | Path,
        accelerator: Accelerator | None = None,
        data_parallel: bool = True,
    ) -> None:
        self.training, self.run_dir = training, Path(run_dir)
        self.parallel = Parallel(accelerator or Accelerator(), data_parallel)
        self.clips = clips.to(self.parallel.device)
        self.steps = total_steps(training.steps, training.epochs, len(clips), training.batch_size)
        seed_step(training.seed, 0)
        self.updates = GanStep(config, training, self.steps, self.parallel)
        self.generator, self.discriminator = self.updates.generator, self.updates.discriminator
        self.average, self.optimizers = self.updates.average, self.updates.optimizers
        band = training.accuracy_band if training.balance else (0.0, 1.0)
        self.balance = UpdateBalance(*band, window=training.balance_window)
        self.red_flags = RedFlags(self._decibels(self.clips.spectrogram[:512]), training.loss == "bce")
        self.readings, self.values = Readings(), dict[str, float]()
        self.settings = {**asdict(training), "n_clips": len(clips), "config": shape_of(config)}
        self.step = 0

    @property
    def averaged_generator(self) -> MusemoGanGenerator:
        """The generator with averaged weights, which is what a run makes."""
        return cast(MusemoGanGenerator, self.average.module)

    def train(self) -> MusemoGanGenerator:
        """Run to the end, from the last checkpoint on where there is one.

        Returns:
            The averaged generator.

        Raises:
            RedFlagError: training failed; the last good checkpoint stands.
            CheckpointError: the disk is full.
        """
        self._resume()
        statistics = Statistics(self.run_dir / "gan.jsonl", self.parallel, start=self.step)
        progress = tqdm(total=self.steps, initial=self.step, desc="gan", disable=not self.parallel.is_main)
        try:
            while self.step < self.steps:
                self.readings.add(self._iterate())
                self.step += 1
                progress.update()
                self._after_step(statistics)
        except RedFlagError as error:
            raise RedFlagError(
                f"red flag at step {self.step}: {error}; last good checkpoint: {self._last()}"
            ) from error
        finally:
            progress.close()
        return self.averaged_generator

    def _after_step(self, statistics: Statistics) -> None:
        training, done = self.training, self.step >= self.steps
        logs, checks, saves = (
            is_due(self.step, every, done)
            for every in (training.log_every, training.check_every, training.checkpoint_every)
        )
        adapts = training.balance and self.balance.count + len(self.readings) >= training.balance_window
        if logs or checks or saves or adapts:
            self._read()
        values = dict(self.values)
        if checks:
            values |= self.red_flags.check(self.step, self._checked_clips())
            if training.loss == "bce":
                reading = published_reading(values["accuracy"], values["discriminator_loss"])
                logger.info("step %d: %s", self.step, reading)
        if logs or checks:
            statistics.log(self.step - 1, **values)
        if saves:
            self._save()

    def _read(self) -> None:
        """Fetch the values of the iterations since the last time, and let monitors and balance look at each."""
        for values in self.readings.read():
            # a gradient that is not finite has spoilt the weights already, a loss only will
            watched = {k: v for k, v in values.items() if k.endswith(("loss", "gradient", "penalty"))}
            self.red_flags.observe(watched, values["accuracy"])
            self.balance.observe(values["accuracy"])
            self.values = values

    def _iterate(self) -> dict[str, Tensor | float]:
        training, step, balance = self.training, self.step, self.balance
        seed_step(training.seed, step, self.parallel.rank)
        every = {
            "discriminator_every": balance.discriminator_every,
            "generator_every": balance.generator_every,
        }
        updates = balance.updates_discriminator(step), balance.updates_generator(step)
        return self.updates.iterate(step, self._batch(), updates) | every

    def _batch(self) -> Batch:
        training, step = self.training, self.step
        index = self.parallel.share(batch_indices(len(self.clips), training.batch_size, step, training.seed))
        chosen = torch.from_numpy(index).to(self.parallel.device)
        noise_dim = self.parallel.unwrap(self.generator).config.noise_dim
        noise = torch.randn(training.batch_size, noise_dim, generator=step_generator(training.seed, step))
        emotion = self.clips.emotion[chosen]
        return Batch(self.clips.spectrogram[chosen], emotion, self.parallel.share(noise).to(emotion))

    def _decibels(self, spectrogram: Tensor) -> np.ndarray:
        return denormalise(spectrogram[:, 0].float().cpu()).numpy()

    def _checked_clips(self) -> np.ndarray:
        n_clips = min(CHECKED_CLIPS, len(self.clips))
        made = [
            self.averaged_generator.generate(self.clips.emotion[i : i + 16], seed=self.training.seed + i)
            for i in range(0, n_clips, 16)
        ]
        return self._decibels(torch.cat(made))

    def _last(self) -> Path | None:
        return next(iter(checkpoints(self.run_dir)[::-1]), None)

    def _save(self) -> None:
        if self.parallel.is_main:
            save_checkpoint(
                self.run_dir,
                self.step,
                models={
                    "generator": self.parallel.unwrap(self.generator),
                    "discriminator": self.parallel.unwrap(self.discriminator),
                    "averaged_generator": self.averaged_generator,
                },
                tensors={
                    "n_averaged": self.average.n_averaged,
                    **{name: optimizer.state_dict() for name, optimizer in self.optimizers.items()},
                },
                state={
                    "settings": self.settings,
                    "balance": self.balance.state_dict(),
                    "red_flags": self.red_flags.state_dict(),
                },
            )
        self.parallel.wait()

    def _resume(self) -> None:
        last = self._last()
        if last is None:
            return
        state, tensors = read_state(last), read_tensors(last)
        check_settings(last, state, self.settings)
        for name, network, loader in (
            ("generator", self.parallel.unwrap(self.generator), MusemoGanGenerator),
            ("discriminator", self.parallel.unwrap(self.discriminator), MusemoGanDiscriminator),
            ("averaged_generator", self.averaged_generator, MusemoGanGenerator),
        ):
            network.load_state_dict(loader.from_pretrained(last / name).state_dict())
        for name, optimizer in self.optimizers.items():
            optimizer.load_state_dict(tensors[name])
        self.average.n_averaged.copy_(tensors["n_averaged"])
        self.balance = UpdateBalance(**state["balance"])
        self.red_flags.load_state_dict(state["red_flags"])
        self.step = state["step"]
        logger.info("resumed from %s", last)
