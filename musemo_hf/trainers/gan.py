"""The GAN's training loop."""

import logging
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from accelerate import Accelerator
from torch import Tensor
from torch.nn import functional
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from tqdm.auto import tqdm

from musemo_hf.audio.mel import denormalise
from musemo_hf.models.gan import MusemoGanConfig, MusemoGanDiscriminator, MusemoGanGenerator

from .balance import UpdateBalance
from .checkpoint import check_settings, checkpoints, read_state, read_tensors, save_checkpoint, shape_of
from .clips import Clips
from .configuration import GanTraining
from .parallel import Parallel
from .red_flags import RedFlagError, RedFlags, published_reading
from .sampler import batch_indices, seed_step, step_generator, total_steps
from .statistics import Statistics

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
        # channels last: convolutions of few channels run about a fifth faster so, on a CPU as on a GPU
        self.generator = self.parallel.model(MusemoGanGenerator(config).to(memory_format=torch.channels_last))
        self.discriminator = self.parallel.model(MusemoGanDiscriminator(config).to(memory_format=torch.channels_last))
        self.average = AveragedModel(
            self.parallel.unwrap(self.generator), multi_avg_fn=get_ema_multi_avg_fn(training.ema_decay)
        )
        self.optimizers = {
            "generator": torch.optim.Adam(self.generator.parameters(), training.generator_lr, training.betas),
            "discriminator": torch.optim.Adam(
                self.discriminator.parameters(), training.discriminator_lr, training.betas
            ),
        }
        band = training.accuracy_band if training.balance else (0.0, 1.0)
        self.balance = UpdateBalance(*band, window=training.balance_window)
        self.red_flags = RedFlags(self._decibels(self.clips.spectrogram[:512]))
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
                values = self._iterate()
                self.step += 1
                # a gradient that is not finite has spoilt the weights already, a loss only will
                watched = {k: v for k, v in values.items() if k.endswith(("loss", "gradient"))}
                self.red_flags.observe(watched, values["accuracy"])
                progress.update()
                progress.set_postfix(accuracy=f"{values['accuracy']:.2f}")
                self._after_step(values, statistics)
        except RedFlagError as error:
            raise RedFlagError(
                f"red flag at step {self.step}: {error}; last good checkpoint: {self._last()}"
            ) from error
        finally:
            progress.close()
        return self.averaged_generator

    def _after_step(self, values: dict[str, float], statistics: Statistics) -> None:
        done = self.step >= self.steps
        if done or self.step % self.training.check_every == 0:
            values |= self.red_flags.check(self.step, self._checked_clips())
            logger.info("step %d: %s", self.step, published_reading(values["accuracy"], values["discriminator_loss"]))
        if done or self.step % self.training.log_every == 0 or "kid" in values:
            statistics.log(self.step - 1, **values)
        if done or self.step % self.training.checkpoint_every == 0:
            self._save()

    def _iterate(self) -> dict[str, float]:
        training, step = self.training, self.step
        seed_step(training.seed, step, self.parallel.rank)
        index = self.parallel.share(batch_indices(len(self.clips), training.batch_size, step, training.seed))
        real = self.clips[torch.from_numpy(index)]
        generator = step_generator(training.seed, step)
        noise_dim = self.parallel.unwrap(self.generator).config.noise_dim
        noise = torch.randn(training.batch_size, noise_dim, generator=generator)
        noise = self.parallel.share(noise).to(real.emotion)
        generates = self.balance.updates_generator(step)
        with torch.set_grad_enabled(generates):  # one forward pass serves both updates
            fake = self.generator(emotion=real.emotion, noise=noise).spectrogram
        values = self._update_discriminator(real, fake.detach(), self.balance.updates_discriminator(step))
        if generates:
            values |= self._update_generator(fake, real.emotion)
        values |= {
            "discriminator_every": self.balance.discriminator_every,
            "generator_every": self.balance.generator_every,
        }
        self.balance.observe(values["accuracy"])
        return values

    def _blurred(self, spectrogram: Tensor) -> Tensor:
        """Add the decaying instance noise."""
        training = self.training
        share = 1 - self.step / max(1.0, training.instance_noise_share * self.steps)
        if training.instance_noise <= 0 or share <= 0:
            return spectrogram
        return spectrogram + training.instance_noise * share * torch.randn_like(spectrogram)

    def _update_discriminator(self, real: Clips, fake: Tensor, update: bool) -> dict[str, float]:
        with torch.set_grad_enabled(update):
            both = torch.cat([self._blurred(real.spectrogram), self._blurred(fake)])
            logits = self.discriminator(spectrogram=both, emotion=real.emotion.repeat(2, 1)).logits
            real_logits, fake_logits = logits.chunk(2)
            targets = torch.full_like(real_logits, self.training.real_label)
            loss = functional.binary_cross_entropy_with_logits(real_logits, targets)
            loss = loss + functional.binary_cross_entropy_with_logits(fake_logits, torch.zeros_like(fake_logits))
        values = {}
        if update:
            values["discriminator_gradient"] = self._descend("discriminator", self.discriminator, loss)
        accuracy = 0.5 * ((real_logits > 0).float().mean() + (fake_logits < 0).float().mean())
        gathered = self.parallel.mean(torch.stack([loss.detach(), accuracy])).tolist()
        return {"discriminator_loss": gathered[0], "accuracy": gathered[1], **values}

    def _update_generator(self, fake: Tensor, emotion: Tensor) -> dict[str, float]:
        logits = self.discriminator(spectrogram=self._blurred(fake), emotion=emotion).logits
        loss = functional.binary_cross_entropy_with_logits(logits, torch.ones_like(logits))
        gradient = self._descend("generator", self.generator, loss)
        self.average.update_parameters(self.parallel.unwrap(self.generator))
        return {"generator_loss": self.parallel.mean(loss.detach()).item(), "generator_gradient": gradient}

    def _descend(self, name: str, network: Any, loss: Tensor) -> float:
        optimizer = self.optimizers[name]
        optimizer.zero_grad(set_to_none=True)
        self.parallel.accelerator.backward(loss)
        norm = torch.nn.utils.clip_grad_norm_(network.parameters(), self.training.gradient_norm)
        optimizer.step()
        # the generator's backward left gradients in the discriminator
        self.optimizers["discriminator"].zero_grad(set_to_none=True)
        return norm.item()

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
