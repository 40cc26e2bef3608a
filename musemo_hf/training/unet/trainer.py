"""The trainer of the U-Net generator."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor

from musemo_hf.models.unet import MusemoUNetGenerator
from musemo_hf.models.unet.descriptors import DESCRIPTORS, perturbed
from musemo_hf.models.unet.genres import GENRE
from musemo_hf.training.clips import Clips
from musemo_hf.training.flow_matching import FlowMatchingLoop, path
from musemo_hf.training.identity import hash_of
from musemo_hf.training.parallel import Parallel
from musemo_hf.training.sampler import batch_indices, seed_step, step_generator, total_steps

from .crops import augment, crop, draw_augmentation, draw_starts
from .initial_weights import take_weights
from .measures import draw_given, leave_out, measure, shares_of
from .pictures import draw_samples
from .settings import UNetTraining

CHECK_EVERY = 50  # updates between looks at whether a picture is due


class UNetTrainer(FlowMatchingLoop):
    """Trains a U-Net on crops of log-mels by flow matching.

    Args:
        config: The arguments of `MusemoUNetGenerator`.
        training: The settings of the training.
        clips: The real clips.
        run_dir: The folder of the checkpoints, of `unet.jsonl` and of the pictures of samples.
        accelerator: The accelerator of the launch; None makes one.
        data_parallel: See `Parallel`.
        origin: Where the clips come from, see `origin_of`.
        descriptors: The descriptors `(N, n_descriptors)` that the clips were made for, if a generator made them, whose
            weights are the initial ones and keep its prior; None to fit the prior to the clips.

    Raises:
        ValueError: `MusemoUNetGenerator` refuses a value, or the crops do not fit the clips or the network, or the
            initial weights do not fit, see `take_weights`.
    """

    def __init__(
        self,
        config: dict[str, Any],
        training: UNetTraining,
        clips: Clips,
        run_dir: str | Path | None,
        accelerator: Accelerator | None = None,
        data_parallel: bool = True,
        origin: Mapping[str, Any] | None = None,
        descriptors: Tensor | None = None,
    ) -> None:
        parallel = Parallel(accelerator or Accelerator(), data_parallel)
        steps = total_steps(training.steps, training.epochs, len(clips), training.batch_size)
        check_every = CHECK_EVERY if training.pictures else 0
        super().__init__("unet", training, steps, run_dir, parallel, training.seconds, check_every)
        self.training = training
        self.time_mean, self.time_deviation = training.time_mean, training.time_deviation
        seed_step(training.seed, 0)
        has_descriptors = bool(config.get("n_descriptors"))
        generator = MusemoUNetGenerator(**config, **({"n_training_clips": len(clips)} if has_descriptors else {}))
        if training.initial is None:
            generator.fit(clips.spectrogram)
        else:
            take_weights(generator, training.initial)
        multiple, n_frames = generator.network.frame_multiple, clips.spectrogram.shape[-1]
        if training.crop_frames % multiple or training.crop_frames > n_frames:
            raise ValueError(
                f"expected crops of a multiple of {multiple} frames and at most {n_frames}, got {training.crop_frames}"
            )
        self.whole_frames = n_frames // multiple * multiple
        self.clips = clips.to(parallel.device)
        self.measured = {
            name: value.to(parallel.device) for name, value in measure(clips, generator.config.conditions).items()
        }
        if genres := generator.config.genres:
            self.measured[GENRE] = shares_of(self.clips, genres).to(parallel.device)
        self.described = descriptors
        if generator.prior is not None and descriptors is None:
            latents = generator.bands.encode(clips.spectrogram)
            generator.prior.fit(latents, clips.emotion, {name: value.cpu() for name, value in self.measured.items()})
            self.described = generator.prior.describe(latents)  # few numbers, drawn from on the CPU like noise
        draw_augmentation(generator.config.augmentations, 1, 0.0, torch.Generator())  # refuses an unknown one
        self.prepare(generator.to(memory_format=torch.channels_last), clips, origin)  # faster convolutions
        if GENRE in self.measured:
            self.settings["data"]["genres"] = hash_of(self.measured[GENRE])

    def check(self, values: dict[str, float]) -> dict[str, float]:
        """Draw samples whenever another part of the run is done, to be looked at while it goes on."""
        if self.run_dir is not None and self.parallel.is_main:
            part = int(self.progress * self.training.pictures)
            picture = self.run_dir / f"samples-{part:02d}.png"
            if part and not picture.is_file():
                draw_samples(self.averaged_model, picture)
        return {}

    def shape(self, step: int) -> tuple[int, int]:
        """Return the number of crops of an update, over all processes, and their number of frames."""
        training = self.training
        if math.floor((step + 1) * training.whole_share) == math.floor(step * training.whole_share):
            return training.batch_size, training.crop_frames
        fitting = training.batch_size * training.crop_frames / self.whole_frames
        return max(1, round(fitting / self.parallel.world)) * self.parallel.world, self.whole_frames

    def loss(self) -> Tensor:
        """Conditional flow matching (Lipman et al. 2023, eq. 9) on the straight path, on crops."""
        share, generator = self.parallel.share, step_generator(self.training.seed, self.step)
        n_crops, n_frames = self.shape(self.step)  # all processes draw all, and take their share
        index = batch_indices(len(self.clips), n_crops, self.step, self.training.seed)
        starts = draw_starts(n_crops, self.clips.spectrogram.shape[-1], n_frames, generator)
        t, drop_mask = self.draw_times(n_crops, generator)
        names = self.averaged_model.config.augmentations
        amounts = draw_augmentation(names, n_crops, self.training.augmented_share, generator)
        given = draw_given(self.measured, n_crops, self.training.condition_share, generator)
        noise = torch.randn(n_crops, 1, self.clips.spectrogram.shape[2], n_frames, generator=generator)
        device = self.clips.emotion.device
        chosen = torch.from_numpy(share(index)).to(device)
        starts, t, drop_mask, noise = (share(value).to(device) for value in (starts, t, drop_mask, noise))
        amounts = {name: share(value).to(device) for name, value in amounts.items()}
        share_of_given = {name: share(value).to(device) for name, value in given.items()}
        others = leave_out({name: value[chosen] for name, value in self.measured.items()}, share_of_given)
        if self.described is not None:
            left_out = torch.rand(n_crops, generator=generator) < self.training.left_out_descriptors
            descriptors = share(perturbed(self.described[torch.from_numpy(index)], generator)).to(device)
            others[DESCRIPTORS] = descriptors.masked_fill(share(left_out).to(device)[:, None], torch.nan)
        data = augment(crop(self.clips.spectrogram[chosen], starts, n_frames), amounts)
        conditions = others | amounts
        latents, velocity = path(self.averaged_model.bands.encode(data), noise, t)
        with torch.autocast(device.type, torch.bfloat16, enabled=self.training.bfloat16):
            predicted = self.model(latents, t, self.clips.emotion[chosen], drop_mask, conditions, return_dict=False)[0]
        return (predicted.float() - velocity).square().mean()
