"""The smallest effects that a planned ablation can detect, from the standard errors of finished ones."""

import math
from dataclasses import dataclass

import numpy as np

from musemo_hf.evaluation.statistics.comparison import POWER, smallest_effect
from musemo_hf.experiments.ablation.ablation import Ablation
from musemo_hf.experiments.ablation.arms import PROPOSED, arm_and_share
from musemo_hf.experiments.ablation.tasks import ablation_tasks

NORMAL_95 = 1.96
ALPHA = 0.05


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


@dataclass(frozen=True)
class Detectable:
    """A smallest difference in mean CCC that is detected with power 0.8, under an assumption.

    Attributes:
        known: The difference whose standard error is assumed.
        factor: The factor by which the standard error is assumed to be larger.
        standard_error: The standard error that is assumed.
        one_test: The smallest difference that a single two-sided test at 0.05 detects.
        first_test: The smallest difference that the first test by Holm detects.
    """

    known: Known
    factor: float
    standard_error: float
    one_test: float
    first_test: float


def detectable(n_tested: int, n_comparisons: int) -> list[Detectable]:
    """Compute the smallest differences that a run can detect, under each assumption on its standard error.

    Standard errors fall with the square root of the number of tested songs.

    Args:
        n_tested: The number of tested songs.
        n_comparisons: The number of comparisons, over which Holm's adjustment is made.
    """
    found = []
    for known in KNOWN:
        for factor in INFLATION:
            error = factor * known.standard_error * math.sqrt(known.n_songs / n_tested)
            first = smallest_effect(error, ALPHA / max(1, n_comparisons))
            found.append(Detectable(known, factor, error, smallest_effect(error, ALPHA), first))
    return found


def planned(ablation: Ablation) -> tuple[int, list[str], int]:
    """Return the number of songs that are tested, the arms that are to help, and the number of comparisons in all."""
    arms = [arm for arm in ablation.plan.arms if arm_and_share(arm)[0] in PROPOSED]
    n_tested = len(np.unique(np.concatenate([split.test for split in ablation.splits])))
    return n_tested, arms, len(arms) * len(ablation.plan.n_real_songs or [0])


def plan(ablation: Ablation) -> str:
    """Describe what an ablation will compute, and the smallest effects that it can detect, as lines of text."""
    tasks = ablation_tasks(ablation)
    done = sum(task.done(ablation) for task in tasks)
    n_tested, arms, n_comparisons = planned(ablation)
    sizes = ablation.plan.n_real_songs or [len(ablation.splits[0].train)]
    lines = [
        f"Tasks: {len(tasks)}, of which {done} are done.",
        f"Real songs in training: {', '.join(map(str, sizes))}. Tested songs: {n_tested}, out of fold. "
        f"Seeds: {len(ablation.plan.seeds)}.",
        f"Comparisons with the best arm without synthesis: {n_comparisons} ({', '.join(arms) or 'none'}).",
        f"Smallest difference in mean CCC that is detected with power {POWER:g}, for one two-sided test at {ALPHA:g}, "
        "and for the first test by Holm:",
    ]
    for found in detectable(n_tested, n_comparisons):
        times = "as it was" if found.factor == 1 else f"{found.factor:g} times as large"
        known = found.known
        lines.append(
            f"- {found.one_test:.3f} and {found.first_test:.3f}, with a standard error of {found.standard_error:.4f} "
            f"({times}: {known.page}, {known.difference}, {known.n_seeds} seed{'s' if known.n_seeds > 1 else ''})"
        )
    return "\n".join(lines)
