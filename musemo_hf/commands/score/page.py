"""A quality report as a page that stands alone, with its picture and sounds inside."""

from typing import Any

from musemo_hf.commands.score.picture import draw_score
from musemo_hf.commands.score.verdict import finding_sentences, headline
from musemo_hf.reporting.figures import to_data_uri, to_png
from musemo_hf.reporting.quality_figures import (
    EXTERNAL,
    OF_ARRAYS,
    OF_SOUND,
    PARTS,
    READING,
    conditioning_rows,
    external_title,
    figure_rows,
    note_sentences,
    reference_scale,
)
from musemo_hf.reporting.templates import render


def score_page(result: dict[str, Any], command: str, players: dict[str, dict[str, str]] | None = None) -> str:
    """Write the page of `musemo score --html`, which loads nothing from elsewhere.

    Args:
        result: The answer of the metric with `sides`, `n_frames`, `confidence` and `conditioning`; None stands for NaN.
        command: The command line, which the page shows.
        players: The sources of players, by title and name, see `make_players`.
    """
    title, figure = external_title(result), draw_score(result)
    figure.suptitle("")  # the page's heading says it
    return render(
        "score.html.jinja",
        result=result,
        command=command,
        headline=headline(result),
        sentences=finding_sentences(result),
        picture=to_data_uri(to_png(figure, dpi=130), "image/png"),
        tables={
            **({title: (OF_SOUND, figure_rows(result, EXTERNAL))} if title else {}),
            "The published score": (OF_ARRAYS, figure_rows(result, PARTS)),
            "How to read the score": (OF_ARRAYS, figure_rows(result, READING)),
        },
        players=players or {},
        ladder=reference_scale(result["ladder"]),
        notes=note_sentences(result.get("notes")),
        conditioning=conditioning_rows(result["conditioning"]),
    )
