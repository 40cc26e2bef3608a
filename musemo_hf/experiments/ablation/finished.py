"""What of an ablation can be reported: the arms, splits and seeds of which every piece is there."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .ablation import Ablation
from .split_work import SplitWork
from .splits import Split


@dataclass(frozen=True)
class Finished:
    """A rectangle of finished pieces: each arm in each split with each seed, so that all are compared on equal terms.

    Attributes:
        ablation: that made them.
        splits: whose songs are reported.
        arms: compared.
        seeds: of all arms.
        missing: names of pieces that are planned and not there.
        failures: split -> why its generator failed.
    """

    ablation: Ablation
    splits: list[Split]
    arms: list[str]
    seeds: list[int]
    missing: list[str] = field(default_factory=list)
    failures: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, ablation: Ablation) -> "Finished":
        """The pieces that are there.

        Splits: those in which every arm of the first seed is finished; where there are none, those in which `real` is.
        Arms: those finished in all these splits. Seeds: those with which all these arms are.

        Raises:
            ValueError: no split has the arm `real` with the first seed.
        """
        plan, first = ablation.plan, ablation.plan.seeds[0]
        works = [SplitWork(ablation, split) for split in ablation.splits]

        def done(work: SplitWork, arm: str, seed: int) -> bool:
            return work.path(arm, seed).is_file()

        chosen = [work for work in works if all(done(work, arm, first) for arm in plan.arms)]
        chosen = chosen or [work for work in works if done(work, "real", first)]
        if not chosen:
            raise ValueError(f"expected a finished piece of the arm 'real' in {ablation.run_dir}, found none")
        arms = [arm for arm in plan.arms if all(done(work, arm, first) for work in chosen)]
        seeds = [s for s in plan.seeds if all(done(work, arm, s) for work in chosen for arm in arms)]
        failures = {work.split.name: work.generator.failure for work in works if work.generator.failure is not None}
        missing = [
            f"{work.split.name}/{arm}-seed{seed}"
            for seed in plan.seeds
            for work in works
            for arm in plan.arms
            if not done(work, arm, seed)
        ] + [
            f"{work.split.name}/baselines/{path.stem}"
            for name in plan.baselines
            for labels, seed in ablation.baseline_runs(name)
            for work in works
            if not (path := work.baseline_path(name, labels, seed)).is_file()
        ]
        return cls(ablation, [work.split for work in chosen], arms, seeds, missing, failures)

    def tested(self) -> np.ndarray:
        """Indices of all songs that are tested, in the order of `predictions`."""
        return np.concatenate([split.test for split in self.splits])

    def works(self) -> list[SplitWork]:
        """The splits' pieces."""
        return [SplitWork(self.ablation, split) for split in self.splits]

    def predictions(self, kind: str = "predictions") -> dict[str, np.ndarray]:
        """Arm -> float64 `(seeds, N, 2)` over all tested songs; `kind` "rescaled" for those after rescaling."""
        return {arm: self._pooled(self.seeds, self._reader(arm), kind) for arm in self.arms}

    def _reader(self, arm: str) -> Callable[[SplitWork, int], dict[str, Any]]:
        return lambda work, seed: work.predictions(arm, seed)

    def _baseline_reader(self, name: str, labels: str) -> Callable[[SplitWork, int], dict[str, Any]]:
        return lambda work, seed: work.baseline(name, labels, seed)

    def _pooled(self, seeds: Sequence[int], read: Callable[[SplitWork, int], dict[str, Any]], kind: str) -> np.ndarray:
        return np.stack([np.concatenate([read(work, seed)[kind] for work in self.works()]) for seed in seeds])

    def baselines(self, kind: str = "predictions") -> dict[str, dict[str, np.ndarray]]:
        """Labels -> baseline -> float64 `(seeds, N, 2)`, of those that are finished in all splits."""
        found: dict[str, dict[str, np.ndarray]] = {labels: {} for labels in self.ablation.labels}
        for name in self.ablation.plan.baselines:
            for labels, of_labels in found.items():
                seeds = [seed for one, seed in self.ablation.baseline_runs(name) if one == labels]
                seeds = [s for s in seeds if all(w.baseline_path(name, labels, s).is_file() for w in self.works())]
                if seeds:
                    of_labels[name] = self._pooled(seeds, self._baseline_reader(name, labels), kind)
        return found

    def pieces(self, arm: str) -> list[dict[str, Any]]:
        """All finished pieces of an arm."""
        return [work.predictions(arm, seed) for work in self.works() for seed in self.seeds]
