"""A table of the artists of files, as people write it."""

from pathlib import Path

from musemo_hf.data.emotion_table import COLUMNS as EMOTION_COLUMNS
from musemo_hf.data.tables import read_table

COLUMNS = {"file": EMOTION_COLUMNS["file"], "artist": ("artist", "artist name", "artist_name")}


def read_artists(path: Path) -> dict[str, str]:
    """Read a table of file and artist, as the artist by file.

    Raises:
        ValueError: The table is not UTF-8, a column is missing, a row has no artist, or a file is there twice; the
            message names file:line.
        FileNotFoundError: There is no such table.
    """
    artists: dict[str, str] = {}
    for row in read_table(path, COLUMNS, ValueError):
        file, artist = (row.cells.get(column, "").strip() for column in COLUMNS)
        if not artist:
            raise ValueError(f"{row.where}: expected an artist for {file}, or the word unknown, got none")
        if file in artists:
            raise ValueError(f"{row.where}: expected each file once, got {file} again")
        artists[file] = artist
    return artists
