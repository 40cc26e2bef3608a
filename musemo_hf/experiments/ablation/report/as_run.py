"""The protocol of the study's notebooks: one model tested on real and synthetic songs together, and on each alone.

A uniform label has a deviation of 0.577, a song's about 0.3: concordance on such a mixture says little about songs.
"""

from typing import Any

import numpy as np

from musemo_hf.evaluation.statistics.concordance import concordance_report
from musemo_hf.experiments.ablation.finished import Finished


def as_run(finished: Finished, groups: list[str]) -> dict[str, Any] | None:
    """Compute the concordance of each arm on the mixed test set, its real songs and its synthetic songs.

    Args:
        finished: The finished tasks.
        groups: The artist of each tested song.

    Returns:
        None for other protocols. Otherwise `mixed`, `real` and `synthetic` by arm, each with `ccc`, `ccc_mean` and
        their intervals for the first seed, and `n`; and `inflation`, the mean CCC on the mixture minus that on its real
        songs.
    """
    if not any(split.mixed for split in finished.splits):
        return None
    return {arm: figures for arm in finished.arms if (figures := _of_arm(finished, arm, groups))}


def _of_arm(finished: Finished, arm: str, groups: list[str]) -> dict[str, Any] | None:
    piece = finished.works()[0].predictions(arm, finished.seeds[0])
    if "synthetic_predictions" not in piece:
        return None
    real = (np.asarray(piece["predictions"]), finished.ablation.songs.emotion[finished.tested()].astype(np.float64))
    made = (np.asarray(piece["synthetic_predictions"]), np.asarray(piece["synthetic_emotion"]))
    alone = [f"\tsynthetic {number}" for number in range(len(made[0]))]  # each is a group of its own
    sets = {
        "mixed": ((np.concatenate([real[0], made[0]]), np.concatenate([real[1], made[1]])), groups + alone),
        "real": (real, groups),
        "synthetic": (made, alone),
    }
    figures: dict[str, Any] = {}
    for name, ((predicted, asked), members) in sets.items():
        report = concordance_report(predicted, asked, members, 0.95, n_resamples=finished.ablation.plan.n_resamples)
        figures[name] = {key: report[key] for key in ("ccc", "ccc_interval", "ccc_mean", "ccc_mean_interval", "n")}
    return figures | {"inflation": figures["mixed"]["ccc_mean"] - figures["real"]["ccc_mean"]}
