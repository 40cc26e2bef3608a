"""emoMusic's labels of the songs that became DEAM's part of 2013.

Soleymani, Caro, Schmidt, Sha, Yang, "1000 songs for emotional analysis of music", CrowdMM 2013.
"""

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from musemo_hf.data.deam.annotations import AnnotationError
from musemo_hf.data.deam.tables import number, read_table, song_id

FILES = ("static_annotations.csv", "valence_cont_average.csv", "arousal_cont_average.csv")
_COLUMNS = {
    "valence": "mean_valence",
    "arousal": "mean_arousal",
    "valence_std": "std_valence",
    "arousal_std": "std_arousal",
}


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
        AnnotationError: A row is malformed; the message names file:line.
    """
    folder = Path(folder).expanduser()
    for name in FILES:
        if not (folder / name).is_file():
            raise FileNotFoundError(f"expected emoMusic's {', '.join(FILES)} in {folder}, found no {name}")
    columns = {name: (name,) for name in ("song_id", *_COLUMNS.values())}
    static = {song_id(row, AnnotationError): row for row in read_table(folder / FILES[0], columns, AnnotationError)}
    valence, arousal = (_dynamic(folder / name) for name in FILES[1:])
    return {
        song: EmoMusic(
            **{name: number(row, column, AnnotationError) for name, column in _COLUMNS.items()},
            dynamic_valence=valence[song],
            dynamic_arousal=arousal[song],
        )
        for song, row in static.items()
        if song in valence and song in arousal
    }


def _dynamic(path: Path) -> dict[int, float]:
    """Read the mean over the samples by song id; a song may end before the last column."""
    means = {}
    with path.open(encoding="utf-8-sig", newline="") as file:
        for line, row in enumerate(csv.reader(file), start=1):
            if line == 1 or not row:
                continue
            try:
                means[int(row[0])] = float(np.mean([float(cell) for cell in row[1:] if cell.strip()]))
            except ValueError as error:
                raise AnnotationError(f"{path}:{line}: expected a song id and numbers, got: {error}") from error
    return means
