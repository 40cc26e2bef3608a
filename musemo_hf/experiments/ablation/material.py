"""What the arms of the ablation are made of, and what an arm is."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from musemo_hf.training.clips import Clips

from .teacher import Teacher


@dataclass(frozen=True)
class Arm:
    """A training set, and how it is used.

    Attributes:
        clips: The clips, from which batches are drawn uniformly.
        augmentation: The name of an augmentation in `training.recogniser.augmentation`.
        steps_factor: The factor by which the common number of updates is multiplied.
        n_real: The number of clips that are real songs of the training part.
        pretraining: Clips on which the network trains for the first half of the updates, before it trains on `clips`
            for the second half; None for none.
    """

    clips: Clips
    augmentation: str = "none"
    steps_factor: float = 1.0
    n_real: int = 0
    pretraining: Clips | None = None


@dataclass(frozen=True)
class Material:
    """What arms are made of; all of it is learnt inside the training part.

    Attributes:
        real: The training songs.
        emotion: The emotions `(M, 2)` of the clips that the arm adds.
        generate: A function that generates normalised log-mels `(M, 1, n_mels, n_frames)` at emotions, by a generator
            trained on `real`. Only the arms in `GENERATIVE` call it.
        seed: The seed of the arm's own random draws.
        vary: A function that makes variations of clips towards emotions, by the same generator.
        teach: A function that fits a teacher to `real`; its argument says whether the teacher learns from external
            data too, see `Teacher`.
    """

    real: Clips
    emotion: Tensor
    generate: Callable[[Tensor], Tensor]
    seed: int
    vary: Callable[[Clips, Tensor], Clips]
    teach: Callable[[bool], Teacher]

    @property
    def synthetic(self) -> Clips:
        """The clips of the generator, with the requested emotions."""
        return Clips(self.generate(self.emotion), self.emotion)

    @property
    def share(self) -> float:
        """The number of added clips for each real one."""
        return len(self.emotion) / len(self.real)

    def rng(self) -> np.random.Generator:
        """Return the generator of the arm's own random draws."""
        return np.random.default_rng((self.seed, len(self.real)))

    def with_real(self, other: Clips) -> Arm:
        """Return an arm of the real songs and other clips."""
        return Arm(Clips.joined(self.real, other), n_real=len(self.real))

    def alone(self) -> Arm:
        """Return an arm of the real songs alone."""
        return Arm(self.real, n_real=len(self.real))


def draw_emotions(training: Tensor, n: int, how: str, seed: int) -> Tensor:
    """Draw the emotions of synthetic songs.

    Args:
        training: The labels `(N, 2)` of the training part.
        n: The number of emotions to draw.
        how: "training" for labels of the training part with Gaussian jitter of a tenth of their standard deviation;
            "uniform" for the uniform distribution on the square, as published.
        seed: The seed of the draws.

    Returns:
        Emotions `(n, 2)` in [-1, 1].
    """
    rng = np.random.default_rng((seed, n))
    if how == "uniform":
        return torch.from_numpy(rng.uniform(-1, 1, (n, 2))).float()
    if how != "training":
        raise ValueError(f"expected emotions to be 'training' or 'uniform', got {how!r}")
    labels = training.numpy()
    jitter = 0.1 * labels.std(axis=0) * rng.standard_normal((n, 2))
    return torch.from_numpy(labels[rng.integers(0, len(labels), n)] + jitter).float().clamp(-1, 1)
