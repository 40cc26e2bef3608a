"""emoMusic's labels of the songs that became DEAM's part of 2013.

Soleymani, Caro, Schmidt, Sha, Yang, "1000 songs for emotional analysis of music", CrowdMM 2013.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from musemo_hf.data.deam.annotations import AnnotationError, rated_deviation, rated_mean
from musemo_hf.data.tables import Row, parse_number, read_table, song_id

FILES = ("static_annotations.csv", "valence_cont_average.csv", "arousal_cont_average.csv")
_MEANS = {"valence": "mean_valence", "arousal": "mean_arousal"}
_DEVIATIONS = {"valence_std": "std_valence", "arousal_std": "std_arousal"}


@dataclass(frozen=True)
class EmoMusic:
    """The labels of a song.

    Attributes:
        valence: The mean of the static ratings of valence, 1-9.
        arousal: The mean of the static ratings of arousal, 1-9.
        valence_std: The deviation of the static ratings of valence.
        arousal_std: The deviation of the static ratings of arousal.
        dynamic_valence: The second-by-second ratings of valence in [-1, 1], averaged over the song.
        dynamic_arousal: The second-by-second ratings of arousal in [-1, 1], averaged over the song.
    """

    valence: float
    arousal: float
    valence_std: float
    arousal_std: float
    dynamic_valence: float
    dynamic_arousal: float


def read_emomusic(folder: str | Path) -> dict[int, EmoMusic]:
    """Read emoMusic's three files as labels by song id, for the songs that are in all of them.

    Raises:
        FileNotFoundError: One of the files is missing.
        AnnotationError: A file has no header, a song is there twice, a cell is not a number, a static mean is outside
            1-9, a deviation is negative, or a dynamic rating is outside [-1, 1]; the message names file:line.
    """
    folder = Path(folder).expanduser()
    for name in FILES:
        if not (folder / name).is_file():
            raise FileNotFoundError(f"expected emoMusic's {', '.join(FILES)} in {folder}, found no {name}")
    static = _rows_by_song(folder / FILES[0], (*_MEANS.values(), *_DEVIATIONS.values()))
    valence, arousal = (_dynamic(folder / name) for name in FILES[1:])
    labels = {song: _static(row) for song, row in static.items()}  # all rows are checked, also those left out below
    return {
        song: EmoMusic(**values, dynamic_valence=valence[song], dynamic_arousal=arousal[song])
        for song, values in labels.items()
        if song in valence and song in arousal
    }


def _rows_by_song(path: Path, columns: tuple[str, ...] = ()) -> dict[int, Row]:
    """Read a table whose first column is `song_id`, each song once."""
    rows: dict[int, Row] = {}
    for row in read_table(path, {name: (name,) for name in ("song_id", *columns)}, AnnotationError):
        song = song_id(row, AnnotationError)
        if song in rows:
            raise AnnotationError(f"{row.where}: expected song {song} once, got it at {rows[song].where} too")
        rows[song] = row
    return rows


def _static(row: Row) -> dict[str, float]:
    means = {name: rated_mean(row, column) for name, column in _MEANS.items()}
    return means | {name: rated_deviation(row, column) for name, column in _DEVIATIONS.items()}


def _dynamic(path: Path) -> Mapping[int, float]:
    """Read the mean over the samples by song id; a song may end before the last column."""
    means = {}
    for song, row in _rows_by_song(path).items():
        cells = [cell for cell in row.others if cell.strip()]
        ratings = [parse_number(cell, "a rating", row.where, AnnotationError, (-1, 1)) for cell in cells]
        if not ratings:
            raise AnnotationError(f"{row.where}: expected ratings of song {song}, got none")
        means[song] = float(np.mean(ratings))
    return means
