"""The recogniser beside plain baselines, in the same folds and with labels of both kinds."""

from typing import Any

from musemo_hf.evaluation.statistics.comparison import compare_arms, compare_with_best
from musemo_hf.experiments.ablation.finished import Finished

NO_AUDIO = frozenset({"mean", "artist"})
OWN = frozenset({"kernel"})  # a part of the recogniser; the difference shows what the network adds


def baseline_tables(finished: Finished, groups: list[str]) -> dict[str, Any]:
    """Compute the figures of the baselines, and the differences of the recogniser to them.

    Args:
        finished: The finished tasks.
        groups: The artist of each tested song.

    Returns:
        `labels`: the figures by kind of labels and baseline (see `compare_arms`, with `ccc_rescaled` and without
        differences); `real_to_best` and `real_to_kernel`: the difference of the recogniser to the best plain baseline
        and to its own kernel regression (see `compare_with_best`), with the labels of the run. They are empty or None
        without baselines.
    """
    tested, n_resamples = finished.tested(), finished.ablation.plan.n_resamples
    given, rescaled = finished.baselines(), finished.baselines("rescaled")
    tables: dict[str, Any] = {}
    for kind, predictions in given.items():
        if predictions:
            labels = finished.ablation.labels[kind][tested]
            tables[kind] = compare_arms(predictions, labels, groups, reference=None, n_resamples=n_resamples)
            again = compare_arms(rescaled[kind], labels, groups, reference=None, n_resamples=n_resamples)
            for name, figures in tables[kind].items():
                figures["ccc_rescaled"] = again[name]["ccc"]
    found = set(finished.baselines()[next(iter(finished.ablation.labels))])
    plain = found - NO_AUDIO - OWN
    return {
        "labels": tables,
        "real_to_best": _difference(finished, groups, sorted(plain or found - OWN)),
        "real_to_kernel": _difference(finished, groups, sorted(found & OWN)),
    }


def _difference(finished: Finished, groups: list[str], baselines: list[str]) -> dict[str, Any] | None:
    if not baselines:
        return None
    own = next(iter(finished.ablation.labels))
    return compare_with_best(
        {"real": finished.predictions()["real"], **finished.baselines()[own]},
        finished.ablation.labels[own][finished.tested()],
        groups,
        "real",
        baselines,
        n_resamples=finished.ablation.plan.n_resamples,
    )
