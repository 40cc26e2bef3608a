"""The results of a study as plain data: a row for each variant, differences to the baseline, aims, and sentences."""

from typing import Any

import numpy as np
from scipy.stats import t as student
from scipy.stats import ttest_ind

from musemo_hf.experiments.study.plan import KINDS
from musemo_hf.experiments.study.sound import sound_figures
from musemo_hf.experiments.study.study import Study
from musemo_hf.experiments.study.tasks import agreement_of_judge
from musemo_hf.experiments.study.variant import variants
from musemo_hf.reporting.provenance import caveats, versions
from musemo_hf.training.log import read_statistics

from .aims import aims, flow_against_sources
from .findings import findings
from .sound import SOUND_FIGURES, real_songs, sound_columns

CONFIDENCE = 0.95
FIGURES = (
    "quality_score",
    "skill",
    "skill_six",
    "kid",
    "coverage",
    "coverage_of_real",
    "authenticity",
    "ccc_valence",
    "ccc_arousal",
    "diversity",
    "sampling_seconds",
)
COMPARED = (*SOUND_FIGURES, "quality_score", "skill", "kid", "coverage", "authenticity", "ccc_valence", "ccc_arousal")
CURVES = ("kid", "accuracy", "discriminator_loss", "generator_loss")


def build_report(study: Study, corpus: dict[str, Any], command: str) -> dict[str, Any]:
    """Compute all figures of a study from its finished trainings.

    Args:
        study: The study, finished or in part.
        corpus: The description of the corpus, with `name` and `procedural` (bool).
        command: The command line that made the study.

    Returns:
        `rows` (see `variant_rows`), `sound` (see `real_songs`; None where nothing was measured through sound),
        `differences` (value, interval and number of seeds by row and figure), `aims`, `flow`, `findings`, `missing`
        (unfinished trainings), `missing_sound` (those not measured through sound), `judge` (the evaluator's agreement
        with held-out songs), `corpus`, `budget`, `seeds`, `configuration`, `command`, `versions`, `curves`.
    """
    plan = study.plan
    finished = [variant for variant in variants(study) if variant.done]
    heard = [sound_figures(variant) for variant in finished]
    rows = variant_rows([with_sound(*pair) for pair in zip((one.figures() for one in finished), heard, strict=True)])
    spread = seed_spread(rows)
    report: dict[str, Any] = {
        "budget": plan.budget,
        "baseline": plan.baseline,
        "candidate": plan.candidate,
        "finalists": plan.finalists,
        "seeds": {name: study.configuration.seeds_of(name) for name in study.configuration.variants},
        "updates": {"steps": study.configuration.gan_training.steps} | _batch(study),
        "corpus": corpus | corpus_facts(study),
        "judge": agreement_of_judge(study),
        "rows": rows,
        "missing": [f"{variant.name}, seed {variant.seed}" for variant in variants(study) if not variant.done],
        "sound": real_songs([found for found in heard if found is not None]),
        "missing_sound": [
            f"{variant.name}, seed {variant.seed}" for variant, found in zip(finished, heard, strict=True) if not found
        ],
        "differences": differences(rows, plan.baseline, spread),
        "seed_spread": spread,
        "configuration": study.configuration.to_dict(),
        "command": command,
        "versions": versions(),
        "curves": {
            f"{variant.name}-seed{variant.seed}": _curves(variant.folder) for variant in variants(study) if variant.done
        },
    }
    report["aims"] = aims(report)
    report["flow"] = flow_against_sources(report)
    report["findings"] = caveats(corpus) + findings(report)
    return report


def _batch(study: Study) -> dict[str, Any]:
    training = study.configuration.gan_training
    return {"epochs": training.epochs, "batch_size": training.batch_size}


def corpus_facts(study: Study) -> dict[str, Any]:
    """Return the counts that every table shows."""
    return {
        "n_training": len(study.training_songs),
        "n_held_out": len(study.held_out),
        "fold": study.plan.fold,
        "config_name": study.configuration.data.config_name,
        "labels": study.configuration.data.labels,
        "n_frames": study.n_frames,
    }


def with_sound(result: dict[str, Any], heard: dict[str, Any] | None) -> dict[str, Any]:
    """Return the result of a variant with the columns of its sound in each way of sampling that was measured so."""
    if heard is None:
        return result
    samplings = {
        label: figures | (sound_columns(heard["samplings"][label]) if label in heard["samplings"] else {})
        for label, figures in result["samplings"].items()
    }
    return result | {"samplings": samplings}


