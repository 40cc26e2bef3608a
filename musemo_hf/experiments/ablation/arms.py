"""The arms of the ablation: the training sets that recognisers are compared on."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from musemo_hf.audio.mel import denormalise, normalise
from musemo_hf.evaluation.surrogates.reference_statistics import ReferenceStatistics
from musemo_hf.evaluation.surrogates.samplers import sample_surrogate
from musemo_hf.training.clips import Clips

EQUAL_EPOCHS = 3.3  # (3,200 + 1,395) / 1,395: updates at equal epochs for the published numbers of clips


@dataclass(frozen=True)
class Arm:
    """A training set, and how it is used.

    Attributes:
        clips: The clips, from which batches are drawn uniformly.
        augmentation: The name of an augmentation in `training.recogniser.augmentation`.
        steps_factor: The factor by which the common number of updates is multiplied.
        n_real: The number of clips that are real songs of the training part.
    """

    clips: Clips
    augmentation: str = "none"
    steps_factor: float = 1.0
    n_real: int = 0


@dataclass(frozen=True)
class Material:
    """What arms are made of; all of it is learnt inside the training part.

    Attributes:
        real: The training songs.
        emotion: The emotions `(M, 2)` of the clips that the arm adds.
        generate: A function that generates normalised log-mels `(M, 1, n_mels, n_frames)` at emotions, by a generator
            trained on `real`. Only the arms in `GENERATIVE` call it.
        seed: The seed of the arm's own random draws.
    """

    real: Clips
    emotion: Tensor
    generate: Callable[[Tensor], Tensor]
    seed: int

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


def real(material: Material) -> Arm:
    """Real songs, the reference of all comparisons."""
    return material.alone()


def real_longer(material: Material) -> Arm:
    """Real songs at 3.3 times the updates, as equal epochs give the published 3,200 synthetic and 1,395 real songs.

    With the default share of 1.0, equal epochs would give real + synthetic 2.0 times the updates.
    """
    return replace(material.alone(), steps_factor=EQUAL_EPOCHS)


def real_resampled(material: Material) -> Arm:
    """Real songs, resampled so that 9 x 9 bins of the plane have equal weight: uniform labels without new clips."""
    bins = ((material.real.emotion + 1) / 2 * 9).long().clamp(0, 8)
    cell = (9 * bins[:, 0] + bins[:, 1]).numpy()
    weight = 1 / np.bincount(cell, minlength=81)[cell]
    drawn = material.rng().choice(len(cell), size=len(cell), p=weight / weight.sum())
    return Arm(material.real[torch.from_numpy(drawn)], n_real=len(cell))


def specaugment(material: Material) -> Arm:
    """Real songs with SpecAugment."""
    return replace(material.alone(), augmentation="specaugment")


def mixup(material: Material) -> Arm:
    """Real songs with mixup."""
    return replace(material.alone(), augmentation="mixup")


def shift_gain(material: Material) -> Arm:
    """Real songs, shifted in time, with a small change of gain."""
    return replace(material.alone(), augmentation="shift_gain")


def synthetic(material: Material) -> Arm:
    """Real and synthetic songs: the arm that the sources claim helps."""
    return material.with_real(material.synthetic)


def synthetic_shuffled(material: Material) -> Arm:
    """Real songs, and synthetic ones with permuted labels: a gain that remains is not due to their emotion."""
    order = torch.from_numpy(material.rng().permutation(len(material.emotion)))
    return material.with_real(Clips(material.synthetic.spectrogram, material.emotion[order]))


def synthetic_only(material: Material) -> Arm:
    """Synthetic songs alone (train on synthetic, test on real; Ravuri & Vinyals 2019)."""
    return Arm(material.synthetic, n_real=0)


def copies(material: Material) -> Arm:
    """Real songs, and for each synthetic one a copy of the real song of the nearest emotion, with its label."""
    nearest = torch.cdist(material.emotion, material.real.emotion).argmin(dim=1)
    return material.with_real(Clips(material.real.spectrogram[nearest], material.emotion))


def noise(material: Material) -> Arm:
    """Real songs, and `joint-gaussian` noise fitted to them, with the synthetic labels: a control without music."""
    decibels = denormalise(material.real.spectrogram[:, 0]).numpy()
    statistics = ReferenceStatistics.empty(*decibels.shape[1:])
    statistics.update(decibels)
    drawn = sample_surrogate("joint-gaussian", statistics, len(material.emotion), seed=material.seed)
    made = normalise(torch.from_numpy(np.concatenate(list(drawn))))[:, None]
    return material.with_real(Clips(made, material.emotion))


def synthetic_equal_exposure(material: Material) -> Arm:
    """Real and synthetic songs, with as many more updates as it takes to see each real song as often as in `real`."""
    return replace(synthetic(material), steps_factor=1 + material.share)


def noise_equal_exposure(material: Material) -> Arm:
    """Real songs and noise, with as many more updates as it takes to see each real song as often as in `real`."""
    return replace(noise(material), steps_factor=1 + material.share)


ARMS: dict[str, Callable[[Material], Arm]] = {
    make.__name__: make
    for make in (
        real,
        real_longer,
        real_resampled,
        specaugment,
        mixup,
        shift_gain,
        copies,
        noise,
        noise_equal_exposure,
        synthetic,
        synthetic_equal_exposure,
        synthetic_shuffled,
        synthetic_only,
    )
}
# the arms that use the generator
GENERATIVE = frozenset({"synthetic", "synthetic_equal_exposure", "synthetic_shuffled", "synthetic_only"})
# the arms that a user could train on instead of synthetic songs; shuffled labels, noise and copies are controls
ALTERNATIVES = frozenset({"real", "real_longer", "real_resampled", "specaugment", "mixup", "shift_gain"})
# the arms that add clips, which may have a share of their own
SHARED = GENERATIVE | {"copies", "noise", "noise_equal_exposure"}


def arm_and_share(name: str) -> tuple[str, float | None]:
    """Split "synthetic@0.5" into the name of the arm and its share of added clips; None for the share of the plan.

    Raises:
        ValueError: The arm is unknown, or the share is not a positive number, or the arm adds no clips.
    """
    base, at, text = name.partition("@")
    if base not in ARMS:
        raise ValueError(f"expected arms out of {', '.join(ARMS)}, got {name!r}")
    if not at:
        return base, None
    try:
        share = float(text)
    except ValueError:
        share = math.nan
    if not (base in SHARED and 0 < share < math.inf):
        raise ValueError(f"expected a share above 0 after an arm that adds clips, as in 'synthetic@0.5', got {name!r}")
    return base, share


def needs_generator(name: str) -> bool:
    """Return whether an arm cannot do without a generator."""
    return arm_and_share(name)[0] in GENERATIVE


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
