"""The list of songs that a data set leaves out, with the reasons."""

import csv
import io
from collections import Counter
from collections.abc import Iterable
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import Literal

from musemo_hf.data.tables import read_table
from musemo_hf.files import atomic_write

Reason = Literal["corrupt", "too short", "missing label", "missing audio", "duplicate audio", "no song id"]


class SkippedError(ValueError):
    """A list of skipped songs that cannot be read; the message names file:line."""


@dataclass(frozen=True)
class SkippedSong:
    """A song that was left out.

    Attributes:
        song_id: The id of the song; -1 where the name of the file is not an id.
        reason: The kind of reason, for counting.
        detail: A sentence on what was expected and what came.
    """

    song_id: int
    reason: Reason
    detail: str


def count_reasons(skipped: Iterable[SkippedSong]) -> str:
    """Count the reasons, such as "corrupt 2, too short 1"; "none" where nothing was left out."""
    counts = Counter(song.reason for song in skipped)
    return ", ".join(f"{reason} {count}" for reason, count in sorted(counts.items())) or "none"


def first_details(skipped: Iterable[SkippedSong]) -> dict[Reason, SkippedSong]:
    """Return the first song of each reason, as an example."""
    return {song.reason: song for song in reversed(list(skipped))}


def write_skipped(path: Path, skipped: Iterable[SkippedSong]) -> None:
    """Write a CSV with a header, sorted by song id; a byte of a file name that is no UTF-8 is written by its number."""
    rows = sorted(skipped, key=lambda song: (song.song_id, song.reason, song.detail))
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow([field.name for field in fields(SkippedSong)])
    writer.writerows(astuple(row) for row in rows)
    # such bytes are lone surrogates in Python's text, which UTF-8 cannot hold
    atomic_write(path, text.getvalue().encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace"))


def read_skipped(path: Path) -> list[SkippedSong]:
    """Read a file of `write_skipped`.

    Raises:
        SkippedError: The file is not one of `write_skipped`; the message names file:line.
    """
    skipped = []
    columns = {field.name: (field.name,) for field in fields(SkippedSong)}
    for row in read_table(path, columns, SkippedError, exact=True):
        try:
            song = int(row.cells["song_id"])
            skipped.append(SkippedSong(song, row.cells["reason"], row.cells["detail"]))  # type: ignore[arg-type]
        except (KeyError, ValueError) as error:
            raise SkippedError(f"{row.where}: expected song_id, reason and detail, got {row.cells}") from error
    return skipped
