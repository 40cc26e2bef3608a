"""The evaluation of one generator on held-out songs, as plain data."""

import json
import math
from typing import Any

import evaluate
import numpy as np
import torch

from musemo_hf.audio.mel import denormalise, normalise
from musemo_hf.data.arrays import SongArrays
from musemo_hf.data.folds import artist_groups
from musemo_hf.evaluation.statistics.concordance import concordance_report
from musemo_hf.experiments.sound_sets import SoundSets
from musemo_hf.metrics import metric_path
from musemo_hf.models.vit import MusemoViTForEmotionRegression
from musemo_hf.pipelines.generators import sample_clips
from musemo_hf.reporting.provenance import caveats, versions
from musemo_hf.training.corpus import hold_out, select
from musemo_hf.training.recogniser.prediction import predict

from .external import external_findings, external_report

SEED = 10_000_000  # seed of the generated clips, apart from the seeds of training
HEADLINE = ("external_skill", "external_skill_interval", "detectability", "detectability_interval")
AGREEMENT = ("ccc", "ccc_interval", "ccc_mean", "ccc_mean_interval", "rmse", "n")


def build_generator_report(
    generator: Any,
    evaluator: MusemoViTForEmotionRegression,
    songs: SongArrays,
    fold: int,
    corpus: dict[str, Any],
    command: str,
    budget: str,
    seeds: list[int],
    sounds: SoundSets | None = None,
    bfloat16: bool = False,
) -> dict[str, Any]:
    """Evaluate a generator on a fold that neither it nor the evaluator was trained on.

    Args:
        generator: A generator, which makes one clip at the emotion of every held-out song.
        evaluator: A recogniser that took no part in training the generator.
        songs: The whole corpus.
        fold: The held-out fold.
        corpus: The description of the corpus, with `name` and `procedural` (bool).
        command: The command line that made the report.
        budget: The name of the configuration of both trainings.
        seeds: The seeds of the trainings.
        sounds: Measures sound by an embedder that took no part in any training; None leaves out what decides.
        bfloat16: Whether clips are generated with products in bfloat16.

    Returns:
        The figures that cards read: `external_skill` and `detectability` (see `external_report`, whose whole answer is
        `external`), the headline of a generator; of arrays, in its own space, `quality_score` and `quality` (of
        `spectrogram_quality`); `conditioning` (predicted against requested emotion), `ccc_real_only` and `recogniser`
        (the evaluator against the labels of the held-out songs); `findings`, `validation`, `held_out_fold`, `corpus`,
        `budget`, `seeds`, `command`, `versions`.
    """
    training, held_out = hold_out(songs, fold), select(songs, np.flatnonzero(songs.fold == fold))
    groups, emotion = artist_groups(held_out.artist), held_out.emotion
    with torch.autocast(generator.device.type, torch.bfloat16, enabled=bfloat16):
        made = denormalise(sample_clips(generator, torch.from_numpy(emotion), SEED)[:, 0].float()).numpy()
    quality = array_quality(made, held_out.spectrogram, training.spectrogram)
    generated, own = (
        concordance_report(_predicted(evaluator, clips), emotion, groups, confidence=0.95)
        for clips in (made, held_out.spectrogram)
    )
    report: dict[str, Any] = {
        "quality_score": quality["quality_score"],
        "ccc_real_only": {"value": own["ccc_mean"], "interval": own["ccc_mean_interval"]},
        "validation": {"targets": quality["targets"], "tier": quality["tier"]},
        "quality": quality,
        "conditioning": {name: generated[name] for name in AGREEMENT},
        "recogniser": {name: own[name] for name in AGREEMENT},
        "corpus": corpus
        | {"n_songs": len(songs), "n_training": len(training), "n_tested": len(held_out), "fold": fold}
        | {"n_artists": len(set(groups)), "n_frames": int(songs.spectrogram.shape[-1])},
        "held_out_fold": fold,
        "budget": budget,
        "seeds": seeds,
        "command": command,
        "versions": versions(),
    }
    if sounds is not None:
        external = report["external"] = external_report(made, held_out, training, sounds)
        report |= {name: external[name] for name in HEADLINE}
    report["findings"] = _findings(report)
    return json.loads(json.dumps(report, default=float))


def array_quality(made: np.ndarray, held_out: np.ndarray, training: np.ndarray) -> dict[str, Any]:
    """Return the answer of `spectrogram_quality` for generated log-mels, with intervals.

    Args:
        made: The generated log-mels in dB `(N, 128, n_frames)`.
        held_out: The songs that they are compared with, in dB.
        training: Other songs in dB, which authenticity compares with `held_out`.
    """
    metric = evaluate.load(metric_path("spectrogram_quality"))
    for start in range(0, len(made), 64):
        metric.add_batch(references=held_out[start : start + 64], predictions=made[start : start + 64])
    return metric.compute(training=training, held_out=held_out, confidence=0.95)


def _predicted(evaluator: MusemoViTForEmotionRegression, clips: np.ndarray) -> np.ndarray:
    return predict(evaluator, normalise(torch.from_numpy(clips))[:, None]).double().numpy()


def _skill_in_words(quality: dict[str, Any]) -> str:
    if quality["skill"] is None or not math.isfinite(quality["skill"]):
        return f"its skill is not defined ({quality['notes'].get('skill', 'no reason was given')})"
    return f"skill {quality['skill']:.2f} (0 is the best noise, 1 is other real music)"


def _findings(report: dict[str, Any]) -> list[str]:
    corpus, quality, generated, own = (report[name] for name in ("corpus", "quality", "conditioning", "recogniser"))
    noises = [score for name, score in quality["ladder"].items() if name in quality.get("noise_skills", {})]
    noise = f", where noise without any music scores up to {max(noises):.1f}" if noises else ""
    return [
        *caveats(corpus),
        f"Trained on {corpus['n_training']} songs, evaluated on {corpus['n_tested']} songs of {corpus['n_artists']} "
        f"other artists (fold {corpus['fold']}), one generated clip at the emotion of each.",
        *(external_findings(report["external"]) if "external" in report else []),
        f"Of arrays, in its own space: quality score {quality['quality_score']:.1f} ({quality['tier']}){noise}; "
        f"{_skill_in_words(quality)}.",
        "Conditioning: the predictions of a recogniser that took no part in training the generator agree with the "
        f"requested emotion with CCC {generated['ccc'][0]:.2f} in valence and {generated['ccc'][1]:.2f} in arousal, "
        f"and with the labels of the real songs with {own['ccc'][0]:.2f} and {own['ccc'][1]:.2f}.",
    ]
