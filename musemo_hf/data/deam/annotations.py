"""DEAM's static annotations: valence and arousal of each song, and the disagreement of its raters.

Aljanaki, Yang, Soleymani, "Developing a benchmark for emotional analysis of music", PLoS ONE 12(3), 2017.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from musemo_hf.data.deam.layout import DeamError
from musemo_hf.data.tables import Row, number, read_table, song_id

Labels = Literal["corrected", "published"]

# The published file has valence and arousal of the songs of 2013 (ids up to here) under each other's names.
LAST_SWAPPED_ID = 1000
_COLUMNS = {name: (name,) for name in ("song_id", "valence_mean", "valence_std", "arousal_mean", "arousal_std")}


class AnnotationError(DeamError):
    """A CSV of static annotations that is malformed; the message names file:line."""


@dataclass(frozen=True)
class Annotation:
    """The labels of a song.

    Attributes:
        song_id: The id of the song in DEAM.
        valence: The mean over raters in [-1, 1].
        arousal: The mean over raters in [-1, 1].
        valence_std: The deviation over raters in the same unit.
        arousal_std: The deviation over raters in the same unit.
    """

    song_id: int
    valence: float
    arousal: float
    valence_std: float
    arousal_std: float

    @property
    def emotion(self) -> tuple[float, float]:
        """(valence, arousal) in [-1, 1]."""
        return self.valence, self.arousal

    @property
    def emotion_std(self) -> tuple[float, float]:
        """The deviations of (valence, arousal) over raters, in the unit of [-1, 1]."""
        return self.valence_std, self.arousal_std


def read_annotations(paths: Iterable[Path], labels: Labels = "corrected") -> dict[int, Annotation]:
    """Read static annotation files, and map DEAM's 1-9 to [-1, 1] by (x - 5) / 4, deviations by x / 4.

    Args:
        paths: The CSVs; their other columns (maxima, minima) are not read.
        labels: "corrected" swaps valence and arousal, means and deviations, of the songs of 2013, which the file has
            under each other's names (see `docs/deam-labels.md`); "published" leaves them as they are in the file.

    Returns:
        The labels by song id, in the order of the files.

    Raises:
        ValueError: `labels` is neither.
        AnnotationError: A column or cell is missing or not a number, a mean is outside 1-9, a deviation is negative, or
            an id is there twice.
    """
    if labels not in ("corrected", "published"):
        raise ValueError(f'expected labels "corrected" or "published", got {labels!r}')
    annotations: dict[int, Annotation] = {}
    first: dict[int, str] = {}
    for path in paths:
        for row in read_table(path, _COLUMNS, AnnotationError):
            annotation = _annotation(row, swap=labels == "corrected")
            song = annotation.song_id
            if song in annotations:
                raise AnnotationError(f"{row.where}: expected song {song} once, got it at {first[song]} too")
            annotations[song], first[song] = annotation, row.where
    return annotations


def _annotation(row: Row, swap: bool) -> Annotation:
    song = song_id(row, AnnotationError)
    valence, arousal = ((rated_mean(row, name) - 5) / 4 for name in ("valence_mean", "arousal_mean"))
    valence_std, arousal_std = (rated_deviation(row, name) / 4 for name in ("valence_std", "arousal_std"))
    if swap and song <= LAST_SWAPPED_ID:
        valence, arousal, valence_std, arousal_std = arousal, valence, arousal_std, valence_std
    return Annotation(song, valence, arousal, valence_std, arousal_std)


def rated_mean(row: Row, column: str) -> float:
    """Return the mean of ratings on the scale 1-9 in a column, or raise an `AnnotationError`."""
    return number(row, column, AnnotationError, (1, 9))


def rated_deviation(row: Row, column: str) -> float:
    """Return the deviation of ratings on the scale 1-9 in a column, or raise an `AnnotationError`."""
    return number(row, column, AnnotationError, (0, 8))  # 8: the width of the scale
