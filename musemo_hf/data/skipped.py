"""The list of songs that a data set leaves out, and why."""

import csv
from collections import Counter
from collections.abc import Iterable
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import Literal

Reason = Literal["corrupt", "too short", "missing label", "missing audio", "duplicate audio", "no song id"]


@dataclass(frozen=True)
class SkippedSong:
    """A song left out.

    Attributes:
        song_id: DEAM's number; -1 where the file's name is none.
        reason: in a word or two, for counting.
        detail: what was expected and what came.
    """

    song_id: int
    reason: Reason
    detail: str


def count_reasons(skipped: Iterable[SkippedSong]) -> str:
    """Such as "corrupt 2, too short 1"; "none" where nothing was left out."""
    counts = Counter(song.reason for song in skipped)
    return ", ".join(f"{reason} {count}" for reason, count in sorted(counts.items())) or "none"


def write_skipped(path: Path, skipped: Iterable[SkippedSong]) -> None:
    """Write a CSV with a header, sorted by song id."""
    rows = sorted(skipped, key=lambda song: (song.song_id, song.reason, song.detail))
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([field.name for field in fields(SkippedSong)])
        writer.writerows(astuple(row) for row in rows)


def read_skipped(path: Path) -> list[SkippedSong]:
    """Read what `write_skipped` wrote."""
    with path.open(encoding="utf-8", newline="") as file:
        return [
            SkippedSong(int(row["song_id"]), row["reason"], row["detail"])  # type: ignore[arg-type]
            for row in csv.DictReader(file)
        ]
