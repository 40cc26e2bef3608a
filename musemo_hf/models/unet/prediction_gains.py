"""Gains of a trained network's predictions, so that clips differ, and change in time, as much as songs do.

A network that was trained for hours and not for weeks predicts too little of what can be known where noise is nearly
all of a latent: the level of the clip, of its mel bands and of its frames are predicted too near to the mean, and a
detail is predicted that the noise does not allow. A sampler then follows its own too even predictions, which makes the
next ones more even still, so that onsets fade. The predicted data are therefore divided into components, and each is
multiplied by a gain that depends on the time; see `musemo_hf.training.unet.gain_fit`.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .beat import FRAMES_A_SECOND

EDGES = (1.0, 4.0, 10.0)  # Hz, between the rates of change of frames
RATES = ("below 1 Hz", "1 to 4 Hz", "4 to 10 Hz", "above 10 Hz")
COMPONENTS = ("level", "bands", *(f"frames {rate}" for rate in RATES), "detail")
LARGEST = 2.0


def components(data: Tensor) -> Tensor:
    """Divide latents into parts that add up to them.

    Args:
        data: The latents `(B, 1, n_mels, frames)`.

    Returns:
        The level of each clip, the levels of its bands, the levels of its frames at four rates of change, and the
        rest, `(7, B, 1, n_mels, frames)`.
    """
    level = data.mean((1, 2, 3), keepdim=True)
    bands, frames = data.mean(3, keepdim=True) - level, data.mean(2, keepdim=True) - level
    parts = [level, bands, *_by_rate(frames)]
    return torch.stack([each.expand_as(data) for each in parts] + [data - level - bands - frames])


def _by_rate(frames: Tensor) -> list[Tensor]:
    """Divide levels of frames `(..., frames)` by their rate of change, with the cosine transform (type 2)."""
    n = frames.shape[-1]
    spectrum = torch.fft.rfft(torch.cat([frames, frames.flip(-1)], dim=-1))  # even, so that the ends do not jump
    rate = torch.arange(n + 1, device=frames.device) * FRAMES_A_SECOND / (2 * n)
    number = torch.bucketize(rate, torch.tensor(EDGES, device=frames.device), right=True)
    return [torch.fft.irfft(spectrum * (number == i), n=2 * n)[..., :n] for i in range(len(RATES))]


def check_gains(gains: Any) -> None:
    """Refuse gains that are not rows of a logit and a gain for each of `COMPONENTS`, from noise to data.

    Raises:
        ValueError: As said.
    """
    if gains is None:
        return
    values = np.array(gains, dtype=np.float64)
    if values.ndim != 2 or values.shape[1] != 1 + len(COMPONENTS) or not (np.diff(values[:, 0]) < 0).all():
        raise ValueError(f"expected rows (logit, {', '.join(COMPONENTS)}) with falling logits, got {gains}")


def apply_gains(velocity: Tensor, latents: Tensor, t: Tensor, gains: Sequence[Sequence[float]]) -> Tensor:
    """Return the velocity noise - data of predictions whose components are multiplied by their gains.

    Args:
        velocity: The predicted velocity `(B, 1, n_mels, frames)`.
        latents: The latents of the same shape.
        t: The times `(B,)`, above 0.
        gains: Rows (logit, a gain for each of `COMPONENTS`), see `check_gains`; in between they are interpolated.
    """
    logits, *columns = np.array(gains, dtype=np.float64)[::-1].T
    at = t.double().cpu().clamp(1e-6, 1 - 1e-6).logit().numpy()
    factors = torch.from_numpy(np.stack([np.interp(at, logits, column) for column in columns])).to(velocity)
    time = t.view(-1, 1, 1, 1)
    data = (factors[..., None, None, None] * components(latents - time * velocity)).sum(0)
    return (latents - data) / time
