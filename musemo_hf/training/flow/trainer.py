"""The flow's training loop."""

import logging
import math
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

import torch
from accelerate import Accelerator
from torch import Tensor
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from tqdm.auto import tqdm

from musemo_hf.models.flow import MusemoFlowGenerator
from musemo_hf.training.checkpoint import check_settings, checkpoints, read_state, read_tensors, save_checkpoint
from musemo_hf.training.clips import Clips
from musemo_hf.training.interval import is_due
from musemo_hf.training.log import Statistics
from musemo_hf.training.parallel import Parallel
from musemo_hf.training.sampler import batch_indices, seed_step, step_generator, total_steps

from .settings import FlowTraining

logger = logging.getLogger(__name__)
PROFILE_WEIGHT = 0.2  # of the mean square error of the profile's latents, beside that of the texture's
DROPPED_EMOTION = 0.1  # share of samples without their emotion (classifier-free guidance, Ho & Salimans 2022)
BETAS = (0.9, 0.99)
CLIPS_A_DIRECTION = 4  # for a covariance whose smallest variances are not far too small


class FlowTrainer:
    """Trains a flow on the latents of clips; resumes from its own checkpoints.

    The latents are fitted to the clips here, in seconds, and the clips are encoded once: a step touches latents.

    Args:
        config: values of `MusemoFlowGenerator`.
        training: settings.
        clips: real music.
        run_dir: checkpoints and `flow.jsonl` go here.
        accelerator: of the launch.
        data_parallel: see `Parallel`.

    Raises:
        ValueError: values that `MusemoFlowGenerator` refuses, clips of another size, or too few clips to roll.
    """

    def __init__(
        self,
        config: dict[str, Any],
        training: FlowTraining,
        clips: Clips,
        run_dir: str | Path,
        accelerator: Accelerator | None = None,
        data_parallel: bool = True,
    ) -> None:
        self.training, self.run_dir = training, Path(run_dir)
        self.parallel = Parallel(accelerator or Accelerator(), data_parallel)
        self.steps = total_steps(training.steps, training.epochs, len(clips), training.batch_size)
        seed_step(training.seed, 0)
        generator = MusemoFlowGenerator(**config)
        enough = CLIPS_A_DIRECTION * generator.modulation.width
        if training.roll and len(clips) < enough:
            # of the slowest changes each clip is one sample: rolled, it would lie far outside of what few have shown
            raise ValueError(f"expected at least {enough} clips to roll textures of, got {len(clips)}; set roll: false")
        generator.fit(clips.spectrogram, clips.emotion, training.seed)
        with torch.no_grad():
            self.latents = generator.encode(clips.spectrogram, clips.emotion).to(self.parallel.device)
        self.emotion = clips.emotion.to(self.parallel.device)
        self.texture = (
            generator.profile.encode(clips.spectrogram)[1].to(self.parallel.device) if training.roll else None
        )
        self.model = self.parallel.model(generator)
        self.average = AveragedModel(
            self.parallel.unwrap(self.model), multi_avg_fn=get_ema_multi_avg_fn(training.ema_decay)
        )
        self.optimizer = torch.optim.AdamW(
            self.model.parameters(), training.lr, BETAS, weight_decay=training.weight_decay
        )
        shape = {name: value for name, value in generator.config.items() if not name.startswith("_")}
        self.settings = {**asdict(training), "n_clips": len(clips), "config": shape}
        self.step, self.seconds = 0, 0.0

    @property
    def averaged_generator(self) -> MusemoFlowGenerator:
        """The generator with averaged weights, which is what a run makes."""
        return cast(MusemoFlowGenerator, self.average.module)

    @property
    def progress(self) -> float:
        """Share of the run that is done: of its steps, or of its seconds where they are the nearer end."""
        share = self.step / self.steps
        return share if self.training.seconds is None else max(share, self.seconds / self.training.seconds)

    def train(self) -> MusemoFlowGenerator:
        """Run to the end, from the last checkpoint on where there is one.

        Returns:
            The averaged generator.

        Raises:
            FloatingPointError: the loss or its gradient is NaN or infinite; the last checkpoint stands.
            CheckpointError: the disk is full.
        """
        self._resume()
        statistics = Statistics(self.run_dir / "flow.jsonl", self.parallel, start=self.step)
        bar = tqdm(total=self.steps, initial=self.step, desc="flow", disable=not self.parallel.is_main)
        while self.progress < 1:
            started = time.perf_counter()
            values = self._update()
            self.step += 1
            self.seconds = self._agreed(self.seconds + time.perf_counter() - started)
            bar.update()
            done = self.progress >= 1
            if is_due(self.step, self.training.log_every, done):
                statistics.log(self.step - 1, **{name: float(value) for name, value in values.items()})
            if is_due(self.step, self.training.checkpoint_every, done):
                self._save()
        bar.close()
        return self.averaged_generator

    def _update(self) -> dict[str, Tensor | float]:
        training, step = self.training, self.step
        seed_step(training.seed, step, self.parallel.rank)
        self.model.train()
        loss = self._loss(batch_indices(len(self.emotion), training.batch_size, step, training.seed))
        for group in self.optimizer.param_groups:
            group["lr"] = training.lr * self._rate()
        self.optimizer.zero_grad(set_to_none=True)
        self.parallel.accelerator.backward(loss)
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), training.gradient_norm)
        # the mean over processes and the gradient norm are the same on all of them, so that all stop together
        mean_loss = self.parallel.mean(loss.detach())
        if not torch.isfinite(mean_loss + norm):
            raise FloatingPointError(
                f"expected a finite loss and gradient, got {mean_loss.item()} and {norm.item()} at step {step}"
            )
        self.optimizer.step()
        self.average.update_parameters(self.parallel.unwrap(self.model))
        return {"loss": mean_loss, "gradient": norm, "lr": training.lr * self._rate()}

    def _loss(self, index: Any) -> Tensor:
        """Conditional flow matching (Lipman et al. 2023, eq. 9) on the straight path."""
        share = self.parallel.share
        generator = step_generator(self.training.seed, self.step)  # all processes draw all, and take their share
        chosen = torch.from_numpy(share(index)).to(self.latents.device)
        emotion = self.emotion[chosen]
        moment, dropped = (share(value).to(chosen.device) for value in self._times(len(index), generator))
        noise = share(torch.randn(len(index), self.latents.shape[1], generator=generator)).to(self.latents)
        shifts, others = torch.rand(2, len(index), generator=generator)
        data = self._data(chosen, share(shifts), share(others))
        latents, velocity = path(data, noise, moment)
        with torch.autocast(data.device.type, torch.bfloat16, enabled=self.training.bfloat16):
            predicted = self.model(latents, moment, emotion, dropped)
        error = (predicted.float() - velocity).square()
        profile, texture = self.averaged_generator.split(error)
        return texture.mean() + PROFILE_WEIGHT * profile.mean()

    @torch.no_grad()
    def _data(self, chosen: Tensor, shifts: Tensor, others: Tensor) -> Tensor:
        """Latents of clips, augmented as the settings say.

        Args:
            chosen: which clips, `(B,)`.
            shifts: by how much of its length each texture is rolled in time, `(B,)` in [0, 1). The profile stays: a
                start in silence remains the start, and the pulse as steady as it is.
            others: whose profiles are mixed in, `(B,)` in [0, 1) from the first clip to the last.
        """
        generator, latents = self.averaged_generator, self.latents[chosen]
        profile, texture = generator.split(latents)
        if self.training.profile_mix:
            partners = (others * len(self.latents)).long().to(chosen.device)
            own, mixed = math.sqrt(1 - self.training.profile_mix**2), self.training.profile_mix
            profile = own * profile + mixed * generator.split(self.latents[partners])[0]
        if self.texture is not None:
            n_frames = self.texture.shape[-1]
            place = (torch.arange(n_frames) - (shifts[:, None] * n_frames).long()) % n_frames
            moved = self.texture[chosen]
            moved = moved.gather(-1, place.to(moved.device)[:, None, None].expand_as(moved))
            texture = generator.encode_texture(moved)
        return torch.cat([profile, texture.flatten(1)], dim=1)

    def _times(self, n_samples: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Times in (0, 1), evenly spread over the quantiles of their distribution, and whose emotion is left out."""
        quantile = (torch.arange(n_samples) + torch.rand(n_samples, generator=generator)) / n_samples
        logit = torch.special.ndtri(quantile.clamp(1e-4, 0.9999))  # logit-normal (Esser et al. 2024, section 3.1)
        return logit.sigmoid(), torch.rand(n_samples, generator=generator) < DROPPED_EMOTION

    def _rate(self) -> float:
        """The learning rate's share of its highest."""
        return (
            min(1.0, (self.step + 1) / max(1, self.training.warmup_steps))
            * 0.5
            * (1 + math.cos(math.pi * self.progress))
        )

    def _agreed(self, seconds: float) -> float:
        """The same seconds in all processes, so that all stop together."""
        if self.training.seconds is None or self.parallel.world == 1:
            return seconds
        return self.parallel.mean(torch.tensor(seconds, device=self.parallel.device)).item()

    def _save(self) -> None:
        if self.parallel.is_main:
            save_checkpoint(
                self.run_dir,
                self.step,
                models={"generator": self.parallel.unwrap(self.model), "averaged_generator": self.averaged_generator},
                tensors={"n_averaged": self.average.n_averaged, "optimizer": self.optimizer.state_dict()},
                state={"settings": self.settings, "seconds": self.seconds},
                keep=1,
            )
        self.parallel.wait()

    def _resume(self) -> None:
        found = checkpoints(self.run_dir)
        if not found:
            return
        state, tensors = read_state(found[-1]), read_tensors(found[-1])
        check_settings(found[-1], state, self.settings)
        for name, network in (
            ("generator", self.parallel.unwrap(self.model)),
            ("averaged_generator", self.averaged_generator),
        ):
            network.load_state_dict(MusemoFlowGenerator.from_pretrained(found[-1] / name).state_dict())
        self.optimizer.load_state_dict(tensors["optimizer"])
        self.average.n_averaged.copy_(tensors["n_averaged"])
        self.step, self.seconds = state["step"], state["seconds"]
        logger.info("resumed from %s", found[-1])


def path(data: Tensor, noise: Tensor, time: Tensor) -> tuple[Tensor, Tensor]:
    """The straight path from data to noise (Liu et al. 2023, eq. 1): where it is, and its velocity.

    Args:
        data: `(B, ...)`.
        noise: likewise.
        time: `(B,)`, from 0 (data) to 1 (noise).
    """
    share = time.view(-1, *[1] * (data.ndim - 1))
    return torch.lerp(data, noise, share), noise - data
