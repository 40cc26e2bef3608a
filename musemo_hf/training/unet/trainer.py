"""The trainer of the U-Net generator."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from torch import Tensor

from musemo_hf.models.unet import MusemoUNetGenerator
from musemo_hf.models.unet.beat import BEAT, find_beat, later
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
        made_for: The descriptors and beats that clips were made for by a generator, by name, if its weights are the
            initial ones; its prior then stays. None for songs, to which the prior is fitted.

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
        made_for: Mapping[str, Tensor] | None = None,
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
        self.told = dict(made_for or {})  # few numbers, drawn from on the CPU like noise
        if generator.config.beat and BEAT not in self.told:
            self.told[BEAT] = find_beat(clips.spectrogram)
        if generator.prior is not None and DESCRIPTORS not in self.told:
            latents = generator.bands.encode(clips.spectrogram)
            known = {name: value.cpu() for name, value in self.measured.items()} | self.told
            generator.prior.fit(latents, clips.emotion, known)
            self.told[DESCRIPTORS] = generator.prior.describe(latents)
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

    def told_of(self, index: np.ndarray, starts: Tensor, generator: torch.Generator) -> dict[str, Tensor]:
        """Return the descriptors and beats of crops that begin at frames `starts` of clips, some of them left out."""
        told, chosen = {}, torch.from_numpy(index)
        if DESCRIPTORS in self.told:
            left_out = torch.rand(len(index), generator=generator) < self.training.left_out_descriptors
            descriptors = perturbed(self.told[DESCRIPTORS][chosen], generator)
            told[DESCRIPTORS] = descriptors.masked_fill(left_out[:, None], torch.nan)
        if BEAT in self.told:
            left_out = torch.rand(len(index), generator=generator) < self.training.left_out_beats
            told[BEAT] = later(self.told[BEAT][chosen], starts)
            told[BEAT][:, 1] = told[BEAT][:, 1].masked_fill(left_out, 0)  # the strength
        return told

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
        all_starts = starts
        starts, t, drop_mask, noise = (share(value).to(device) for value in (starts, t, drop_mask, noise))
        amounts = {name: share(value).to(device) for name, value in amounts.items()}
        share_of_given = {name: share(value).to(device) for name, value in given.items()}
        others = leave_out({name: value[chosen] for name, value in self.measured.items()}, share_of_given)
        others |= {name: share(value).to(device) for name, value in self.told_of(index, all_starts, generator).items()}
        data = augment(crop(self.clips.spectrogram[chosen], starts, n_frames), amounts)
        conditions = others | amounts
        latents, velocity = path(self.averaged_model.bands.encode(data), noise, t)
        with torch.autocast(device.type, torch.bfloat16, enabled=self.training.bfloat16):
            predicted = self.model(latents, t, self.clips.emotion[chosen], drop_mask, conditions, return_dict=False)[0]
        return (predicted.float() - velocity).square().mean()
