"""The results of an ablation as plain data."""

from functools import partial
from typing import Any

import numpy as np

from musemo_hf.data.folds import artist_groups
from musemo_hf.evaluation.statistics.comparison import compare_arms
from musemo_hf.experiments.ablation.ablation import Ablation
from musemo_hf.experiments.ablation.arms import ALTERNATIVES
from musemo_hf.experiments.ablation.finished import Finished
from musemo_hf.reporting.provenance import versions

from .as_run import as_run
from .baselines import baseline_tables
from .findings import findings, validate
from .generator import conditioning, generator_training, measure_quality


def build_report(ablation: Ablation, corpus: dict[str, Any], command: str) -> dict[str, Any]:
    """Compute all figures of an ablation from its finished tasks (see `Finished`).

    Args:
        ablation: The ablation, finished or in part.
        corpus: The description of the corpus, with `name` and `procedural` (bool).
        command: The command line that made the ablation.

    Returns:
        At the top `quality_score`, `ccc_real_only`, `ccc_augmented`, `improvement_percent` (None without the arm
        `synthetic`) and `validation`; then `findings` (sentences), `arms` (see `compare_arms`; with
        `rescaled` and `exposures`), `baselines`, `quality` (the answer of `spectrogram_quality`), `conditioning`,
        `as_run`, `leaks`, `missing`, `failures`, `corpus`, `budget`, `seeds`, `configuration`, `command`, `versions`.

    Raises:
        ValueError: No task is finished.
    """
    finished = Finished.of(ablation)
    groups = artist_keys(ablation, finished.tested())
    arms = arm_figures(finished, groups)
    quality = measure_quality(finished)
    ccc = {arm: figures["ccc"]["mean"]["value"] for arm, figures in arms.items()}
    real, augmented = ccc["real"], ccc.get("synthetic")
    report = {
        "quality_score": quality["quality_score"] if quality else None,
        "ccc_real_only": real,
        "ccc_augmented": augmented,
        "improvement_percent": None if augmented is None or not real else 100 * (augmented - real) / abs(real),
        "validation": {},
        "findings": [],
        "budget": ablation.plan.budget,
        "seeds": finished.seeds,
        "protocol": ablation.plan.protocol,
        "corpus": corpus | corpus_facts(finished, groups),
        "arms": arms,
        "baselines": baseline_tables(finished, groups),
        "as_run": as_run(finished, groups),
        "leaks": ablation.leaks(),
        "quality": quality,
        "conditioning": conditioning(finished, groups),
        "generator_training": generator_training(finished),
        "missing": finished.missing,
        "failures": finished.failures,
        "configuration": ablation.configuration.to_dict(),
        "command": command,
        "versions": versions(),
    }
    report["validation"] = validate(report)
    report["findings"] = findings(report)
    return report


def arm_figures(finished: Finished, groups: list[str]) -> dict[str, Any]:
    """Compute the agreement of each arm before and after rescaling, its differences and its exposures."""
    compare = partial(
        compare_arms,
        labels=finished.ablation.songs.emotion[finished.tested()].astype(np.float64),
        groups=groups,
        alternatives=sorted(ALTERNATIVES & set(finished.arms)),
        n_resamples=finished.ablation.plan.n_resamples,
    )
    arms, rescaled = compare(finished.predictions()), compare(finished.predictions("rescaled"))
    for arm, figures in arms.items():
        figures["ccc_rescaled"] = rescaled[arm]["ccc"]
        if arm != "real":
            figures["delta_real_rescaled"] = rescaled[arm]["delta_real"]
        figures["exposures"] = exposures(finished, arm)
    return arms


def artist_keys(ablation: Ablation, tested: np.ndarray) -> list[str]:
    """Return the artist of each tested song; a song without a known artist is a group of its own."""
    keys = artist_groups(ablation.songs.artist)
    return [keys[index] for index in tested]


def corpus_facts(finished: Finished, groups: list[str]) -> dict[str, Any]:
    """Return the counts that every table shows."""
    ablation = finished.ablation
    return {
        "n_songs": len(ablation.songs),
        "n_tested": len(groups),
        "n_artists": len(set(groups)),
        "splits": {split.name: {"train": len(split.train), "test": len(split.test)} for split in finished.splits},
        "config_name": ablation.configuration.data.config_name,
        "labels": ablation.configuration.data.labels,
        "n_frames": int(ablation.songs.spectrogram.shape[-1]),
    }


def exposures(finished: Finished, arm: str) -> dict[str, float]:
    """Return the updates, and how often each clip was seen, in the mean over splits and seeds."""
    pieces = finished.results(arm)
    names = ("steps", "n_clips", "times_each_real_clip", "times_each_synthetic_clip", "seconds")
    return {name: float(np.mean([piece[name] for piece in pieces])) for name in names}
