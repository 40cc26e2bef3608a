"""A quality report in sentences, for the table, the picture and the page."""

from typing import Any

from musemo_hf.evaluation.score.reference_scale import UNCLAMPED
from musemo_hf.evaluation.surrogates.samplers import SURROGATES

DAMAGED = ("blur", "time-shuffle", "flip")  # real music, damaged
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
    """Say how far a set is from noise towards music, or why that is not defined."""
    return _skill_in_words("Skill", result, "skill")


def external_sentence(result: dict[str, Any]) -> str:
    """Say how far a set is from noise towards music as sound, which decides, or why that is not known."""
    name = "External skill"
    if result.get("external_embedder"):
        name = f"Skill as sound, in the space of {result['external_embedder']}, which decides,"
    return _skill_in_words(name, result, "external_skill")


def skill_sentences(result: dict[str, Any]) -> list[str]:
    """Return the sentences on the skill, the one that decides first; without `--external`, the other alone."""
    known = "external_skill" in result or "external_skill" in result.get("notes", {})
    return [*([external_sentence(result)] if known else []), skill_sentence(result)]


def deciding_skill(result: dict[str, Any]) -> float | None:
    """Return the external skill if it is defined, and otherwise that of arrays."""
    external = result.get("external_skill")
    return result.get("skill") if external is None else external


def _skill_in_words(name: str, result: dict[str, Any], key: str) -> str:
    skill = result.get(key)
    if skill is None:
        return f"{name.rstrip(',')}: not defined ({result.get('notes', {}).get(key, 'no reason given')})."
    if skill < 0:
        return f"{name} {skill:.2f}: further from real music than noise is."
    if skill < AS_MUSIC:
        return f"{name} {skill:.2f}: {skill:.0%} of the way from the best noise to other real music."
    return f"{name} {skill:.2f}: as near to real music as other real music is."


def headline(result: dict[str, Any]) -> str:
    """Summarise a report in a few words for the top of a picture."""
    skill = deciding_skill(result)
    if skill is None:
        words = "cannot be said: no skill"
    elif skill < 0:
        words = "worse than noise"
    elif skill < AS_MUSIC:
        words = f"{skill:.0%} of the way from noise to music"
    else:
        words = "as near as real music"
    return f"Score {result['quality_score']:.0f} of 100. Is it music? {words[0].upper()}{words[1:]}"
