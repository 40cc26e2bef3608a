"""What the page says of figures of sound: where the two skills disagree, which features of structure are shown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from musemo_hf.evaluation.external.detectability import PENALTY
from musemo_hf.evaluation.external.external_skill import MIN_CLIPS
from musemo_hf.evaluation.external.structure import FEATURES, TITLES
from musemo_hf.reporting.fold_readings import SPENT

from .sound_candidates import REAL, STRONG, TEXTURE

CORPUS = "DEAM"
# what a feature has to tell from real songs before it is shown: fitted noise, and the search that has no structure;
# random phases keep every spectrum of the levels, and so a beat and what returns, but no moment at which a sound begins
SHOULD = {name: (*STRONG, TEXTURE) for name in FEATURES} | {
    name: (*STRONG, TEXTURE, "random phases") for name in ("partial_length", "onset_sharpness")
}


def sound_context(sound: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return what the template of the page shows beside the results of `validate_sound`.

    Args:
        sound: The results; None where sound was not measured.
    """
    if sound is None:
        return {"sound": None}
    rows = sound["rows"]
    return {
        "sound": sound,
        "real_name": REAL,
        "texture_name": TEXTURE,
        "strong_noises": STRONG,
        "spent": [fold for corpus, fold in SPENT if corpus == CORPUS],
        "disagreeing": disagreeing_in_folds(sound),
        "feature_titles": TITLES,
        "shown_features": shown_features(rows),
        "hidden_features": {name: unseen(rows, name) for name in FEATURES if unseen(rows, name)},
        "should": SHOULD,
        "fewest": MIN_CLIPS,
        "penalty": PENALTY,
        "enough": enough(sound["sizes"]),
    }


def disagreeing(rows: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """List the sets whose two skills have intervals that do not meet; below 0, noise is noise, and counts as 0."""
    found = []
    for name, row in rows.items():
        (_, own_low, own_high), (_, low, high) = (_floored(row[skill]) for skill in ("own", "external"))
        if own_low > high or low > own_high:
            found.append(name)
    return found


def disagreeing_in_folds(sound: Mapping[str, Any]) -> list[dict[str, Any]]:
    """List the sets of all tables whose two skills disagree: `name`, `own` and `external`.

    A further fold has real songs and noises of its own, whose names are those of fold 0, so that its number is added.
    """
    found = []
    for table in (sound, *sound["further_folds"]):
        for name in disagreeing(table["rows"]):
            row = table["rows"][name]
            where = "" if table is sound else f", fold {table['held_out_fold']}"
            found.append({"name": f"{name}{where}", "own": row["own"][0], "external": row["external"][0]})
    return found


def _floored(ends: list[float]) -> tuple[float, ...]:
    return tuple(max(end, 0.0) if end == end else end for end in ends)


def unseen(rows: Mapping[str, Mapping[str, Any]], feature: str) -> list[str]:
    """List the sets that a feature should tell from real songs and does not."""
    return [name for name in SHOULD[feature] if not rows[name]["structure"][feature]["separates"]]


def shown_features(rows: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """List the features that tell what they should, and that do not tell real songs of other artists."""
    return [name for name in FEATURES if not unseen(rows, name) and not rows[REAL]["structure"][name]["separates"]]


def enough(sizes: list[dict[str, Any]]) -> dict[str, int | None]:
    """Return for each skill the smallest number of clips from which on that of real songs is at least 0.5, or None."""
    found: dict[str, int | None] = {}
    for skill in ("own", "external"):
        found[skill] = None
        for row in sorted(sizes, key=lambda row: -row["n"]):
            if not row[skill][1] >= 0.5:
                break
            found[skill] = row["n"]
    return found
