"""What all generators share: checks of the emotion, seeded noise, and generation in evaluation mode.

The folders `flow` and `unet` link to this file of `gan`, because each folder is pushed to the Hub on its own.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from math import isfinite
from numbers import Integral, Real  # include the numbers of numpy
from operator import index
from typing import Any

import torch
from torch import Tensor, nn


def check_emotion(emotion: Tensor | Sequence) -> Tensor:
    """Return the emotion as a float32 tensor `(B, 2)` (valence, arousal).

    Raises:
        ValueError: The emotion is not of shape `(B, 2)`, not finite, or outside [-1, 1] (as on DEAM's 1-9 scale).
    """
    emotion = torch.as_tensor(emotion, dtype=torch.float32)
    if emotion.ndim != 2 or emotion.shape[1] != 2 or emotion.shape[0] == 0:
        raise ValueError(f"expected emotion of shape (B, 2) = (valence, arousal), got {tuple(emotion.shape)}")
    if not torch.isfinite(emotion).all():
        raise ValueError("expected finite valence and arousal, got NaN or infinity")
    if emotion.abs().max() > 1:
        low, high = emotion.min().item(), emotion.max().item()
        hint = "; DEAM's 1-9 maps by (x - 5) / 4" if low >= 1 and high <= 9 else ""
        raise ValueError(f"expected valence and arousal in [-1, 1], got values from {low:g} to {high:g}{hint}")
    return emotion


def is_number(value: Any, low: float, high: float = float("inf")) -> bool:
    """Return whether a value is a finite number from `low` to `high`, and no text, tensor or bool."""
    return isinstance(value, Real) and not isinstance(value, bool) and isfinite(value) and low <= float(value) <= high


def expand_seeds(seed: int | Sequence[int] | None, n_samples: int) -> list[int]:
    """Return one seed for each sample.

    Args:
        seed: An integer from 0 on gives sample i the seed `seed + i`, a sequence gives each sample its own seed, and
            None draws a random integer.
        n_samples: The number of samples.

    Raises:
        ValueError: A seed is no integer, negative or beyond 63 bits, or the sequence has another length.
    """
    if seed is None:
        seed = int(torch.randint(2**31, (1,)).item())
    if isinstance(seed, Integral):
        seeds = [int(seed) + i for i in range(n_samples)]
    else:
        try:  # `index` takes the integers of numpy and torch, and refuses 1.5, which `int` would cut off
            seeds = [index(each) for each in seed]  # type: ignore[union-attr]
        except TypeError:
            raise ValueError(f"expected seed as an integer from 0 on, or {n_samples} of them, got {seed!r}") from None
    if len(seeds) != n_samples:
        raise ValueError(f"expected one seed, or {n_samples} of them, got {len(seeds)}")
    if wrong := [each for each in seeds if not 0 <= each < 2**63]:
        raise ValueError(f"expected seeds from 0 to 2**63 - 1, got {wrong[0]}")
    return seeds


def check_fade_in(fade_in: Sequence[float] | None, n_frames: int) -> None:
    """Refuse a `fade_in` that is no list of numbers, or longer than a clip.

    Raises:
        ValueError: So it is.
    """
    if fade_in is None:
        return
    if not isinstance(fade_in, list | tuple) or not all(is_number(value, -2, 2) for value in fade_in):
        raise ValueError(f"expected fade_in as numbers from -2 to 2, one for each of the first frames, got {fade_in!r}")
    if len(fade_in) > n_frames:
        raise ValueError(f"expected fade_in of at most {n_frames} frames, got {len(fade_in)}")


def add_fade_in(spectrogram: Tensor, fade_in: Sequence[float] | None) -> Tensor:
    """Add `fade_in` to the first frames of log-mels `(B, 1, n_mels, n_frames)` in place, and return them."""
    if fade_in:
        first = spectrogram[..., : len(fade_in)]
        first.add_(torch.tensor(fade_in).to(first)).clamp_(-1, 1)
    return spectrogram


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Put a model into evaluation mode without gradient, and restore its mode afterwards."""
    was_training = model.training
    model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        model.train(was_training)


class SeededGenerationMixin:
    """Draws the noise of a generator and checks the inputs of its `generate`.

    Attributes:
        noise_dim: The length of the noise vector of one sample.
        noise_scale: The standard deviation of the noise.
    """

    noise_dim: int
    noise_scale: float = 1.0
    device: torch.device
    dtype: torch.dtype

    @property
    def input_dtype(self) -> torch.dtype:
        """The precision in which the model takes emotions and noise."""
        return self.dtype

    def sample_noise(self, n_samples: int, seed: int | Sequence[int] | None = None) -> Tensor:
        """Draw normal noise `(n_samples, noise_dim)` on the CPU, with a random generator of its own for each sample.

        Args:
            n_samples: The number of samples.
            seed: See `expand_seeds`.
        """
        generators = [torch.Generator().manual_seed(seed) for seed in expand_seeds(seed, n_samples)]
        return self.noise_scale * torch.stack([torch.randn(self.noise_dim, generator=each) for each in generators])

    def prepare_inputs(
        self, emotion: Tensor | Sequence, seed: int | Sequence[int] | None, noise: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """Return checked emotions `(B, 2)` and noise `(B, noise_dim)`, on the model's device, in `input_dtype`.

        Raises:
            ValueError: The emotion is refused by `check_emotion`, the noise or the seeds have another shape, or both
                seed and noise are given.
        """
        emotion = check_emotion(emotion)
        if noise is None:
            noise = self.sample_noise(len(emotion), seed)
        elif seed is not None:
            raise ValueError("expected seed or noise, got both")
        if tuple(noise.shape) != (len(emotion), self.noise_dim):
            raise ValueError(f"expected noise of shape ({len(emotion)}, {self.noise_dim}), got {tuple(noise.shape)}")
        return emotion.to(self.device, self.input_dtype), noise.to(self.device, self.input_dtype)
