"""The arms of the ablation: the training sets that recognisers are compared on."""

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch

from musemo_hf.audio.mel import denormalise, normalise
from musemo_hf.evaluation.surrogates.reference_statistics import ReferenceStatistics
from musemo_hf.evaluation.surrogates.samplers import sample_surrogate
from musemo_hf.training.clips import Clips

from .material import Arm, Material

EQUAL_EPOCHS = 3.3  # (3,200 + 1,395) / 1,395: updates at equal epochs for the published numbers of clips
TEACHER_SHARE = 0.5  # of the teacher's label of a real song, beside its own


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


def pretrain_synthetic(material: Material) -> Arm:
    """Synthetic songs in the first half of the updates, real ones in the second (Kroher et al. 2024)."""
    return replace(material.alone(), pretraining=material.synthetic)


def variations(material: Material) -> Arm:
    """Real songs and variations of them by the generator, towards other emotions, with blended labels.

    Noise is added to a song part of the way, and removed again.
    """
    chosen = torch.arange(len(material.emotion)) % len(material.real)
    return material.with_real(material.vary(material.real[chosen], material.emotion))


def _synthetic_taught(material: Material, external: bool) -> Arm:
    made = material.generate(material.emotion)
    return material.with_real(Clips(made, material.teach(external).label(made)))


def synthetic_taught(material: Material) -> Arm:
    """Real and synthetic songs; these have the labels of a teacher, not the requested ones."""
    return _synthetic_taught(material, external=False)


def synthetic_taught_external(material: Material) -> Arm:
    """Real and synthetic songs; these have the labels of a teacher that uses external data."""
    return _synthetic_taught(material, external=True)


def _real_taught(material: Material, external: bool) -> Arm:
    real, taught = material.real, material.teach(external).cross_fitted()
    labels = torch.lerp(real.emotion, taught.to(real.emotion), TEACHER_SHARE)
    return Arm(Clips(real.spectrogram, labels), n_real=len(real))


def real_taught(material: Material) -> Arm:
    """Real songs; half of each label is the teacher's, cross-fitted: a control without synthetic songs."""
    return _real_taught(material, external=False)


def real_taught_external(material: Material) -> Arm:
    """Real songs; half of each label is that of a teacher that uses external data, cross-fitted."""
    return _real_taught(material, external=True)


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
        pretrain_synthetic,
        variations,
        synthetic_taught,
        synthetic_taught_external,
        real_taught,
        real_taught_external,
    )
}
# the arms that learn from external data too, through their teacher; they are compared with each other and all others
EXTERNAL = frozenset({"synthetic_taught_external", "real_taught_external"})
# the arms that could make a recogniser better by synthetic songs; the other generative ones are controls
PROPOSED = frozenset({"synthetic", "pretrain_synthetic", "variations", "synthetic_taught", "synthetic_taught_external"})
# the arms that use the generator
GENERATIVE = PROPOSED | {"synthetic_equal_exposure", "synthetic_shuffled", "synthetic_only"}
# the arms that a user could train on instead of synthetic songs; shuffled labels, noise and copies are controls
ALTERNATIVES = frozenset({"real", "real_longer", "real_resampled", "specaugment", "mixup", "shift_gain", "real_taught"})
# the arms that add clips, which may have a share of their own
SHARED = GENERATIVE | {"copies", "noise", "noise_equal_exposure"}


def alternatives_of(arm: str) -> frozenset[str]:
    """Return the arms without synthetic songs that an arm is compared with: with external data only if it has too."""
    return ALTERNATIVES | (EXTERNAL - GENERATIVE if arm_and_share(arm)[0] in EXTERNAL else frozenset())


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
