"""The findings of a study in sentences; only a difference with an interval over seeds is called an effect."""

import math
from typing import Any

from musemo_hf.reporting.quality_figures import OWN_SKILL

from .aims import SOURCES_HOURS, SOURCES_QUALITY, SOURCES_TIMES_SLOWER
from .sound import sound_sentences

GOOD_DOWN = ("kid", "detectability")  # figures of which lower is better
NAMES = {
    "external_skill": "skill through sound",
    "detectability": "detectability through sound",
    "external_coverage": "coverage through sound",
    "recognised_r_valence": "valence r through sound",
    "recognised_r_arousal": "arousal r through sound",
    "recognised_ccc_valence": "valence CCC through sound",
    "recognised_ccc_arousal": "arousal CCC through sound",
    "quality_score": "quality score",
    "skill": OWN_SKILL,
    "kid": "KID",
    "coverage": "coverage",
    "authenticity": "authenticity",
    "ccc_valence": "valence CCC",
    "ccc_arousal": "arousal CCC",
}


def findings(report: dict[str, Any]) -> list[str]:
    """Return the set-up, the skill through sound, the aims, the differences, and the flow beside the sources."""
    corpus, updates = report["corpus"], report["updates"]
    length = f"{updates['epochs']:g} epochs" if updates["epochs"] else f"{updates['steps']} updates"
    sentences = [
        f"Budget {report['budget']}: every GAN variant was trained for {length} of {updates['batch_size']} clips on "
        f"{corpus['n_training']} songs, and evaluated against {corpus['n_held_out']} songs of other artists (fold "
        f"{corpus['fold']})."
    ]
    sentences += sound_sentences(report) + _aim_sentences(report)
    for label, figures in report["differences"].items():
        sentences.append(_difference_sentence(label, report["baseline"], figures))
    sentences += [
        f"{row['label']}: training ended early by a red flag ({'; '.join(row['red_flags'])}); "
        + ("its last good checkpoint was measured." if row["figures"] else "there was no good checkpoint to measure.")
        for row in report["rows"]
        if row["red_flags"]
    ]
    return sentences + _flow_sentences(report)


def _aim_sentences(report: dict[str, Any]) -> list[str]:
    if not report["aims"]:
        return []
    defined = [aim for aim in report["aims"] if aim["met"] is not None]
    missed = [f"{aim['aim']} {aim['wanted']:.3g} (got {aim['got']:.3g})" for aim in defined if not aim["met"]]
    undefined = [aim["aim"] for aim in report["aims"] if aim["met"] is None]
    sentence = f"{report['candidate']} meets {len(defined) - len(missed)} of {len(report['aims'])} aims"
    sentence += f"; missed: {', '.join(missed)}" if missed else ""
    return [sentence + (f"; not defined: {', '.join(undefined)}" if undefined else "") + "."]


def _difference_sentence(label: str, baseline: str, figures: dict[str, dict[str, Any]]) -> str:
    """Return the sentence that the intervals of a row's differences allow."""
    seeds = min(figure["seeds"] for figure in figures.values())
    if all(figure["interval"] is None for figure in figures.values()):
        defined = {name: figure["value"] for name, figure in figures.items() if math.isfinite(figure["value"])}
        listed = ", ".join(f"{NAMES[name]} {value:+.3g}" for name, value in defined.items())
        return f"{label} against {baseline}, one seed and no interval, so no claim: {listed}."
    better: list[str] = []
    worse: list[str] = []
    for name, figure in figures.items():
        if figure["interval"] is None or figure["interval"][0] <= 0 <= figure["interval"][1]:
            continue
        (better if (figure["value"] < 0) == (name in GOOD_DOWN) else worse).append(_shown(name, figure))
    words = [f"better in {', '.join(better)}"] if better else []
    words += [f"worse in {', '.join(worse)}"] if worse else []
    if not words:
        return f"{label} against {baseline}: no difference beyond that of seeds in any figure: not shown to help."
    if seeds >= 3:
        return f"{label} against {baseline} over {seeds} seeds: {'; '.join(words)}."
    return (
        f"{label} against {baseline}, one seed: {'; '.join(words)}, beyond the differences between the finalists' "
        f"seeds; one seed supports no claim."
    )


def _shown(name: str, figure: dict[str, Any]) -> str:
    low, high = figure["interval"]
    return f"{NAMES[name]} {figure['value']:+.3g} [{low:+.3g}, {high:+.3g}]"


def _flow_sentences(report: dict[str, Any]) -> list[str]:
    low, high = SOURCES_QUALITY
    return [
        f"{row['label']}: quality score {row['quality_score']:.1f} (the sources say {low}-{high} of diffusion), "
        f"{row['times_slower']:.1f} times the sampling time of {report['baseline']} (they say "
        f"{SOURCES_TIMES_SLOWER}), {row['hours']:.2g} hours of training (they say {SOURCES_HOURS:,})."
        for row in report["flow"]
    ]
