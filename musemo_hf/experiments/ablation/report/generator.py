"""The quality of an ablation's generators, and the course of their training."""

import json
from typing import Any

import evaluate
import numpy as np

from musemo_hf.evaluation.statistics.concordance import concordance_report
from musemo_hf.experiments.ablation.finished import Finished
from musemo_hf.experiments.ablation.split_work import SplitWork
from musemo_hf.metrics import metric_path
from musemo_hf.training.log import read_statistics

CURVES = ("accuracy", "discriminator_loss", "generator_loss", "loss")


def trained_works(finished: Finished) -> list[SplitWork]:
    """Return the splits that have a generator."""
    return [work for work in finished.works() if work.generator.trained]


def measure_quality(finished: Finished) -> dict[str, Any] | None:
    """Compute `spectrogram_quality` of generated clips against the test songs, each split with its own generator.

    Authenticity compares both with the training songs of the first split. The answer is None without a generator.
    """
    works = [work for work in finished.works() if work.generator.measured]
    if not works:
        return None
    metric = evaluate.load(metric_path("spectrogram_quality"))
    songs = finished.ablation.songs.spectrogram
    for work in works:
        generated = np.load(work.generator.made, mmap_mode="r")
        for start in range(0, len(generated), 64):
            metric.add_batch(references=songs[work.split.test[start : start + 64]])
            metric.add_batch(predictions=np.asarray(generated[start : start + 64], dtype=np.float32))
    first = works[0].split
    answer = metric.compute(training=songs[first.train], held_out=songs[first.test], confidence=0.95)
    return json.loads(json.dumps(answer, default=float))


def conditioning(finished: Finished, groups: list[str]) -> dict[str, Any] | None:
    """Compute the concordance of the requested emotions with the predictions of recognisers of real songs.

    The recognisers (arm `real`, first seed) took no part in training the generators.
    """
    pieces = [work.predictions("real", finished.seeds[0])["heard"] for work in finished.works()]
    if any(predicted is None for predicted in pieces):
        return None
    requested = finished.ablation.songs.emotion[finished.tested()]
    n_resamples = finished.ablation.plan.n_resamples
    answer = concordance_report(np.concatenate(pieces), requested, groups, confidence=0.95, n_resamples=n_resamples)
    return {name: answer[name] for name in ("ccc", "ccc_interval", "ccc_mean", "ccc_mean_interval", "n")}


def generator_training(finished: Finished) -> dict[str, Any]:
    """Read the training curves and the duration of the training of each split's generator."""
    training = {}
    for work in trained_works(finished):
        kind = work.generator.kind
        lines = read_statistics(work.dir / kind / f"{kind}.jsonl")
        facts = json.loads((work.dir / f"{kind}.json").read_text())
        training[work.split.name] = facts | {
            "step": [line["step"] for line in lines],
            **{name: [line.get(name) for line in lines] for name in CURVES},
            "kid": [{"step": line["step"], "value": line["kid"]} for line in lines if "kid" in line],
        }
    return training
