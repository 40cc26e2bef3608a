"""The verdicts and the findings of an ablation, in sentences."""

from typing import Any

import numpy as np

from musemo_hf.reporting.numbers import with_interval
from musemo_hf.reporting.provenance import caveats, label_kind
from musemo_hf.reporting.quality_figures import DOES_NOT_DECIDE, OWN_SKILL

PUBLISHED_THRESHOLD = 5.0  # percent of improvement that the sources call a success


def validate(report: dict[str, Any]) -> dict[str, Any]:
    """Return the verdicts of the sources, labelled as theirs, and the verdict that the evidence allows.

    The claim holds only where the interval of real + synthetic minus the best arm without a generator is above zero.
    """
    targets = report["quality"]["targets"] if report["quality"] else {}
    verdicts = {
        "targets": targets,
        "all_targets_met": bool(targets) and all(targets.values()),
        "tier": report["quality"]["tier"] if report["quality"] else None,
        "published_criterion": f"CCC improves by more than {PUBLISHED_THRESHOLD:g} %, no interval",
    }
    if report["improvement_percent"] is None:
        return verdicts | {
            "published_verdict": "NOT MEASURED",
            "verdict": "NOT MEASURED",
            "criterion": "",
            "delta": None,
        }
    synthetic = report["arms"]["synthetic"]
    delta = synthetic.get("delta_best_alternative") or synthetic["delta_real"]
    low, high = delta["interval"]
    return verdicts | {
        "published_verdict": "PASS" if report["improvement_percent"] > PUBLISHED_THRESHOLD else "FAIL",
        "verdict": "PASS" if low > 0 else "FAIL" if high < 0 else "NOT SHOWN",
        "criterion": f"95 % interval of real + synthetic minus {delta.get('alternative', 'real')} is above zero",
        "delta": delta,
    }


def findings(report: dict[str, Any]) -> list[str]:
    """Return the findings, one or two sentences each."""
    sentences = caveats(report["corpus"])
    for part in (_arms, _verdict, _unfinished, _baselines, _as_run, _quality, _conditioning):
        if sentence := part(report):
            sentences.append(sentence)
    return sentences


def _arms(report: dict[str, Any]) -> str:
    corpus, arms = report["corpus"], report["arms"]
    seconds = "ten-second" if corpus["config_name"] == "excerpt_10s" else "thirty-second"
    synthetic = f", real + synthetic {_ccc(arms['synthetic'])}" if "synthetic" in arms else ""
    seeds = f"{len(report['seeds'])} seed{'s' if len(report['seeds']) > 1 else ''}"
    return (
        f"Mean CCC over {corpus['n_tested']} tested {seconds} excerpts ({corpus['n_artists']} artists, {seeds}, "
        f"{label_kind(corpus)} labels): real {_ccc(arms['real'])}{synthetic}."
    )


def _verdict(report: dict[str, Any]) -> str:
    verdict, best = report["validation"], report["validation"]["delta"]
    if best is None:
        return "Whether synthetic spectrograms help is not measured: that arm is not finished."
    return (
        f"Adding synthetic spectrograms changes it by {_signed(report['arms']['synthetic']['delta_real'])}; against "
        f"the best arm without a generator ({best.get('alternative', 'real')}) by {_signed(best)}: "
        f"{verdict['verdict']}. The smallest effect that this run could have seen with power 0.8 is "
        f"{best['smallest_effect']:.3f}. The published criterion (improvement over {PUBLISHED_THRESHOLD:g} %, no "
        f"interval) says {verdict['published_verdict']} at {report['improvement_percent']:+.1f} %."
    )


def _unfinished(report: dict[str, Any]) -> str:
    failed = [f"The generator of {split} failed ({why})." for split, why in report["failures"].items()]
    missing = report["missing"]
    if missing:
        shown = ", ".join(missing[:6]) + (", ..." if len(missing) > 6 else "")
        failed.append(f"Not finished: {len(missing)} tasks ({shown}); the figures are of the finished ones.")
    return " ".join(failed)


def _baselines(report: dict[str, Any]) -> str:
    against = report["baselines"]["real_to_best"]
    if against is None:
        return ""
    parts = [f"{name} {_signed(delta)} ({delta['best']})" for name, delta in against.items()]
    return "The recogniser of real songs against the best plain baseline of each draw: " + ", ".join(parts) + "."


def _as_run(report: dict[str, Any]) -> str:
    measured = (report["as_run"] or {}).get("synthetic")
    if not measured:
        return ""
    mixed, real = measured["mixed"], measured["real"]
    shown = [with_interval(figures["ccc_mean"], figures["ccc_mean_interval"], 3) for figures in (mixed, real)]
    return (
        f"As the study was run: the same model has a mean CCC of {shown[0]} on its mixed test set of {mixed['n']} and "
        f"of {shown[1]} on the {real['n']} real songs in it: {measured['inflation']:+.3f} by the test set alone."
    )


def _quality(report: dict[str, Any]) -> str:
    quality = report["quality"]
    if not quality:
        return ""
    scale = quality.get("ladder") or {}
    noise = max((value for name, value in scale.items() if "gaussian" in name), default=None)
    score = f"Quality score {quality['quality_score']:.1f} ({quality['tier']})"
    if noise is not None:
        score += f", where noise without any music scores up to {noise:.1f}"
    if quality.get("skill") is not None and np.isfinite(quality["skill"]):
        skill = f"{OWN_SKILL} {quality['skill']:.2f} (0 is the best noise, 1 is other real music)"
    else:
        skill = f"{OWN_SKILL} not defined: {quality['notes'].get('skill', 'not defined here')}"
    return f"{score}; {skill}. {DOES_NOT_DECIDE}"


def _conditioning(report: dict[str, Any]) -> str:
    asked = report["conditioning"]
    if not asked:
        return ""
    valence, arousal = map(with_interval, asked["ccc"], asked["ccc_interval"])
    return (
        "Conditioning: the predictions of a recogniser of real songs agree with the requested emotion with CCC "
        f"{valence} in valence and {arousal} in arousal."
    )


def _ccc(arm: dict[str, Any]) -> str:
    mean = arm["ccc"]["mean"]
    return with_interval(mean["value"], mean["interval"], 3)


def _signed(delta: dict[str, Any]) -> str:
    return with_interval(delta["value"], delta["interval"], 3, "+")
