"""The list of songs that a data set leaves out, with the reasons."""

import csv
from collections import Counter
from collections.abc import Iterable
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import Literal

Reason = Literal["corrupt", "too short", "missing label", "missing audio", "duplicate audio", "no song id"]


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
    """Write a CSV with a header, sorted by song id."""
    rows = sorted(skipped, key=lambda song: (song.song_id, song.reason, song.detail))
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([field.name for field in fields(SkippedSong)])
        writer.writerows(astuple(row) for row in rows)


def read_skipped(path: Path) -> list[SkippedSong]:
    """Read a file of `write_skipped`."""
    with path.open(encoding="utf-8", newline="") as file:
        return [
            SkippedSong(int(row["song_id"]), row["reason"], row["detail"])  # type: ignore[arg-type]
            for row in csv.DictReader(file)
        ]
