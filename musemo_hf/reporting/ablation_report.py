"""What an ablation found, as plain data."""

import json
import platform
from functools import partial
from importlib.metadata import version
from typing import Any

import evaluate
import numpy as np

from musemo_hf.data.folds import artist_groups
from musemo_hf.evaluation.comparison import compare_arms
from musemo_hf.evaluation.concordance import concordance_report
from musemo_hf.metrics import metric_path
from musemo_hf.trainers.ablation import Ablation, SplitWork
from musemo_hf.trainers.arms import ALTERNATIVES
from musemo_hf.trainers.statistics import read_statistics

PROCEDURAL = (
    "This corpus is procedural: sounds rendered from rules that follow valence and arousal. Its numbers show that the "
    "machinery runs, and say nothing about music."
)
PUBLISHED_THRESHOLD = 5.0  # percent of improvement that the sources call a success


def build_report(ablation: Ablation, corpus: dict[str, Any], command: str) -> dict[str, Any]:
    """All figures of a finished ablation.

    Args:
        ablation: with every piece computed.
        corpus: `name`, `procedural` (bool), and what else describes it.
        command: that made it.

    Returns:
        At the top `quality_score`, `ccc_real_only`, `ccc_augmented`, `improvement_percent`, `validation`; then
        `findings` (sentences), `arms` (see `compare_arms`; with `rescaled` and `exposures`), `quality` (the answer of
        `spectrogram_quality`), `conditioning`, `corpus`, `budget`, `seeds`, `configuration`, `command`, `versions`.
    """
    plan, tested = ablation.plan, ablation.tested()
    labels = ablation.songs.emotion[tested].astype(np.float64)
    groups = artist_keys(ablation, tested)
    compare = partial(
        compare_arms,
        labels=labels,
        groups=groups,
        alternatives=sorted(ALTERNATIVES & set(plan.arms)),
        n_resamples=plan.n_resamples,
    )
    arms, rescaled = compare(ablation.predictions()), compare(ablation.predictions("rescaled"))
    for arm, figures in arms.items():
        figures["ccc_rescaled"] = rescaled[arm]["ccc"]
        if arm != "real":
            figures["delta_real_rescaled"] = rescaled[arm]["delta_real"]
        figures["exposures"] = exposures(ablation, arm)
    quality = measure_quality(ablation)
    real, augmented = (arms[arm]["ccc"]["mean"]["value"] for arm in ("real", "synthetic"))
    report = {
        "quality_score": quality["quality_score"],
        "ccc_real_only": real,
        "ccc_augmented": augmented,
        "improvement_percent": 100 * (augmented - real) / abs(real) if real else float("nan"),
        "validation": {},
        "findings": [],
        "budget": plan.budget,
        "seeds": plan.seeds,
        "protocol": plan.protocol,
        "corpus": corpus | corpus_facts(ablation, groups),
        "arms": arms,
        "quality": quality,
        "conditioning": conditioning(ablation, groups),
        "generator_training": generator_training(ablation),
        "configuration": ablation.configuration.to_dict(),
        "command": command,
        "versions": versions(),
    }
    report["validation"] = validate(report)
    report["findings"] = findings(report)
    return report


def artist_keys(ablation: Ablation, tested: np.ndarray) -> list[str]:
    """The artist of each tested song; unknown artists are groups of their own."""
    keys = artist_groups(ablation.songs.artist)
    return [keys[index] for index in tested]


def corpus_facts(ablation: Ablation, groups: list[str]) -> dict[str, Any]:
    """Counts that every table has to carry."""
    return {
        "n_songs": len(ablation.songs),
        "n_tested": len(groups),
        "n_artists": len(set(groups)),
        "splits": {split.name: {"train": len(split.train), "test": len(split.test)} for split in ablation.splits},
        "config_name": ablation.configuration.data.config_name,
        "labels": ablation.configuration.data.labels,
        "n_frames": int(ablation.songs.spectrogram.shape[-1]),
    }


def exposures(ablation: Ablation, arm: str) -> dict[str, float]:
    """Updates, and how often each clip was seen: synthetic clips take the place of real ones at equal updates."""
    pieces = ablation.pieces(arm)
    names = ("steps", "n_clips", "times_each_real_clip", "times_each_synthetic_clip", "seconds")
    return {name: float(np.mean([piece[name] for piece in pieces])) for name in names}


def measure_quality(ablation: Ablation) -> dict[str, Any]:
    """`spectrogram_quality` of generated clips against the test songs, each split's by its own generator.

    Authenticity compares both with the songs that the first split's generator was trained on.
    """
    metric = evaluate.load(metric_path("spectrogram_quality"))
    for split in ablation.splits:
        generated = np.load(SplitWork(ablation, split).dir / "generated.npy", mmap_mode="r")
        for start in range(0, len(split.test), 64):
            rows = split.test[start : start + 64]
            metric.add_batch(references=ablation.songs.spectrogram[rows])
            metric.add_batch(predictions=np.asarray(generated[start : start + 64], dtype=np.float32))
    first = ablation.splits[0]
    songs = ablation.songs.spectrogram
    answer = metric.compute(training=songs[first.train], held_out=songs[first.test], confidence=0.95)
    return json.loads(json.dumps(answer, default=float))


