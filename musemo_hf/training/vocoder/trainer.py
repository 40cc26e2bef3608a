"""The trainer of a vocoder."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from torch import Tensor
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from musemo_hf.models.vocoder import MusemoVocoder
from musemo_hf.training.identity import hash_of
from musemo_hf.training.loop import TrainingLoop
from musemo_hf.training.parallel import Parallel
from musemo_hf.training.sampler import batch_indices, seed_step, step_generator

from .discriminators import VocoderDiscriminator
from .losses import adversarial_loss, discriminator_loss, feature_loss, multi_resolution_stft_loss
from .settings import VocoderTraining
from .songs import MARGIN, SETTINGS, crop, pairs

BETAS = (0.8, 0.99)  # as HiFi-GAN


class VocoderTrainer(TrainingLoop):
    """Trains a vocoder of the project's own log-mels on random crops of songs.

    Args:
        config: Arguments of `MusemoVocoder`, such as `channels` and `layers`.
        training: The settings of the training.
        waveforms: The int16 samples of each song `(samples,)` at 22,050 Hz.
        run_dir: The folder of the checkpoints and of `vocoder.jsonl`.
        accelerator: The accelerator of the launch; None makes one.
        data_parallel: See `Parallel`.
        origin: Where the songs come from, so that a difference has a name when a run is resumed.

    Raises:
        ValueError: The network takes other log-mels, or a song is shorter than a crop.
    """

    def __init__(
        self,
        config: Mapping[str, Any],
        training: VocoderTraining,
        waveforms: Sequence[np.ndarray],
        run_dir: str | Path,
        accelerator: Accelerator | None = None,
        data_parallel: bool = True,
        origin: Mapping[str, Any] | None = None,
    ) -> None:
        parallel = Parallel(accelerator or Accelerator(), data_parallel)
        super().__init__("vocoder", training, training.steps, run_dir, parallel, budget=training.seconds)
        shortest = (training.crop_frames + 2 * MARGIN) * SETTINGS.hop_length
        if not len(waveforms) or min(map(len, waveforms)) < shortest:
            raise ValueError(
                f"expected songs of at least {shortest} samples, got {min(map(len, waveforms), default=0)}"
            )
        self.training, self.waveforms = training, waveforms
        seed_step(training.seed, 0)
        network = MusemoVocoder(**config)
        if network.mel_settings != asdict(SETTINGS):
            raise ValueError(f"expected a vocoder of {SETTINGS}, got one of {network.mel_settings}")
        self.model = parallel.model(network)
        self.average = AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(training.ema_decay))
        self.discriminator = parallel.model(VocoderDiscriminator(training.discriminator_channels))
        self.optimizers = {
            name: torch.optim.AdamW(model.parameters(), training.lr, BETAS)
            for name, model in (("vocoder", self.model), ("discriminator", self.discriminator))
        }
        self.objects = {
            "vocoder": parallel.unwrap(self.model),
            "averaged_vocoder": self.average,
            "discriminator": parallel.unwrap(self.discriminator),
            **{f"{name}_optimizer": optimizer for name, optimizer in self.optimizers.items()},
        }
        hashes = np.array([int(hash_of(waveform), 16) for waveform in waveforms], dtype=np.uint64)
        data = {"n_songs": len(waveforms), "waveforms": hash_of(hashes), **(origin or {})}
        self.settings = {**asdict(training), "data": data, "config": dict(config)}

    def update(self) -> dict[str, Tensor | float]:
        """Make one update of the vocoder and, once they take part, one of the discriminators."""
        training = self.training
        seed_step(training.seed, self.step, self.parallel.rank)
        rate = training.lr * 0.5 * (1 + math.cos(math.pi * self.progress))
        for optimizer in self.optimizers.values():
            for group in optimizer.param_groups:
                group["lr"] = rate
        mel, target = self._batch()
        self.model.train()
        with self._autocast():
            audio = self.model(mel.transpose(1, 2)).float()
        loss = spectral = training.stft_weight * multi_resolution_stft_loss(audio, target)
        values: dict[str, Tensor | float] = {"stft_loss": self.parallel.mean(spectral.detach()), "lr": rate}
        if self.progress >= training.adversarial_from:
            values |= self._train_discriminator(target, audio.detach())
            against = self._against_discriminator(target, audio)
            values["adversarial_loss"] = self.parallel.mean(against.detach())
            loss = loss + against
        values |= self.descend(loss, self.model, self.optimizers["vocoder"], training.gradient_norm)
        self.average.update_parameters(self.parallel.unwrap(self.model))
        return values

    def _train_discriminator(self, target: Tensor, audio: Tensor) -> dict[str, Any]:
        with self._autocast():
            both = self.discriminator(torch.cat([target, audio]))[0]
        loss = discriminator_loss(*zip(*(logits.chunk(2) for logits in both), strict=True))
        optimizer = self.optimizers["discriminator"]
        made = self.descend(loss, self.discriminator, optimizer, self.training.gradient_norm)
        return {f"discriminator_{name}": value for name, value in made.items()}

    def _against_discriminator(self, target: Tensor, audio: Tensor) -> Tensor:
        judge = self.parallel.unwrap(self.discriminator).requires_grad_(False)
        with self._autocast():
            logits, features = judge(audio)
            with torch.no_grad():
                real = judge(target)[1]
        judge.requires_grad_(True)
        return adversarial_loss(logits) + self.training.feature_weight * feature_loss(real, features)

    def _autocast(self) -> torch.autocast:
        return torch.autocast(self.parallel.device.type, torch.bfloat16, enabled=self.training.bfloat16)

    def _batch(self) -> tuple[Tensor, Tensor]:
        """Return the log-mels and the samples of this process's share of the crops."""
        training, share = self.training, self.parallel.share
        index = batch_indices(len(self.waveforms), training.batch_size, self.step, training.seed)
        places = torch.rand(len(index), generator=step_generator(training.seed, self.step)).numpy()
        chosen = zip(share(index), share(places), strict=True)
        crops = torch.stack([crop(self.waveforms[i], float(place), training.crop_frames) for i, place in chosen])
        return pairs(crops.to(self.parallel.device))
