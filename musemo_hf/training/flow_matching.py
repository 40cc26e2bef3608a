"""Flow matching (Lipman et al. 2023) of any generator: the updates, the times and the path that its trainers share."""

import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from .clips import Clips
from .identity import data_identity
from .loop import TrainingLoop
from .sampler import seed_step

DROPPED_EMOTION = 0.1  # share of samples without their emotion (classifier-free guidance, Ho & Salimans 2022)
BETAS = (0.9, 0.99)


class FlowMatchingLoop(TrainingLoop):
    """Trains a velocity network by AdamW with a cosine schedule, and averages its weights.

    A subclass makes `generator`, calls `prepare`, and returns the loss of the next batch from `loss`.

    Attributes:
        time_mean: The mean of the logit of the times.
        time_deviation: The standard deviation of the logit of the times.
    """

    training: Any
    time_mean: float = 0.0
    time_deviation: float = 1.0

    def prepare(self, generator: Any, clips: Clips, origin: Mapping[str, Any] | None) -> None:
        """Make the model, its average and its optimizer, and note what the run is made of.

        Args:
            generator: The generator with its initial weights.
            clips: The clips that the generator learns from.
            origin: Where the clips come from, see `origin_of`.
        """
        training = self.training
        self.model = self.parallel.model(generator)
        network = self.parallel.unwrap(self.model)
        self.average = AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(training.ema_decay))
        self.optimizer = torch.optim.AdamW(
            self.model.parameters(), training.lr, BETAS, weight_decay=training.weight_decay
        )
        self.objects = {"generator": network, "averaged_generator": self.average, "optimizer": self.optimizer}
        shape = {name: value for name, value in generator.config.items() if not name.startswith("_")}
        self.settings = {**asdict(training), "data": data_identity(clips, origin=origin), "config": shape}

    def loss(self) -> Tensor:
        """Return the loss of the next batch."""
        raise NotImplementedError

    def update(self) -> dict[str, Tensor | float]:
        """Make one step of the optimizer."""
        seed_step(self.training.seed, self.step, self.parallel.rank)
        self.model.train()
        loss = self.loss()
        rate = self.training.lr * self._rate()
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        values = self.descend(loss, self.model, self.optimizer, self.training.gradient_norm)
        self.average.update_parameters(self.parallel.unwrap(self.model))
        return values | {"lr": rate}

    def draw_times(self, n_samples: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Draw times in (0, 1), evenly over the quantiles of their distribution, and whose emotion is left out.

        The distribution is logit-normal (Esser et al. 2024, section 3.1).

        Args:
            n_samples: The number of samples B.
            generator: The source of randomness.

        Returns:
            The times `(B,)`, and which emotions are left out, bool `(B,)`.
        """
        quantile = (torch.arange(n_samples) + torch.rand(n_samples, generator=generator)) / n_samples
        logit = self.time_mean + self.time_deviation * torch.special.ndtri(quantile.clamp(1e-4, 0.9999))
        return logit.sigmoid(), torch.rand(n_samples, generator=generator) < DROPPED_EMOTION

    def _rate(self) -> float:
        """Return the factor of the learning rate: a warm-up, then a cosine over the whole run."""
        warmup = min(1.0, (self.step + 1) / max(1, self.training.warmup_steps))
        return warmup * 0.5 * (1 + math.cos(math.pi * self.progress))


def path(data: Tensor, noise: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
    """Return a point of the straight path from data to noise (Liu et al. 2023, eq. 1), and the velocity there.

    Args:
        data: The data, `(B, ...)`.
        noise: The noise, of the same shape.
        t: The time of each sample, `(B,)`, from 0 (data) to 1 (noise).
    """
    share = t.view(-1, *[1] * (data.ndim - 1))
    return torch.lerp(data, noise, share), noise - data