def conditioning(ablation: Ablation, groups: list[str]) -> dict[str, Any]:
    """Concordance of the emotions asked of the generators and those that recognisers of real songs hear.

    The recognisers (the arm `real`) took no part in training the generators; the first seed's is reported.
    """
    seed = ablation.plan.seeds[0]
    works = [SplitWork(ablation, split) for split in ablation.splits]
    heard = np.concatenate([work.predictions("real", seed)["heard"] for work in works])
    requested = ablation.songs.emotion[ablation.tested()]
    answer = concordance_report(heard, requested, groups, confidence=0.95, n_resamples=ablation.plan.n_resamples)
    return {name: answer[name] for name in ("ccc", "ccc_interval", "ccc_mean", "ccc_mean_interval", "n")}


def generator_training(ablation: Ablation) -> dict[str, Any]:
    """The curves of each split's GAN, and what its training took."""
    training = {}
    for split in ablation.splits:
        work = SplitWork(ablation, split)
        lines = read_statistics(work.dir / "gan" / "gan.jsonl")
        facts = json.loads((work.dir / "gan.json").read_text())
        training[split.name] = facts | {
            "step": [line["step"] for line in lines],
            **{
                name: [line.get(name) for line in lines]
                for name in ("accuracy", "discriminator_loss", "generator_loss")
            },
            "kid": [{"step": line["step"], "value": line["kid"]} for line in lines if "kid" in line],
        }
    return training


def validate(report: dict[str, Any]) -> dict[str, Any]:
    """The sources' verdicts, labelled as theirs, and the one that the evidence allows.

    The claim holds only where the interval of real + synthetic minus the best arm without a generator is above zero.
    """
    delta = report["arms"]["synthetic"].get("delta_best_alternative") or report["arms"]["synthetic"]["delta_real"]
    targets = report["quality"]["targets"]
    low, high = delta["interval"]
    return {
        "targets": targets,
        "all_targets_met": all(targets.values()),
        "tier": report["quality"]["tier"],
        "published_verdict": "PASS" if report["improvement_percent"] > PUBLISHED_THRESHOLD else "FAIL",
        "published_criterion": f"CCC improves by more than {PUBLISHED_THRESHOLD:g} %, no interval",
        "verdict": "PASS" if low > 0 else "FAIL" if high < 0 else "NOT SHOWN",
        "criterion": f"95 % interval of real + synthetic minus {delta.get('alternative', 'real')} is above zero",
        "delta": delta,
    }


def findings(report: dict[str, Any]) -> list[str]:
    """What was found, in words."""
    corpus, arms, verdict = report["corpus"], report["arms"], report["validation"]
    delta, best = arms["synthetic"]["delta_real"], verdict["delta"]
    seconds = "ten-second" if corpus["config_name"] == "excerpt_10s" else "thirty-second"
    sentences = [PROCEDURAL] if corpus["procedural"] else []
    sentences.append(
        f"Mean CCC over {corpus['n_tested']} tested {seconds} excerpts ({corpus['n_artists']} artists, "
        f"{len(report['seeds'])} seeds, {corpus['labels']} labels): real {_ccc(arms['real'])}, real + synthetic "
        f"{_ccc(arms['synthetic'])}."
    )
    sentences.append(
        f"Adding synthetic spectrograms changes it by {_signed(delta)}; against the best arm without a generator "
        f"({best.get('alternative', 'real')}) by {_signed(best)}: {verdict['verdict']}. The smallest effect that this "
        f"run could have seen with power 0.8 is {best['smallest_effect']:.3f}."
    )
    sentences.append(
        f"The published criterion (improvement over 5 %, no interval) says {verdict['published_verdict']} at "
        f"{report['improvement_percent']:+.1f} %."
    )
    quality = report["quality"]
    ladder = quality.get("ladder") or {}
    noise = max((value for name, value in ladder.items() if "gaussian" in name), default=None)
    score = f"Quality score {quality['quality_score']:.1f} ({quality['tier']})"
    if noise is not None:
        score += f", where noise without any music scores up to {noise:.1f}"
    defined = quality.get("skill") is not None and np.isfinite(quality["skill"])
    why = quality["notes"].get("skill", "not defined here")
    sentences.append(
        f"{score}; skill "
        + (
            f"{quality['skill']:.2f} (0 is the best noise, 1 is other real music)."
            if defined
            else f"not defined: {why}."
        )
    )
    asked = report["conditioning"]
    (v_low, v_high), (a_low, a_high) = asked["ccc_interval"]
    sentences.append(
        f"Conditioning: a recogniser of real songs hears the requested emotion with CCC {asked['ccc'][0]:.2f} "
        f"[{v_low:.2f}, {v_high:.2f}] in valence and {asked['ccc'][1]:.2f} [{a_low:.2f}, {a_high:.2f}] in arousal."
    )
    return sentences


def _ccc(arm: dict[str, Any]) -> str:
    mean = arm["ccc"]["mean"]
    return f"{mean['value']:.3f} [{mean['interval'][0]:.3f}, {mean['interval'][1]:.3f}]"


def _signed(delta: dict[str, Any]) -> str:
    return f"{delta['value']:+.3f} [{delta['interval'][0]:+.3f}, {delta['interval'][1]:+.3f}]"


def versions() -> dict[str, str]:
    """Of what the numbers depend on."""
    names = ("musemo-hf", "torch", "transformers", "diffusers", "datasets", "accelerate", "librosa", "numpy")
    return {"python": platform.python_version(), **{name: version(name) for name in names}}
