"""DEAM's metadata: artist, title and genre of a song, from files whose headers differ by year."""

import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from musemo_hf.data.deam.layout import DeamError
from musemo_hf.data.deam.tables import read_table, song_id

FIRST_OTHER_ID = 10_001  # of songs that are not DEAM's, whose last id is 2058

# The spellings of three years, and of the re-issues that users have.
_COLUMNS = {
    "song_id": ("song_id", "id", "song id"),
    "artist": ("artist",),
    "title": ("title", "song title", "track"),
    "genre": ("genre",),
}


class MetadataError(DeamError):
    """A metadata CSV that cannot be read as what it should be; the message names file:line."""


@dataclass(frozen=True)
class Metadata:
    """What is known of a song; "" where a cell is empty or missing.

    Attributes:
        song_id: DEAM's number.
        artist: as written, without surrounding white space.
        title: likewise.
        genre: likewise; 2014 joins several by "-".
    """

    song_id: int
    artist: str = ""
    title: str = ""
    genre: str = ""


def read_metadata(paths: Iterable[Path]) -> dict[int, Metadata]:
    """Read metadata files; of a song listed twice the first row counts, and a warning names the other.

    Returns:
        song id -> metadata, in the order of the files.

    Raises:
        MetadataError: a missing column, or a song id that is no positive integer.
    """
    known: dict[int, Metadata] = {}
    for path in paths:
        for row in read_table(path, _COLUMNS, MetadataError):
            number = song_id(row, MetadataError)
            if number in known:
                warnings.warn(f"{row.where}: song {number} is listed twice; its first row counts", stacklevel=2)
                continue
            texts = {name: row.cells.get(name, "") for name in ("artist", "title", "genre")}
            known[number] = Metadata(number, **texts)
    return known


def edition(song_id: int) -> int:
    """The year of the MediaEval benchmark that a song was collected for: 2013 up to id 1000, 2014 up to 2000, 2015.

    0 from `FIRST_OTHER_ID` on, where no song is of DEAM.
    """
    if song_id >= FIRST_OTHER_ID:
        return 0
    return 2013 if song_id <= 1000 else 2014 if song_id <= 2000 else 2015
