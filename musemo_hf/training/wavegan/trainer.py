"""The trainer of a WaveGAN."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from numpy.typing import NDArray
from torch import Tensor
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from musemo_hf.models.gan import check_emotion
from musemo_hf.models.wavegan import MusemoWaveganDiscriminator, MusemoWaveganGenerator
from musemo_hf.training.gan.losses import accuracy, discriminator_loss, generator_loss, gradient_penalty
from musemo_hf.training.identity import hash_of
from musemo_hf.training.loop import TrainingLoop
from musemo_hf.training.parallel import Parallel
from musemo_hf.training.sampler import batch_indices, seed_step, step_generator

from .settings import WaveganTraining

BETAS = (0.0, 0.99)
LOSS = "rpgan"  # with R1 and R2 (Huang et al. 2024) one update of the discriminator does; WGAN-GP takes five


class WaveganTrainer(TrainingLoop):
    """Trains a WaveGAN on the audio of songs with their emotions.

    Args:
        config: Arguments of `MusemoWaveganGenerator`, such as `channels`.
        training: The settings of the training.
        waveforms: The samples of each song `(samples,)` at 22,050 Hz, float in [-1, 1] or int16.
        emotion: The (valence, arousal) of each song in [-1, 1], `(N, 2)`.
        run_dir: The folder of the checkpoints and of `wavegan.jsonl`.
        accelerator: The accelerator of the launch; None makes one.
        data_parallel: See `Parallel`.
        origin: Where the songs come from, so that a difference has a name when a run is resumed.

    Raises:
        ValueError: There are no songs, a song has not the samples of a generated clip, an emotion is out of its range,
            or their numbers differ.
    """

    def __init__(
        self,
        config: Mapping[str, Any],
        training: WaveganTraining,
        waveforms: Sequence[NDArray],
        emotion: NDArray,
        run_dir: str | Path,
        accelerator: Accelerator | None = None,
        data_parallel: bool = True,
        origin: Mapping[str, Any] | None = None,
    ) -> None:
        parallel = Parallel(accelerator or Accelerator(), data_parallel)
        super().__init__("wavegan", training, training.steps, run_dir, parallel, budget=training.seconds)
        seed_step(training.seed, 0)
        network = MusemoWaveganGenerator(**config)
        self.training, self.emotion = training, check_emotion(torch.from_numpy(np.asarray(emotion)))
        self.waveforms = _stacked(waveforms, network.n_samples)
        if len(self.waveforms) != len(self.emotion):
            raise ValueError(f"expected an emotion for each song, got {len(self.waveforms)} and {len(self.emotion)}")
        self.model = parallel.model(network)
        self.average = AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(training.ema_decay))
        critic = MusemoWaveganDiscriminator(training.discriminator_channels, training.phase_shuffle)
        self.discriminator = parallel.model(critic)
        self.optimizers = {
            "generator": torch.optim.Adam(self.model.parameters(), training.generator_lr, BETAS),
            "discriminator": torch.optim.Adam(self.discriminator.parameters(), training.discriminator_lr, BETAS),
        }
        self.objects = {
            "generator": parallel.unwrap(self.model),
            "averaged_generator": self.average,
            "discriminator": parallel.unwrap(self.discriminator),
            **{f"{name}_optimizer": optimizer for name, optimizer in self.optimizers.items()},
        }
        data = {"n_songs": len(self.waveforms), "waveforms": hash_of(self.waveforms), **(origin or {})}
        data["emotion"] = hash_of(self.emotion.numpy())
        self.settings = {**asdict(training), "data": data, "config": dict(config)}

    def update(self) -> dict[str, Tensor | float]:
        """Make one update of the discriminator and one of the generator."""
        seed_step(self.training.seed, self.step, self.parallel.rank)  # of the phase shuffle
        real, emotion, noise = self._batch()
        self.model.train()
        self.discriminator.train()
        with torch.no_grad():
            fake = self.model(emotion, noise)
        values = self._train_discriminator(real, fake, emotion)
        critic = self.parallel.unwrap(self.discriminator).requires_grad_(False)
        with torch.no_grad():
            on_real = critic(real, emotion)
        loss = generator_loss(LOSS, critic(self.model(emotion, noise), emotion), on_real)
        made = self.descend(loss, self.model, self.optimizers["generator"], self.training.gradient_norm)
        critic.requires_grad_(True)
        self.average.update_parameters(self.parallel.unwrap(self.model))
        return values | {f"generator_{name}": value for name, value in made.items()}

    def _train_discriminator(self, real: Tensor, fake: Tensor, emotion: Tensor) -> dict[str, Any]:
        both = torch.cat([real, fake]).requires_grad_(self.training.gamma > 0)
        logits = self.discriminator(both, torch.cat([emotion, emotion]))
        on_real, on_fake = logits.chunk(2)
        loss = discriminator_loss(LOSS, on_real, on_fake)
        values: dict[str, Any] = {"accuracy": self.parallel.mean(accuracy(LOSS, on_real.detach(), on_fake.detach()))}
        if self.training.gamma:
            penalty = gradient_penalty(logits, both).mean()  # of R1 and R2 together, so that half their sum is this
            values["penalty"] = self.parallel.mean(penalty.detach())
            loss = loss + self.training.gamma * penalty
        optimizer = self.optimizers["discriminator"]
        made = self.descend(loss, self.discriminator, optimizer, self.training.gradient_norm)
        return values | {f"discriminator_{name}": value for name, value in made.items()}

    def _batch(self) -> tuple[Tensor, Tensor, Tensor]:
        """Return the samples, the emotions and the noise of this process's share of a batch."""
        training, share, device = self.training, self.parallel.share, self.parallel.device
        index = batch_indices(len(self.waveforms), training.batch_size, self.step, training.seed)
        length = self.averaged_model.noise_dim
        noise = torch.randn(len(index), length, generator=step_generator(training.seed, self.step))
        chosen = share(index)
        real = torch.from_numpy(self.waveforms[chosen].astype(np.float32) / 32767)
        return real.to(device), self.emotion[torch.from_numpy(chosen)].to(device), share(noise).to(device)


def _stacked(waveforms: Sequence[NDArray], n_samples: int) -> NDArray:
    """Return the int16 samples `(N, n_samples)` of songs, which halve the memory of float32."""
    lengths = sorted({len(samples) for samples in waveforms})
    if lengths != [n_samples]:
        raise ValueError(f"expected songs of {n_samples} samples, got {lengths or 'none'}")
    return np.stack([samples if samples.dtype == np.int16 else as_int16(samples) for samples in waveforms])


def as_int16(samples: NDArray) -> NDArray:
    """Return float samples in [-1, 1] as int16; those beyond are clipped."""
    return (samples.clip(-1, 1) * 32767).round().astype(np.int16)
