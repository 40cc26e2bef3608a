"""A quality report as a page that stands alone, its picture within it."""

from typing import Any

import jinja2

from musemo_hf.commands.score.picture import draw_score
from musemo_hf.commands.score.verdict import headline, score_sentence, skill_sentence
from musemo_hf.reporting.figures import to_data_uri, to_png

# key -> (title, digits, what it says)
PARTS = {
    "quality_score": ("Quality score", 1, "the five parts together, 0 to 100"),
    "frechet_score": ("Fréchet, 30 %", 1, "levels and loudness changes of 32 bands, as Gaussians"),
    "moment_score": ("Moments, 20 %", 1, "mean and deviation over all cells"),
    "smoothness_score": ("Smoothness, 20 %", 1, "how alike neighbouring frames are"),
    "frequency_score": ("Frequency, 15 %", 1, "the mean spectrum"),
    "range_score": ("Range, 15 %", 1, "loudest less softest cell"),
    "published_score": ("Published formula", 1, "word for word, slips included, to compare with old figures"),
}
BESIDE = {
    "skill": ("Skill", 3, "0 is the best noise, 1 is other real music"),
    "protocol_skill": ("Skill, first version", 3, "in one space and against five noises, which newer noise can beat"),
    "modulation_distance": ("Modulation distance", 2, "how differently the sounds change over time"),
    "kid": ("KID", 4, "distance of the sets, 0 where they are alike, whatever their sizes"),
    "precision": ("Precision", 3, "share of these clips that lie among real ones"),
    "recall": ("Recall", 3, "share of real clips that lie among these"),
    "density": ("Density", 3, "how thickly these clips lie among real ones; real music about 1"),
    "coverage": ("Coverage", 3, "share of real clips with one of these near by"),
    "authenticity": ("Authenticity", 3, "share of clips that are no copies of training clips"),
    "frechet_distance": ("Fréchet distance", 3, "of band levels; grows as clips get fewer"),
    "frechet_distance_extrapolated": ("Fréchet distance, extrapolated", 3, "to infinitely many clips"),
}


def score_page(result: dict[str, Any], command: str) -> str:
    """The page of `musemo score --html`.

    Args:
        result: the metric's answer with `sides`, `n_frames`, `confidence` and `conditioning`; None for NaN.
        command: that made it.

    Returns:
        HTML that loads nothing.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("musemo_hf.reporting"), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    return environment.get_template("score.html.jinja").render(
        result=result,
        command=command,
        headline=headline(result),
        sentences=[score_sentence(result), skill_sentence(result)],
        picture=to_data_uri(to_png(draw_score(result), dpi=130), "image/png"),
        tables={"The score": _rows(result, PARTS), "Whether to believe it": _rows(result, BESIDE)},
        conditioning=_conditioning(result["conditioning"]),
    )


def _rows(result: dict[str, Any], columns: dict[str, tuple[str, int, str]]) -> list[tuple[str, str, str]]:
    return [
        (title, figure(result.get(key), result.get(f"{key}_interval"), digits), meaning)
        for key, (title, digits, meaning) in columns.items()
    ]


def figure(value: float | None, ends: list[float | None] | None, digits: int) -> str:
    """A number with its interval, as text."""
    if value is None:
        return "undefined"
    if not ends or ends[0] is None or ends[1] is None:
        return f"{value:.{digits}f}"
    return f"{value:.{digits}f} [{ends[0]:.{digits}f}, {ends[1]:.{digits}f}]"


def _conditioning(report: dict[str, Any] | None) -> list[tuple[str, str]]:
    if report is None:
        return []
    intervals = report.get("ccc_interval") or [None, None]
    pairs = zip(("valence", "arousal"), report["ccc"], intervals, strict=True)
    return [(name, figure(value, ends, 3)) for name, value, ends in pairs]
