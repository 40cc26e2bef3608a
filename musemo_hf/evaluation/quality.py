"""The quality report of generated against real spectrograms, streamed: clips become short rows as they arrive."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .arrays import as_clips, check_units, looks_normalised, to_decibels
from .composite import quality_score
from .moments import ROW_LENGTH, SetMoments, clip_row
from .published import published_score

Array = NDArray[np.float64]

# Columns of a row: the unit it came in, then the clip's moments.
NORMALISED = 0
MOMENTS = slice(1, 1 + ROW_LENGTH)


def prediction_rows(clips: Any) -> Array:
    """Reduce generated clips to rows `(B, columns)`."""
    return _rows(as_clips(clips, "predictions"))


def reference_rows(clips: Any) -> Array:
    """Reduce real clips to rows `(B, columns)`."""
    return _rows(as_clips(clips, "references"))


def _rows(clips: list[NDArray]) -> Array:
    rows = np.empty((len(clips), 1 + ROW_LENGTH))
    for row, clip in zip(rows, clips, strict=True):
        row[NORMALISED] = looks_normalised(clip)
        row[MOMENTS] = clip_row(to_decibels(clip))
    return rows


def quality_report(references: Array, predictions: Array) -> dict[str, Any]:
    """The answer of `spectrogram_quality` from rows of both sides.

    Raises:
        ValueError: no clips on a side, two units, or constant references.
    """
    for side, rows in (("references", references), ("predictions", predictions)):
        if len(rows) == 0:
            raise ValueError(f"expected at least one clip of {side}, got none")
    check_units(references[:, NORMALISED] > 0, predictions[:, NORMALISED] > 0)
    real, fake = SetMoments.of(references[:, MOMENTS]), SetMoments.of(predictions[:, MOMENTS])
    score = quality_score(real, fake)
    return {
        **score.figures(),
        "tier": score.tier,
        "targets": score.targets,
        "published_score": published_score(real, fake),
        "n_references": len(references),
        "n_predictions": len(predictions),
    }
