"""The figures of a curve: every arm's agreement, and its gain over the best arm without synthetic songs, by size."""

from typing import Any

import numpy as np

from musemo_hf.evaluation.statistics.comparison import compare_arms, compare_with_best, holm
from musemo_hf.experiments.ablation.ablation import Ablation
from musemo_hf.experiments.ablation.arms import PROPOSED, alternatives_of, arm_and_share
from musemo_hf.experiments.ablation.finished import Finished
from musemo_hf.experiments.ablation.report.report import artist_keys, corpus_facts, exposures
from musemo_hf.reporting.provenance import versions

from .power import planned

LEVEL = 0.05  # significance level of the p-values adjusted by Holm


def build_curve(ablation: Ablation, corpus: dict[str, Any], command: str) -> dict[str, Any]:
    """Compute all figures of a curve from its finished tasks.

    Args:
        ablation: The ablation, finished or in part, with `n_real_songs`.
        corpus: The description of the corpus, with `name` and `procedural` (bool).
        command: The command line that made the ablation.

    Returns:
        `sizes`: a list with, for each number of real songs that has results, `n_real_songs`, `n_tested`, `n_artists`,
        `splits`, `seeds`, `arms` (see `compare_arms`, with `exposures`), `gains` (arm -> the difference to the best
        arm without synthetic songs, chosen again in each draw, with `best`, `interval`, `p_value`, `p_holm` over all
        sizes and arms, and `smallest_effect`) and `missing`; `helps` (the pairs of size and arm whose gain is shown);
        `planned` (`n_tested` songs and `n_comparisons` of the whole plan); `corpus`, `budget`, `configuration`,
        `command`, `versions`.

    Raises:
        ValueError: The plan has no `n_real_songs`, or no task is finished.
    """
    if ablation.plan.n_real_songs is None:
        raise ValueError("expected ablation.n_real_songs for a curve, got none")
    sizes, why = [], ""
    for n in ablation.plan.n_real_songs:
        splits = [split for split in ablation.splits if split.n_real == n]
        try:
            sizes.append({"n_real_songs": n, **_of_size(Finished.of(ablation, splits))})
        except ValueError as error:  # nothing of this size is finished
            why = str(error)
    if not sizes:
        raise ValueError(why)
    holm(gain for size in sizes for gain in size["gains"].values())
    for size in sizes:
        for gain in size["gains"].values():
            gain["helps"] = bool(gain["interval"][0] > 0 and gain["p_holm"] < LEVEL)
    whole = Finished.of(ablation, [split for split in ablation.splits if split.n_real == sizes[0]["n_real_songs"]])
    groups = artist_keys(ablation, whole.tested())
    n_tested, _, n_comparisons = planned(ablation)
    return {
        "planned": {"n_tested": n_tested, "n_comparisons": n_comparisons},
        "sizes": sizes,
        "helps": [(s["n_real_songs"], arm) for s in sizes for arm, gain in s["gains"].items() if gain["helps"]],
        "corpus": corpus | corpus_facts(whole, groups),
        "budget": ablation.plan.budget,
        "configuration": ablation.configuration.to_dict(),
        "command": command,
        "versions": versions(),
    }


def _of_size(finished: Finished) -> dict[str, Any]:
    ablation, tested = finished.ablation, finished.tested()
    groups, n_resamples = artist_keys(ablation, tested), ablation.plan.n_resamples
    labels, predictions = ablation.songs.emotion[tested].astype(np.float64), finished.predictions()
    arms = compare_arms(predictions, labels, groups, n_resamples=n_resamples)
    for arm, figures in arms.items():
        figures["exposures"] = exposures(finished, arm)
    gains = {}
    for arm in finished.arms:
        if arm_and_share(arm)[0] in PROPOSED:
            rivals = sorted(alternatives_of(arm) & set(finished.arms))
            gains[arm] = compare_with_best(predictions, labels, groups, arm, rivals, n_resamples=n_resamples)["mean"]
    return {
        "n_tested": len(tested),
        "n_artists": len(set(groups)),
        "splits": [split.name for split in finished.splits],
        "seeds": finished.seeds,
        "arms": arms,
        "gains": gains,
        "missing": finished.missing,
    }
