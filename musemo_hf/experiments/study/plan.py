"""What a study of generators compares: rungs are values, merged over one common configuration."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from musemo_hf.training.configuration import Configuration, merge

SECTIONS = ("generator", "gan_training", "flow", "flow_training")  # what a rung may change
EQUAL = ("steps", "epochs", "batch_size", "seed")  # of `gan_training`, what it may not
TEACHER = "teacher"  # where a rung names a folder: the study's own recogniser, trained on the same songs
TAUGHT = (
    ("gan_training", "recogniser"),
    ("gan_training", "perceptual_model"),
    ("generator", "pretrained_discriminator"),
)


@dataclass
class StudyPlan:
    """What `training/study.py` compares, and how.

    Attributes:
        fold: artist-disjoint fold held out: every rung is trained on the others, and judged on this one's songs.
        baseline: the rung that others are compared with; its seconds of training are the flow rungs' budget.
        candidate: the rung that is held against the aims, named beforehand, so that no test decides it.
        seeds: of every rung.
        finalists: rungs that are trained with `finalist_seeds` instead, named beforehand.
        finalist_seeds: three or more, so that a difference has an interval.
        judge_seed: of the recogniser that hears the emotion of generated clips, and trains no generator.
        teacher_seed: of the recogniser that rungs with a cycle, a perceptual loss or a pretrained discriminator use.
        n_clips: clips generated for judgement, at the emotions of as many held-out songs; None for all of them.
        sampling_steps: of the flow rungs, each a row of the table.
        n_resamples: bootstrap draws.
        minutes: no piece is begun later than so many minutes after the start; None for no limit. A later start goes on.
        budget: name that every table carries.
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
    """The common configuration, the plan, and by its name what each rung changes: section -> key -> value."""

    study: StudyPlan = field(default_factory=StudyPlan)
    rungs: dict[str, Any] = field(default_factory=lambda: {"enhanced": {}})

    def seeds_of(self, rung: str) -> list[int]:
        """The seeds that a rung is trained with."""
        return self.study.finalist_seeds if rung in self.study.finalists else self.study.seeds

    def is_flow(self, rung: str) -> bool:
        """Whether the rung is a flow, trained for the baseline's seconds, and not a GAN."""
        return bool({"flow", "flow_training"} & set(self.rungs[rung] or {}))

    def uses_teacher(self, rung: str) -> bool:
        """Whether the rung's training asks a recogniser that the study trains beforehand."""
        changes = self.rungs[rung] or {}
        return any((changes.get(section) or {}).get(key) == TEACHER for section, key in TAUGHT)

    def of_rung(self, rung: str, teacher: Path | None = None) -> "StudyConfiguration":
        """The common configuration with the rung's values over it.

        Args:
            rung: its name.
            teacher: folder that takes the place of "teacher".
        """
        values = {section: dict(changes or {}) for section, changes in (self.rungs[rung] or {}).items()}
        for section, key in TAUGHT:
            if teacher is not None and values.get(section, {}).get(key) == TEACHER:
                values[section][key] = str(teacher)
        return merge(self, values, f"rungs: {rung}")

    def check(self) -> None:
        """Refuse a study that would not compare what it says, before anything is trained.

        Raises:
            ValueError: a rung that is named and not there, a value that no section knows, or unequal steps.
        """
        named = [self.study.baseline, self.study.candidate, *self.study.finalists]
        if missing := sorted(set(named) - set(self.rungs)):
            raise ValueError(f"expected rungs out of {', '.join(self.rungs)}, got {', '.join(missing)}")
        if self.is_flow(self.study.baseline):
            raise ValueError(f"expected a GAN for a baseline, got the flow {self.study.baseline}")
        for rung, changes in self.rungs.items():
            if unknown := sorted(set(changes or {}) - set(SECTIONS)):
                raise ValueError(
                    f"rungs: {rung}: expected sections out of {', '.join(SECTIONS)}, got {', '.join(unknown)}"
                )
            unequal = sorted(set((changes or {}).get("gan_training") or {}) & set(EQUAL))
            if unequal:
                raise ValueError(f"rungs: {rung}: expected equal {', '.join(EQUAL)} in all, got {', '.join(unequal)}")
            self.of_rung(rung)
