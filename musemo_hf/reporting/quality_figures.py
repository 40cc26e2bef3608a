"""The figures of a quality report as text, for `musemo score` and the report of an ablation."""

from typing import Any, NamedTuple

from musemo_hf.reporting.numbers import UNDEFINED, with_interval

OWN_SKILL = "skill, own space"  # so named wherever it stands, since the external skill is the one that decides
DOES_NOT_DECIDE = "This skill is of log-mel arrays in the project's own statistics, and does not decide."


class Figure(NamedTuple):
    """How a figure is shown: its title, its number of decimal places, and a phrase on what it measures."""

    title: str
    digits: int
    meaning: str


PARTS = {
    "quality_score": Figure("Quality score", 1, "the five parts together, 0 to 100"),
    "frechet_score": Figure("Fréchet, 30 %", 1, "levels and loudness changes of 32 bands, as Gaussians"),
    "moment_score": Figure("Moments, 20 %", 1, "mean and deviation over all cells"),
    "smoothness_score": Figure("Smoothness, 20 %", 1, "similarity of neighbouring frames"),
    "frequency_score": Figure("Frequency, 15 %", 1, "the mean spectrum"),
    "range_score": Figure("Range, 15 %", 1, "the loudest minus the softest cell"),
    "published_score": Figure(
        "Published formula", 1, "as it was published, errors included, to compare with old figures"
    ),
}
READING = {
    "skill": Figure(OWN_SKILL.capitalize(), 3, "0 is the best noise, 1 is other real music; it does not decide"),
    "protocol_skill": Figure(
        "Skill, own space, first version", 3, "in one space and against five noises, which newer noise can beat"
    ),
    "modulation_distance": Figure("Modulation distance", 2, "difference in how the sounds change over time"),
    "kid": Figure("KID", 4, "distance of the sets, 0 where they are alike, whatever their sizes"),
    "precision": Figure("Precision", 3, "share of these clips that lie among real ones"),
    "recall": Figure("Recall", 3, "share of real clips that lie among these"),
    "density": Figure("Density", 3, "density of these clips among real ones; about 1 for real music"),
    "coverage": Figure("Coverage", 3, "share of real clips with one of these near by"),
    "authenticity": Figure("Authenticity", 3, "share of clips that are not copies of training clips"),
    "frechet_distance": Figure("Fréchet distance", 3, "distance of band levels; grows as clips get fewer"),
    "frechet_distance_extrapolated": Figure(
        "Fréchet distance, N to infinity", 3, "extrapolated to infinitely many clips"
    ),
}

EXTERNAL = {
    "external_skill": Figure("External skill, which decides", 3, "0 is the best noise, 1 is other real music"),
    "external_skill_frechet": Figure("External skill, by Fréchet", 3, "the same in 32 principal components"),
    "detectability": Figure("Detectability", 3, "a classifier tells these clips from real songs; 0.5 is chance"),
    "detectability_real": Figure("Detectability of real songs", 3, "the same of one half of the real songs"),
    "external_kid": Figure("KID", 3, "distance of the sets"),
    "external_kid_real": Figure("KID of real songs", 3, "the same of one half of the real songs"),
    "external_kid_noise": Figure("KID of the best noise", 3, "the same of noise without music"),
    "external_coverage": Figure("Coverage", 3, "share of real clips with one of these near by"),
    "external_coverage_real": Figure("Coverage of real songs", 3, "the same of one half of the real songs"),
}

OF_ARRAYS = "These figures are of log-mel arrays. No sound is made from arrays, and files are read as log-mels."
OF_SOUND = (
    "These figures are of sound: all sides, files too, become sound from their log-mels by Griffin-Lim, because that "
    "step alone moves real songs away from their recordings."
)
TARGETS = {
    "normalised_frechet_below_50": "normalised Fréchet distance below 50",
    "smoothness_above_0.7": "smoothness above 0.7",
    "frequency_correlation_above_0.6": "correlation of mean spectra above 0.6",
    "range_within_20_percent": "dynamic range within 20 %",
}
_MET = {True: "met", False: "missed", None: "not defined"}
_SETS = {"copies": "the reference itself", "real": "other real music"}


def target_rows(targets: dict[str, bool | None]) -> list[tuple[str, str]]:
    """Return the words of each published target, and whether it is met."""
    return [(TARGETS.get(name, name), _MET[met]) for name, met in targets.items()]


def reference_scale(ladder: dict[str, float | None] | None) -> list[tuple[str, str]]:
    """Return the name of each set of the reference scale with its score, the highest first."""
    known = {name: value for name, value in (ladder or {}).items() if value is not None}
    ordered = sorted(known.items(), key=lambda item: -item[1])
    rows = [(_SETS.get(name, name.replace("-", " ")), with_interval(score, None, 1)) for name, score in ordered]
    return rows + [(name.replace("-", " "), UNDEFINED) for name, value in (ladder or {}).items() if value is None]


def note_sentences(notes: dict[str, str] | None) -> list[str]:
    """Return a sentence for each reason why a figure is not defined or says less than it seems to."""
    titles = {name: figure.title for name, figure in {**PARTS, **READING, **EXTERNAL}.items()}
    return [f"{titles.get(name, name.replace('_', ' '))}: {note.rstrip('.')}." for name, note in (notes or {}).items()]


def external_title(result: dict[str, Any]) -> str | None:
    """Return the heading of the external figures, or None where there are none."""
    if "external_skill" not in result:
        return None
    return f"As sound, in the space of {result['external_embedder']}, through one inversion on all sides"


def figure_rows(result: dict[str, Any], figures: dict[str, Figure]) -> list[tuple[str, str, str]]:
    """Return the title, the value with its interval, and the meaning of each figure."""
    return [
        (title, with_interval(result.get(key), result.get(f"{key}_interval"), digits), meaning)
        for key, (title, digits, meaning) in figures.items()
    ]


def conditioning_rows(report: dict[str, Any] | None) -> list[tuple[str, str]]:
    """Return valence and arousal with their CCC of requested and predicted emotion; none without a report."""
    if report is None:
        return []
    intervals = report.get("ccc_interval") or [None, None]
    pairs = zip(("valence", "arousal"), report["ccc"], intervals, strict=True)
    return [(name, with_interval(value, ends, 3)) for name, value, ends in pairs]
