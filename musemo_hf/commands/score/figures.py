"""The figures that the table and the page of `musemo score` show, as text."""

from typing import Any, NamedTuple

from musemo_hf.reporting.numbers import with_interval


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
    "skill": Figure("Skill", 3, "0 is the best noise, 1 is other real music"),
    "protocol_skill": Figure(
        "Skill, first version", 3, "in one space and against five noises, which newer noise can beat"
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
    "external_skill": Figure("Skill, which decides", 3, "0 is the best noise, 1 is other real music"),
    "external_skill_frechet": Figure("Skill, by the Fréchet distance", 3, "the same in 32 principal components"),
    "detectability": Figure("Detectability", 3, "a classifier tells these clips from real songs; 0.5 is chance"),
    "detectability_real": Figure("Detectability of real songs", 3, "the same of one half of the real songs"),
    "external_kid": Figure("KID", 3, "distance of the sets"),
    "external_kid_real": Figure("KID of real songs", 3, "the same of one half of the real songs"),
    "external_kid_noise": Figure("KID of the best noise", 3, "the same of noise without music"),
    "external_coverage": Figure("Coverage", 3, "share of real clips with one of these near by"),
    "external_coverage_real": Figure("Coverage of real songs", 3, "the same of one half of the real songs"),
}


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
