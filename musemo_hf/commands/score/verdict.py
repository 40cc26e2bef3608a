"""A quality report in sentences, for the table, the picture and the page."""

from typing import Any

from musemo_hf.evaluation.score.reference_scale import UNCLAMPED
from musemo_hf.evaluation.surrogates.samplers import SURROGATES
from musemo_hf.reporting.quality_figures import DOES_NOT_DECIDE, OWN_SKILL

DAMAGED = ("blur", "time-shuffle", "flip")  # real music, damaged
UNKNOWN = "The external skill, which decides, was not computed"
AS_MUSIC = 0.9  # the least skill that the protocol asks of other real music


def best_noise(result: dict[str, Any]) -> tuple[str, float] | None:
    """Return the noise that scores highest, clamped to the dB range as candidates are, and its score."""
    scores = {name: result["ladder"].get(name) for name in SURROGATES}
    known = {name: score for name, score in scores.items() if score is not None}
    return max(known.items(), key=lambda item: item[1]) if known else None


def scale_groups(result: dict[str, Any]) -> dict[str, dict[str, float]]:
    """Group the scores of the reference scale as "real", "damaged" and "noise", without copies and unclamped sets."""
    groups: dict[str, dict[str, float]] = {"real": {}, "damaged": {}, "noise": {}}
    for name, score in result["ladder"].items():
        if score is None or name == "copies" or name.endswith(UNCLAMPED):
            continue
        kind = "real" if name == "real" else "damaged" if name in DAMAGED else "noise"
        groups[kind][name] = score
    return groups


def score_sentence(result: dict[str, Any]) -> str:
    """Compare the score with those of noise and of real music."""
    score, noise = result["quality_score"], best_noise(result)
    if noise is None:
        return f"The quality score is {score:.1f} of 100; without its reference scale it cannot be read."
    real = result["ladder"].get("real")
    against = f"noise without any music reaches {noise[1]:.1f}"
    against += f", other real music {real:.1f}" if real is not None else ""
    return f"The quality score is {score:.1f} of 100. On the same scale {against}."


def skill_sentence(result: dict[str, Any]) -> str:
    """Say how far a set is from noise towards music in the own space, or why that is not defined."""
    return _skill_in_words(OWN_SKILL.capitalize(), result, "skill")


def external_sentence(result: dict[str, Any]) -> str:
    """Say how far a set is from noise towards music as sound, which decides, or why that is not known."""
    if "external_skill" not in result:
        why = result.get("notes", {}).get("external_skill", "no external embedder was asked for").rstrip(".")
        return f"{UNKNOWN}: {why}."
    name = f"External skill, as sound in the space of {result['external_embedder']}, which decides"
    return _skill_in_words(name, result, "external_skill")


def finding_sentences(result: dict[str, Any]) -> list[str]:
    """Return the sentences of a report in the order of their weight: external skill, own skill, quality score."""
    return [external_sentence(result), f"{skill_sentence(result)} {DOES_NOT_DECIDE}", score_sentence(result)]


def _skill_in_words(name: str, result: dict[str, Any], key: str) -> str:
    skill = result.get(key)
    if skill is None:
        return f"{name}: not defined ({result.get('notes', {}).get(key, 'no reason given')})."
    if skill < 0:
        return f"{name}: {skill:.2f}, further from real music than noise is."
    if skill < AS_MUSIC:
        return f"{name}: {skill:.2f}, {skill:.0%} of the way from the best noise to other real music."
    return f"{name}: {skill:.2f}, as near to real music as other real music is."


def headline(result: dict[str, Any]) -> str:
    """Give the external skill in a few words for the top of a page or picture, or say that it is not known."""
    skill = result.get("external_skill")
    if skill is None:
        return UNKNOWN if "external_skill" not in result else "The external skill, which decides, is not defined"
    if skill < 0:
        words = "worse than noise"
    elif skill < AS_MUSIC:
        words = f"{skill:.0%} of the way from noise to music"
    else:
        words = "as near as real music"
    return f"External skill {skill:.2f}: {words}"
