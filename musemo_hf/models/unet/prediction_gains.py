"""Gains that make the predictions of a trained network unbiased, so that clips differ as songs do.

Where noise is nearly all of a latent, a network that was trained for hours and not for weeks predicts too little of
what can be known: the level of the clip, of its mel bands and of its frames are predicted too near to the mean, and a
detail is predicted that the noise does not allow. Clips sampled with such predictions are too much alike. The
predicted data are therefore divided into these four components, and each is multiplied by the slope of the true
component on the predicted one, a least-squares regression on training songs at each time.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

COMPONENTS = ("level", "bands", "frames", "detail")
LARGEST = 2.0
# logits of the times at which gains are fitted, from noise to data; the first stands for time 1
LOGITS = (9.0, 7.0, 6.0, 5.3, 4.6, 4.0, 3.3, 2.6, 2.0, 1.4, 0.7, 0.0, -1.0, -2.0, -3.5)


def components(data: Tensor) -> Tensor:
    """Return the level, the levels of bands, those of frames, and the rest, `(4, B, 1, n_mels, frames)`."""
    level = data.mean((1, 2, 3), keepdim=True)
    bands, frames = data.mean(3, keepdim=True) - level, data.mean(2, keepdim=True) - level
    return torch.stack([each.expand_as(data) for each in (level, bands, frames)] + [data - level - bands - frames])


def time_of(logit: float) -> float:
    """Return the time of a logit of `LOGITS`."""
    return 1.0 if logit >= LOGITS[0] else 1 / (1 + float(np.exp(-logit)))


def check_gains(gains: Any) -> None:
    """Refuse gains that are not rows of a logit and four gains, from noise to data.

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
        gains: Rows (logit, level, bands, frames, detail), see `check_gains`; between logits they are interpolated.
    """
    logits, *columns = np.array(gains, dtype=np.float64)[::-1].T
    at = t.double().cpu().clamp(1e-6, 1 - 1e-6).logit().numpy()
    factors = torch.from_numpy(np.stack([np.interp(at, logits, column) for column in columns])).to(velocity)
    time = t.view(-1, 1, 1, 1)
    data = (factors[..., None, None, None] * components(latents - time * velocity)).sum(0)
    return (latents - data) / time
