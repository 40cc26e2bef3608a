"""The trainer of the flow."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor

from musemo_hf.models.flow import MusemoFlowGenerator
from musemo_hf.training.clips import Clips
from musemo_hf.training.flow_matching import FlowMatchingLoop, path
from musemo_hf.training.parallel import Parallel
from musemo_hf.training.sampler import batch_indices, seed_step, step_generator, total_steps

from .settings import FlowTraining

PROFILE_WEIGHT = 0.2  # of the mean square error of the profile's latents, beside that of the texture's
CLIPS_A_DIRECTION = 4  # for a covariance whose smallest variances are not far too small


class FlowTrainer(FlowMatchingLoop):
    """Trains a flow on the latents of clips.

    The latents are fitted to the clips when the trainer is made, in seconds, and the clips are encoded once, so that an
    update needs the latents only.

    Args:
        config: The arguments of `MusemoFlowGenerator`.
        training: The settings of the training.
        clips: The real clips.
        run_dir: The folder of the checkpoints and of `flow.jsonl`.
        accelerator: The accelerator of the launch; None makes one.
        data_parallel: See `Parallel`.
        origin: Where the clips come from, see `origin_of`.

    Raises:
        ValueError: `MusemoFlowGenerator` refuses a value, the clips have another size, or they are too few to roll.
    """

    def __init__(
        self,
        config: dict[str, Any],
        training: FlowTraining,
        clips: Clips,
        run_dir: str | Path,
        accelerator: Accelerator | None = None,
        data_parallel: bool = True,
        origin: Mapping[str, Any] | None = None,
    ) -> None:
        parallel = Parallel(accelerator or Accelerator(), data_parallel)
        steps = total_steps(training.steps, training.epochs, len(clips), training.batch_size)
        super().__init__("flow", training, steps, run_dir, parallel, budget=training.seconds)
        self.training = training
        seed_step(training.seed, 0)
        generator = MusemoFlowGenerator(**config)
        enough = CLIPS_A_DIRECTION * generator.modulation.width
        if training.roll and len(clips) < enough:
            # each clip is one sample of the slowest changes: rolled, it would lie far outside of what few have shown
            raise ValueError(f"expected at least {enough} clips to roll textures of, got {len(clips)}; set roll: false")
        generator.fit(clips.spectrogram, clips.emotion, training.seed)
        with torch.no_grad():
            self.latents = generator.encode(clips.spectrogram, clips.emotion).to(parallel.device)
            texture = generator.profile.encode(clips.spectrogram)[1] if training.roll else None
        self.emotion = clips.emotion.to(parallel.device)
        self.texture = None if texture is None else texture.to(parallel.device)
        self.prepare(generator, clips, origin)

    def loss(self) -> Tensor:
        """Conditional flow matching (Lipman et al. 2023, eq. 9) on the straight path."""
        index = batch_indices(len(self.emotion), self.training.batch_size, self.step, self.training.seed)
        share = self.parallel.share
        generator = step_generator(self.training.seed, self.step)  # all processes draw all, and take their share
        chosen = torch.from_numpy(share(index)).to(self.latents.device)
        emotion = self.emotion[chosen]
        t, drop_mask = (share(value).to(chosen.device) for value in self.draw_times(len(index), generator))
        noise = share(torch.randn(len(index), self.latents.shape[1], generator=generator)).to(self.latents)
        shifts, others = torch.rand(2, len(index), generator=generator)
        data = self._data(chosen, share(shifts), share(others))
        latents, velocity = path(data, noise, t)
        with torch.autocast(data.device.type, torch.bfloat16, enabled=self.training.bfloat16):
            predicted = self.model(latents, t, emotion, drop_mask, return_dict=False)[0]
        error = (predicted.float() - velocity).square()
        profile, texture = self.averaged_model.split(error)
        return texture.mean() + PROFILE_WEIGHT * profile.mean()

    @torch.no_grad()
    def _data(self, chosen: Tensor, shifts: Tensor, others: Tensor) -> Tensor:
        """Return the latents of clips, augmented as the settings say.

        Args:
            chosen: The indices of the clips, `(B,)`.
            shifts: The part of its length by which each texture is rolled in time, `(B,)` in [0, 1). The profile is not
                rolled: a start in silence remains the start, and the pulse as steady as it is.
            others: The clips whose profiles are mixed in, `(B,)` in [0, 1) from the first clip to the last.
        """
        generator, latents = self.averaged_model, self.latents[chosen]
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
