"""The plan of a study: the generator variants that are compared, each a set of changes to one common configuration."""

import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from musemo_hf.training.configuration import GENERATOR_KINDS, Configuration, merge
from musemo_hf.training.wavegan.settings import WaveganTraining

KINDS = (*GENERATOR_KINDS, "wavegan")  # a WaveGAN learns from audio, which no other part of the project does
SECTIONS = (  # what a variant may change
    *("generator", "gan_training", "flow", "flow_training", "unet", "unet_training"),
    *("wavegan", "wavegan_training"),
)
EQUAL = ("steps", "epochs", "batch_size", "seed")  # of `gan_training`, what a variant may not change
TEACHER = "teacher"  # in place of a folder: the recogniser that the study itself trains on the same songs
TAUGHT = (
    ("gan_training", "recogniser"),
    ("gan_training", "perceptual_model"),
    ("generator", "pretrained_discriminator"),
)


@dataclass
class StudyPlan:
    """What `training/study.py` compares, and how.

    Attributes:
        fold: The artist-disjoint fold that is held out. Every variant is trained on the other folds and measured
            against the songs of this one.
        baseline: The variant that the others are compared with. Variants of another kind train for as many seconds as
            it took.
        candidate: The variant that is compared with the project's aims, named before any result is known.
        seeds: The training seeds of each variant.
        finalists: The variants that are trained with `finalist_seeds` instead.
        finalist_seeds: Three or more seeds, so that a difference has a confidence interval.
        judge_seed: The seed of the recogniser that predicts the emotion of generated clips. It trains no generator.
        teacher_seed: The seed of the recogniser that is used by variants with cycle consistency, a perceptual loss or
            a pretrained discriminator.
        n_clips: The number of clips to generate and measure, at the emotions of as many held-out songs; None for all.
        sampling_steps: The numbers of sampling steps of a flow; each gives a row of the table.
        n_resamples: The number of bootstrap resamples.
        minutes: No task starts later than this many minutes after the start; None for no limit. A later run continues.
        budget: The name that is printed with every table.
    """

    fold: int = 0
    baseline: str = "enhanced"
    candidate: str = "enhanced"
    seeds: list[int] = field(default_factory=lambda: [0])
    finalists: list[str] = field(default_factory=list)
    finalist_seeds: list[int] = field(default_factory=lambda: [0, 1, 2])
    judge_seed: int = 101
    teacher_seed: int = 202
    n_clips: int | None = None
    sampling_steps: list[int] = field(default_factory=lambda: [1, 4, 20])
    n_resamples: int = 400
    minutes: float | None = None
    budget: str = "default"


@dataclass
class StudyConfiguration(Configuration):
    """The common configuration, the plan, and the variants.

    Attributes:
        study: The plan.
        variants: Variant name -> `kind` ("gan", the default, "flow", "unet" or "wavegan") and the sections that it
            changes, each key -> value.
        wavegan: The arguments of `MusemoWaveganGenerator`.
        wavegan_training: The settings of a WaveGAN's training.
    """

    study: StudyPlan = field(default_factory=StudyPlan)
    variants: dict[str, Any] = field(default_factory=lambda: {"enhanced": {}})
    wavegan: dict[str, Any] = field(default_factory=dict)
    wavegan_training: WaveganTraining = field(default_factory=WaveganTraining)

    @classmethod
    def upgrade(cls, values: dict[str, Any], where: str) -> dict[str, Any]:
        """Accept the key `rungs` for `variants`, and a variant with a section of the flow and no `kind`."""
        values = super().upgrade(values, where)
        if "rungs" in values:
            if "variants" in values:
                raise ValueError(f"{where}: expected variants, got also rungs, which is their former name")
            warnings.warn(f"{where}: the key rungs is now called variants", FutureWarning, stacklevel=2)
            values["variants"] = values.pop("rungs")
        if not isinstance(values.get("variants"), dict):
            return values
        variants = dict(values["variants"])
        for name, changes in variants.items():
            if isinstance(changes, dict) and "kind" not in changes and {"flow", "flow_training"} & set(changes):
                message = f"{where}: variants: {name}: expected `kind: flow`; a flow is no longer told by its sections"
                warnings.warn(message, FutureWarning, stacklevel=2)
                variants[name] = {"kind": "flow", **changes}
        return values | {"variants": variants}

    def seeds_of(self, variant: str) -> list[int]:
        """Return the training seeds of a variant."""
        return self.study.finalist_seeds if variant in self.study.finalists else self.study.seeds

    def kind_of(self, variant: str) -> str:
        """Return the kind of a variant; all kinds but "gan" train for as many seconds as the baseline did."""
        return (self.variants[variant] or {}).get("kind", "gan")

    def uses_teacher(self, variant: str) -> bool:
        """Return whether training the variant needs the recogniser that the study trains beforehand."""
        changes = self.variants[variant] or {}
        return any((changes.get(section) or {}).get(key) == TEACHER for section, key in TAUGHT)

    def of_variant(self, variant: str, teacher: Path | None = None) -> "StudyConfiguration":
        """Merge the changes of a variant over the common configuration.

        Args:
            variant: The name of the variant.
            teacher: The folder that replaces the word "teacher".
        """
        values = {section: changes for section, changes in (self.variants[variant] or {}).items() if section != "kind"}
        for section, key in TAUGHT:
            if teacher is not None and (values.get(section) or {}).get(key) == TEACHER:
                values[section] = {**values[section], key: str(teacher)}
        return merge(self, values, f"variants: {variant}")

    def check(self) -> None:
        """Refuse a study that would not compare what it says, before anything is trained.

        Raises:
            ValueError: A named variant is missing, a kind, section or key is unknown, or numbers of steps differ.
        """
        named = [self.study.baseline, self.study.candidate, *self.study.finalists]
        if missing := sorted(set(named) - set(self.variants)):
            raise ValueError(f"expected variants out of {', '.join(self.variants)}, got {', '.join(missing)}")
        for variant in self.variants:
            self._check_variant(variant)
        if self.kind_of(self.study.baseline) != "gan":
            kind = self.kind_of(self.study.baseline)
            raise ValueError(f"expected a baseline of the kind gan, got {self.study.baseline} of the kind {kind}")

    def _check_variant(self, variant: str) -> None:
        where, changes = f"variants: {variant}", self.variants[variant]
        changes = {} if changes is None else changes
        if not isinstance(changes, dict):
            raise ValueError(f"{where}: expected keys and values, got {changes!r}")
        if unknown := sorted(set(changes) - {"kind", *SECTIONS}):
            raise ValueError(f"{where}: expected kind or one of {', '.join(SECTIONS)}, got {', '.join(unknown)}")
        if changes.get("kind", "gan") not in KINDS:
            raise ValueError(f"{where}: kind: expected one of {', '.join(KINDS)}, got {changes['kind']!r}")
        self.of_variant(variant)
        if unequal := sorted(set(changes.get("gan_training") or {}) & set(EQUAL)):
            raise ValueError(f"{where}: expected equal {', '.join(EQUAL)} in all, got {', '.join(unequal)}")
