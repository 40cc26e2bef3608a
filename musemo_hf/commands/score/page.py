"""A quality report as a page that stands alone, its picture within it."""

from typing import Any

from musemo_hf.commands.score.figures import EXTERNAL, PARTS, READING, conditioning_rows, external_title, figure_rows
from musemo_hf.commands.score.picture import draw_score
from musemo_hf.commands.score.verdict import headline, score_sentence, skill_sentences
from musemo_hf.reporting.figures import to_data_uri, to_png
from musemo_hf.reporting.templates import render


def score_page(result: dict[str, Any], command: str) -> str:
    """Write the page of `musemo score --html`, which loads nothing from elsewhere.

    Args:
        result: The answer of the metric with `sides`, `n_frames`, `confidence` and `conditioning`; None stands for NaN.
        command: The command line, which the page shows.
    """
    title = external_title(result)
    return render(
        "score.html.jinja",
        result=result,
        command=command,
        headline=headline(result),
        sentences=[score_sentence(result), *skill_sentences(result)],
        picture=to_data_uri(to_png(draw_score(result), dpi=130), "image/png"),
        tables={
            "The score": figure_rows(result, PARTS),
            **({title: figure_rows(result, EXTERNAL)} if title else {}),
            "How to read the score": figure_rows(result, READING),
        },
        conditioning=conditioning_rows(result["conditioning"]),
    )
