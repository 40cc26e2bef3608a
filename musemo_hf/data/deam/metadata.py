"""DEAM's metadata: artist, title and genre of a song, from files whose headers differ by year."""

import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from musemo_hf.data.deam.layout import DeamError
from musemo_hf.data.tables import read_table, song_id

FIRST_OTHER_ID = 10_001  # the first id of songs outside DEAM, whose last id is 2058

# The spellings of three years, and of the re-issues that users have.
_COLUMNS = {
    "song_id": ("song_id", "id", "song id"),
    "artist": ("artist",),
    "title": ("title", "song title", "track"),
    "genre": ("genre",),
}


class MetadataError(DeamError):
    """A metadata CSV that is malformed; the message names file:line."""


@dataclass(frozen=True)
class Metadata:
    """Artist, title and genre of a song; "" where a cell is empty or missing.

    Attributes:
        song_id: The id of the song in DEAM.
        artist: The artist without surrounding white space.
        title: The title without surrounding white space.
        genre: The genre without surrounding white space; 2014 joins several by "-".
    """

    song_id: int
    artist: str = ""
    title: str = ""
    genre: str = ""


def read_metadata(paths: Iterable[Path]) -> dict[int, Metadata]:
    """Read metadata files; for a song that is listed twice the first row counts, and a warning names the other.

    Returns:
        The metadata by song id, in the order of the files.

    Raises:
        MetadataError: A column is missing, or a song id is not a positive integer.
    """
    known: dict[int, Metadata] = {}
    for path in paths:
        for row in read_table(path, _COLUMNS, MetadataError):
            number = song_id(row, MetadataError)
            if number in known:
                warnings.warn(f"{row.where}: song {number} is listed twice; its first row counts", stacklevel=2)
                continue
            texts = {name: " ".join(row.cells.get(name, "").split()) for name in ("artist", "title", "genre")}
            known[number] = Metadata(number, **texts)
    return known


def edition(song_id: int) -> int:
    """Return the year of the MediaEval benchmark of a song: 2013 up to id 1000, 2014 up to 2000, then 2015.

    Songs outside DEAM, from `FIRST_OTHER_ID` on, have 0.
    """
    if song_id >= FIRST_OTHER_ID:
        return 0
    return 2013 if song_id <= 1000 else 2014 if song_id <= 2000 else 2015
