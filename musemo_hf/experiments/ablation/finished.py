"""The results of an ablation that can be reported: arms, splits and seeds of which every result is there."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from musemo_hf.files import is_whole

from .ablation import Ablation
from .split_work import SplitWork
from .splits import Split


@dataclass(frozen=True)
class Finished:
    """The results of each arm in each split with each seed, so that all arms are compared on equal terms.

    Attributes:
        ablation: The context.
        splits: The splits whose songs are reported.
        arms: The arms that are compared.
        seeds: The seeds of all arms.
        missing: The names of results that are planned and not there.
        failures: Split -> why its generator failed.
    """

    ablation: Ablation
    splits: list[Split]
    arms: list[str]
    seeds: list[int]
    missing: list[str] = field(default_factory=list)
    failures: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, ablation: Ablation, splits: list[Split] | None = None) -> "Finished":
        """Find the results that are there, in all splits or in those given.

        Splits: those in which every arm of the first seed is finished; where there are none, those in which `real` is.
        Arms: those finished in all these splits. Seeds: those with which all these arms are.

        Raises:
            ValueError: No split has a result of the arm `real` with the first seed.
        """
        plan, first = ablation.plan, ablation.plan.seeds[0]
        works = [SplitWork(ablation, split) for split in (ablation.splits if splits is None else splits)]

        def done(work: SplitWork, arm: str, seed: int) -> bool:
            return is_whole(work.path(arm, seed))

        chosen = [work for work in works if all(done(work, arm, first) for arm in plan.arms)]
        chosen = chosen or [work for work in works if done(work, "real", first)]
        if not chosen:
            raise ValueError(f"expected a result of the arm 'real' in {ablation.run_dir}, found none")
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
            if not is_whole(path := work.baseline_path(name, labels, seed))
        ]
        return cls(ablation, [work.split for work in chosen], arms, seeds, missing, failures)

    def tested(self) -> np.ndarray:
        """Return the indices of all test songs, in the order of `predictions`."""
        return np.concatenate([split.test for split in self.splits])

    def works(self) -> list[SplitWork]:
        """Return the work of each split."""
        return [SplitWork(self.ablation, split) for split in self.splits]

    def predictions(self, kind: str = "predictions") -> dict[str, np.ndarray]:
        """Return arm -> float64 `(seeds, N, 2)` over all test songs; `kind` is "predictions" or "rescaled"."""
        return {arm: self._pooled(self.seeds, partial(SplitWork.predictions, arm=arm), kind) for arm in self.arms}

    def _pooled(self, seeds: Sequence[int], read: Callable[..., dict[str, Any]], kind: str) -> np.ndarray:
        works = self.works()
        return np.stack([np.concatenate([read(work, seed=seed)[kind] for work in works]) for seed in seeds])

    def baselines(self, kind: str = "predictions") -> dict[str, dict[str, np.ndarray]]:
        """Return labels -> baseline -> float64 `(seeds, N, 2)`, for the baselines that are finished in all splits."""
        works = self.works()
        found: dict[str, dict[str, np.ndarray]] = {labels: {} for labels in self.ablation.labels}
        for name in self.ablation.plan.baselines:
            for labels, of_labels in found.items():
                seeds = [seed for one, seed in self.ablation.baseline_runs(name) if one == labels]
                seeds = [s for s in seeds if all(is_whole(w.baseline_path(name, labels, s)) for w in works)]
                if seeds:
                    of_labels[name] = self._pooled(seeds, partial(SplitWork.baseline, name=name, labels=labels), kind)
        return found

    def results(self, arm: str) -> list[dict[str, Any]]:
        """Return all results of an arm."""
        return [work.predictions(arm, seed) for work in self.works() for seed in self.seeds]
