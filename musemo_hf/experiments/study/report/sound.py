"""The figures of variants through sound, as the columns of a table: they come first, since they decide."""

import math
from typing import Any

from musemo_hf.reporting.numbers import with_interval

DIMENSIONS = ("valence", "arousal")
AGREEMENT = {"r": "pearson_r", "ccc": "ccc"}  # name in a column -> key of the agreement
SOUND_FIGURES = (
    *("external_skill", "detectability", "external_coverage"),
    *(f"recognised_{name}_{dimension}" for name in AGREEMENT for dimension in DIMENSIONS),
)


def sound_columns(measured: dict[str, Any]) -> dict[str, Any]:
    """Return `SOUND_FIGURES`, and the `_interval` of those that have one.

    Args:
        measured: An answer of `ExternalReference.measure`.
    """
    names = ("external_skill", "detectability", "external_coverage")
    columns = {name: measured[name] for name in names}
    columns |= {f"{name}_interval": measured.get(f"{name}_interval") for name in names}
    return columns | _agreement(measured["requested"]) | {"external_notes": measured["external_notes"]}


def _agreement(found: dict[str, Any]) -> dict[str, Any]:
    columns = {}
    for name, key in AGREEMENT.items():
        for i, dimension in enumerate(DIMENSIONS):
            columns[f"recognised_{name}_{dimension}"] = found[key][i]
            columns[f"recognised_{name}_{dimension}_interval"] = found[f"{key}_interval"][i]
    return columns


def real_songs(heard: list[dict[str, Any]]) -> dict[str, Any] | None:
    """Return what holds of real songs, whichever variant they stand beside.

    Args:
        heard: The answers of `StudySound.measure`.

    Returns:
        `embedder`, `n` (clips by side), `n_training`, and `figures`, in the shape of a row's: other real songs, whose
        skill is 1, and the recognised emotion of the held-out songs against their labels. None where no variant was
        measured through sound.
    """
    first = next((measured for result in heard for measured in result["samplings"].values()), None)
    if first is None:
        return None
    columns: dict[str, Any] = {
        "external_skill": 1.0,
        "detectability": first["detectability_real"],
        "detectability_interval": first["detectability_real_interval"],
        "external_coverage": first["external_coverage_real"],
    }
    columns |= _agreement(first["songs"])
    return {
        "embedder": heard[0]["embedder"],
        "n": first["external_n"],
        "n_training": first["n_training"],
        "best_noise": first["external_best_noise"],
        "figures": {
            name: {"value": columns[name], "interval": columns.get(f"{name}_interval")} for name in SOUND_FIGURES
        },
    }


def sound_note(sound: dict[str, Any]) -> str:
    """Explain the columns of a table of sound.

    Args:
        sound: The answer of `real_songs`.
    """
    n = sound["n"]
    return (
        f"Every side passes through one log-mel and one inversion, also a variant that makes waveforms itself, and is "
        f"measured in the space of {sound['embedder']}, which took no part in any training: up to {n['candidate']} "
        f"clips of each variant, against {n['reference']} held-out songs. Skill: 0 is the best noise, 1 is other real "
        f"music. Detectability: the area under the curve of logistic regression that tells clips from songs; 0.5 is "
        f"chance. Recognised: the requested emotion against the one that kernel ridge regression hears, trained on the "
        f"sound of {sound['n_training']} songs. In the row of real songs, the first three figures are of songs of "
        f"other artists, and the others hold the held-out songs against their labels."
    )


def sound_sentences(report: dict[str, Any]) -> list[str]:
    """Say the skill of each variant through sound in one sentence, the best first; empty where none was measured."""
    sound = report["sound"]
    if sound is None:
        return []
    rows = [row for row in report["rows"] if "external_skill" in row["figures"]]
    rows.sort(key=_rank, reverse=True)
    told = ", ".join(f"{row['label']} {_skill(row['figures']['external_skill'], row['seeds'])}" for row in rows)
    return [
        f"Through sound, in the space of {sound['embedder']}, which took no part in any training, and which decides, "
        f"the skill (0 is the best noise, 1 is other real music) is: {told}."
    ]


def _rank(row: dict[str, Any]) -> float:
    skill = row["figures"]["external_skill"]["value"]
    return skill if math.isfinite(skill) else -math.inf


def _skill(figure: dict[str, Any], seeds: list[int]) -> str:
    shown = with_interval(figure["value"], figure["interval"])
    return shown + (" (one seed)" if len(seeds) == 1 else f" ({len(seeds)} seeds)")
