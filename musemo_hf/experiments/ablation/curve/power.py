"""The smallest effects that a planned ablation can detect, from the standard errors of finished ones."""

import math
from dataclasses import dataclass

import numpy as np

from musemo_hf.evaluation.statistics.comparison import POWER, smallest_effect
from musemo_hf.experiments.ablation.ablation import Ablation
from musemo_hf.experiments.ablation.arms import PROPOSED, arm_and_share
from musemo_hf.experiments.ablation.tasks import ablation_tasks

NORMAL_95 = 1.96


@dataclass(frozen=True)
class Known:
    """A paired difference of mean CCC that was measured out of fold.

    Attributes:
        page: The page that shows it.
        difference: What was compared.
        interval: Its 95 % interval over artists.
        n_songs: The number of tested songs.
        n_seeds: The number of seeds.
    """

    page: str
    difference: str
    interval: tuple[float, float]
    n_songs: int
    n_seeds: int

    @property
    def standard_error(self) -> float:
        """The standard error of the difference, for intervals of a normal distribution."""
        return (self.interval[1] - self.interval[0]) / (2 * NORMAL_95)


KNOWN = (
    Known("docs/ablation-budget.md", "real + synthetic minus the best arm without", (-0.036, -0.021), 1615, 3),
    Known("docs/ablation-budget.md", "real + synthetic minus real", (-0.024, -0.013), 1615, 3),
    Known("docs/ablation-budget-flow.md", "real + synthetic minus real", (-0.014, -0.006), 1615, 1),
)
# Recognisers that learn from few songs differ more from each other than those of the known runs, which learnt from
# 1,292. How much more is not known beforehand: the plan shows the standard errors as they were, and twice as large.
INFLATION = (1.0, 2.0)


def plan(ablation: Ablation) -> str:
    """Describe what an ablation will compute, and the smallest effects that it can detect, as lines of text.

    Standard errors fall with the square root of the number of tested songs.
    """
    tasks = ablation_tasks(ablation)
    done = sum(task.done(ablation) for task in tasks)
    proposed = [arm for arm in ablation.plan.arms if arm_and_share(arm)[0] in PROPOSED]
    sizes = ablation.plan.n_real_songs or [len(ablation.splits[0].train)]
    n_tested = len(np.unique(np.concatenate([split.test for split in ablation.splits])))
    n_comparisons = max(1, len(proposed) * len(sizes))
    lines = [
        f"Tasks: {len(tasks)}, of which {done} are done.",
        f"Real songs in training: {', '.join(map(str, sizes))}. Tested songs: {n_tested}, out of fold. "
        f"Seeds: {len(ablation.plan.seeds)}.",
        f"Comparisons with the best arm without synthesis: {n_comparisons} ({', '.join(proposed) or 'none'}).",
        f"Smallest difference in mean CCC that is detected with power {POWER:g}, for one two-sided test at 0.05, and "
        f"for the first of {n_comparisons} tests by Holm:",
    ]
    for known in KNOWN:
        error = known.standard_error * math.sqrt(known.n_songs / n_tested)
        for factor in INFLATION:
            one = smallest_effect(factor * error)
            first = smallest_effect(factor * error, 0.05 / n_comparisons)
            times = "as it was" if factor == 1 else f"{factor:g} times as large"
            lines.append(
                f"- {one:.3f} and {first:.3f}, with a standard error of {factor * error:.4f} ({times}: {known.page}, "
                f"{known.difference}, {known.n_seeds} seeds)"
            )
    return "\n".join(lines)
