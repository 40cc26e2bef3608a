"""Writing DEAM's tables, with its own headers and their odd spaces, for corpora in its layout."""

import csv
from collections.abc import Iterable
from pathlib import Path

from musemo_hf.files import atomic_path

ANNOTATION_HEADERS = (
    "song_id, valence_mean, valence_std, arousal_mean, arousal_std",
    "song_id, valence_mean, valence_std, valence_ max_mean, valence_max_std, valence_min_mean, valence_min_std, "
    "arousal_mean, arousal_std, arousal_max_mean, arousal_max_std, arousal_min_mean, arousal_min_std",
)
METADATA_HEADERS = (
    "song_id,album,artist,title,Genre",
    "song_id,artist,album,title,Genre",
    "song_id,title,artist,album,Genre",
)


def write_csv(path: Path, header: str, rows: Iterable[tuple]) -> None:
    """Write a table whole or not at all; its folder is created if it is missing."""
    with atomic_path(path) as part, part.open("w", encoding="utf-8", newline="") as file:
        file.write(header + "\n")
        csv.writer(file, lineterminator="\n").writerows(rows)
