"""The recogniser beside plain baselines, in the same folds and with labels of both kinds."""

from typing import Any

from musemo_hf.evaluation.comparison import compare_arms, compare_with_best
from musemo_hf.trainers.finished import Finished

NO_AUDIO = frozenset({"mean", "artist"})


def baseline_tables(finished: Finished, groups: list[str]) -> dict[str, Any]:
    """Baselines' figures, and the recogniser's difference to the best of them.

    Args:
        finished: pieces.
        groups: artist of each tested song.

    Returns:
        `labels`: "corrected" and "published" -> baseline -> figures (see `compare_arms`, with `ccc_rescaled`; no
        differences); `real_to_best` (see `compare_with_best`), with the run's own labels; both empty or None where
        there are no baselines.
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
    return {"labels": tables, "real_to_best": _real_to_best(finished, groups)}


def _real_to_best(finished: Finished, groups: list[str]) -> dict[str, Any] | None:
    own = next(iter(finished.ablation.labels))
    baselines = finished.baselines()[own]
    if not baselines:
        return None
    return compare_with_best(
        {"real": finished.predictions()["real"], **baselines},
        finished.ablation.labels[own][finished.tested()],
        groups,
        "real",
        sorted(set(baselines) - NO_AUDIO) or sorted(baselines),
        n_resamples=finished.ablation.plan.n_resamples,
    )
