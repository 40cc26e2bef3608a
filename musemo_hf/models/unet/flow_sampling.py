"""Sampling: following the velocity from noise to data, whole clips, parts of clips, and from part of the way."""

import math
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from numbers import Integral  # includes the integers of numpy
from typing import Any

import numpy as np
import torch
from diffusers import UniPCMultistepScheduler
from torch import Tensor

from .generation import is_number

Callback = Callable[[int, Tensor, Tensor], Tensor]
LOGITS = (6.0, -4.5)  # of the first and of the last time at which the velocity is predicted


@dataclass
class Sampling:
    """How a clip is sampled.

    Attributes:
        steps: The number of steps.
        guidance: The scale of classifier-free guidance (Ho & Salimans 2022).
        callback: A function that is called after each step with its index, its time and the latents, and returns the
            latents to go on with.

    Raises:
        ValueError: A value is out of its range.
    """

    steps: int
    guidance: float
    callback: Callback | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if not (isinstance(self.steps, Integral) and self.steps >= 1 and is_number(self.guidance, 0)):
            raise ValueError(
                f"expected at least 1 step and a guidance scale from 0 on, got {self.steps!r} and {self.guidance!r}"
            )

    def scheduler(self, start: float = 1.0) -> UniPCMultistepScheduler:
        """Return diffusers' scheduler of second order (UniPC, Zhao et al. 2023), its times set from `start` down to 0.

        Times t are evenly spaced in log(t / (1 - t)), half the logarithm of the ratio of noise to signal (Lu et al.
        2022, section 3.3): the level of a whole clip is decided where noise is over 99 % of a cell, and the finest
        detail where it is 1 %. The last time stays the same with few steps, whose clips are blurred otherwise.
        """
        scheduler = UniPCMultistepScheduler(prediction_type="flow_prediction", use_flow_sigmas=True)
        first, last = LOGITS
        if start < 1:
            first = min(first, math.log(start / (1 - start)))
            last = min(last, first - 1)
        sigmas = 1 / (1 + np.exp(-np.linspace(first, last, self.steps)))
        sigmas[0] = start
        scheduler.set_timesteps(sigmas=sigmas)
        scheduler.set_begin_index(0)  # near 1, times differ by less than diffusers' whole numbers
        return scheduler


def integrate(
    model: Any,
    latents: Tensor,
    emotion: Tensor,
    others: Mapping[str, Tensor],
    sampling: Sampling,
    start: float = 1.0,
) -> Tensor:
    """Follow the velocity from a time to data.

    Args:
        model: The generator.
        latents: The latents `(B, 1, n_mels, frames)` at the time `start`.
        emotion: The emotions `(B, 2)`.
        others: Further conditions by name, see `Conditions.check`.
        sampling: How it is sampled.
        start: The time of the latents, in (0, 1].
    """
    scheduler = sampling.scheduler(start)
    for index, timestep in enumerate(scheduler.timesteps):
        t = scheduler.sigmas[index].to(latents).expand(len(latents))
        velocity = guided(model, latents, t, emotion, others, sampling.guidance)
        latents = scheduler.step(velocity, timestep, latents).prev_sample
        latents = latents if sampling.callback is None else sampling.callback(index, timestep, latents)
    return latents


def guided(
    model: Any, latents: Tensor, t: Tensor, emotion: Tensor, others: Mapping[str, Tensor], guidance: float
) -> Tensor:
    """Return the velocity with classifier-free guidance, at twice the time unless its scale is 1."""
    if guidance == 1:
        return predict_in_parts(model, latents, t, emotion, torch.zeros_like(t, dtype=torch.bool), others)
    drop_mask = torch.arange(2 * len(latents), device=latents.device) >= len(latents)
    latents, t, emotion = (torch.cat([value, value]) for value in (latents, t, emotion))
    others = {name: torch.cat([value, value]) for name, value in others.items()}
    conditional, unconditional = predict_in_parts(model, latents, t, emotion, drop_mask, others).chunk(2)
    return torch.lerp(unconditional, conditional, guidance)


def predict_in_parts(
    model: Any, latents: Tensor, t: Tensor, emotion: Tensor, drop_mask: Tensor, others: Mapping[str, Tensor]
) -> Tensor:
    """Return the velocity; on a CPU by threads over parts of the batch, which share torch's threads.

    torch's own threads share every single operation and wait for each other after it in a loop that keeps a core busy.
    Beside another job on the same cores they wait most of the time, and a batch takes several times as long. Log-mels
    are computed in the same way (`musemo_hf/audio/clip_threads.py`), which the folder of a model may not import.
    """
    threads = torch.get_num_threads()
    n_parts = min(threads, len(latents))
    if n_parts == 1 or latents.device.type != "cpu" or torch.is_grad_enabled():
        return model.predict(latents, t, emotion, drop_mask, others)
    autocast, dtype = torch.is_autocast_enabled("cpu"), torch.get_autocast_dtype("cpu")  # of each thread its own

    def predict(index: Tensor) -> Tensor:
        part = slice(int(index[0]), int(index[-1]) + 1)
        torch.set_num_threads(threads // n_parts)
        given = {name: value[part] for name, value in others.items()}
        with torch.no_grad(), torch.autocast("cpu", dtype, enabled=autocast):
            return model.predict(latents[part], t[part], emotion[part], drop_mask[part], given)

    *first, last = torch.arange(len(latents)).tensor_split(n_parts)
    try:
        with ThreadPoolExecutor(n_parts - 1) as pool:
            begun = [pool.submit(predict, part) for part in first]
            own = predict(last)
            return torch.cat([*(each.result() for each in begun), own])
    finally:
        torch.set_num_threads(threads)  # also of threads that begin later