def variant_rows(done: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return a row for each variant and way of sampling.

    Returns:
        Rows of `label`, `rung` (the variant), `sampling`, `seeds`, `n_clips`, `red_flags`, `steps`, `seconds` and
        `ms_per_step` (means over seeds), and `figures`, each with `value` (the mean over seeds), `interval`, `by_seed`
        and `over`: the interval is over clips for one seed, and over seeds (Student's t) for three or more. Figures
        through sound are there where all seeds have them, and `sound_notes` where one is not defined.
    """
    grouped: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for result in done:
        for sampling in result["samplings"] or {"": None}:
            grouped.setdefault((result["rung"], sampling), []).append(result)
    return [variant_row(variant, sampling, results) for (variant, sampling), results in grouped.items()]


def variant_row(variant: str, sampling: str, results: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the row of one variant and way of sampling from its results, one for each seed."""
    measured = [result["samplings"][sampling] for result in results if result["samplings"]]
    trainings = [result["training"] for result in results]
    heard = bool(measured) and all(SOUND_FIGURES[0] in figures for figures in measured)
    names = (*(SOUND_FIGURES if heard else ()), *(FIGURES if measured else ()))
    return {
        "label": variant + sampling.replace("-", ", ", 1).replace("-", " "),
        "rung": variant,  # the key has its former name
        "sampling": sampling,
        "seeds": [result["seed"] for result in results],
        "red_flags": [
            f"seed {result['seed']}, update {result['training']['steps']}: {result['training']['red_flag']}"
            for result in results
            if result["training"]["red_flag"]
        ],
        "n_clips": measured[0]["n_clips"] if measured else 0,
        "steps": float(np.mean([training["steps"] for training in trainings])),
        "seconds": float(np.mean([training["seconds"] for training in trainings])),
        "ms_per_step": 1000 * float(np.mean([training["seconds_per_step"] for training in trainings])),
        "n_parameters": max(training["n_parameters"] for training in trainings),
        "device": trainings[0]["device"],
        "kid_se": measured[0]["kid_se"] if measured else None,
        "skill_aspect": measured[0]["skill_aspect"] if measured else None,
        "authenticity_of_real": measured[0]["authenticity_of_real"] if measured else None,
        "notes": measured[0]["notes"] if measured else {},
        "sound_notes": measured[0]["external_notes"] if heard else {},
        "figures": {name: _figure(name, measured) for name in names},
    }


def _figure(name: str, measured: list[dict[str, Any]]) -> dict[str, Any]:
    values = np.array([figures[name] for figures in measured], dtype=float)
    figure: dict[str, Any] = {"value": float(values.mean()), "by_seed": values.tolist()}
    if len(values) < 3:
        return figure | {"interval": measured[0].get(f"{name}_interval"), "over": "clips"}
    half = student.ppf(0.5 + CONFIDENCE / 2, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))
    return figure | {"interval": [figure["value"] - half, figure["value"] + half], "over": "seeds"}


def seed_spread(rows: list[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """Pool the deviation of each figure between seeds over the GANs that have three seeds or more.

    Flows are left out: their seeds differ by far less, and one flow sampled in three ways is not three trainings.

    Returns:
        `deviation` and `degrees` (of freedom) by figure; empty where no row has three seeds.
    """
    spread = {}
    for name in COMPARED:
        gans = [row for row in rows if row["figures"] and not row["sampling"]]
        sets = [np.array(row["figures"][name]["by_seed"]) for row in gans if name in row["figures"]]
        sets = [values for values in sets if len(values) >= 3 and np.isfinite(values).all()]
        if sets:
            degrees = sum(len(values) - 1 for values in sets)
            squares = sum(np.square(values - values.mean()).sum() for values in sets)
            spread[name] = {"deviation": float(np.sqrt(squares / degrees)), "degrees": degrees}
    return spread


def differences(
    rows: list[dict[str, Any]], baseline: str, spread: dict[str, dict[str, float]]
) -> dict[str, dict[str, Any]]:
    """Return `value`, `interval` and `seeds` of each row's figures minus the baseline's, by label and figure.

    With three seeds on both sides the interval is Welch's over seeds (Welch 1947). Otherwise it follows from the pooled
    deviation between the finalists' seeds; without finalists there is none.
    """
    own = next((row for row in rows if row["rung"] == baseline and row["figures"]), None)
    if own is None:
        return {}
    return {
        row["label"]: {
            name: _difference(row, own, name, spread.get(name))
            for name in COMPARED
            if name in row["figures"] and name in own["figures"]
        }
        for row in rows
        if row is not own and row["figures"]
    }


def _difference(row: dict[str, Any], own: dict[str, Any], name: str, spread: dict[str, float] | None) -> dict[str, Any]:
    values, base = (np.array(side["figures"][name]["by_seed"]) for side in (row, own))
    seeds = min(len(values), len(base))
    result: dict[str, Any] = {"value": float(values.mean() - base.mean()), "interval": None, "seeds": seeds}
    if not np.isfinite(result["value"]):
        return result
    if seeds >= 3:
        if np.ptp(values) == np.ptp(base) == 0:
            return result | {"interval": [result["value"]] * 2}
        interval = ttest_ind(values, base, equal_var=False).confidence_interval(CONFIDENCE)
        return result | {"interval": [float(interval.low), float(interval.high)]}
    if spread is None:
        return result
    error = spread["deviation"] * np.sqrt(1 / len(values) + 1 / len(base))
    half = student.ppf(0.5 + CONFIDENCE / 2, spread["degrees"]) * error
    return result | {"interval": [result["value"] - half, result["value"] + half]}


def _curves(folder: Any) -> dict[str, Any]:
    """Read the statistics of a training as steps and values, thinned to about 200 points."""
    found = [path for path in (folder / "run").glob("*.jsonl") if path.stem in KINDS]
    lines = read_statistics(found[0]) if found else []
    series = {}
    for name in (*CURVES, "loss"):
        kept = [(line["step"], line[name]) for line in lines if line.get(name) is not None]
        kept = kept[:: max(1, len(kept) // 200)]
        series[name] = {"step": [step for step, _ in kept], "value": [value for _, value in kept]}
    return series
