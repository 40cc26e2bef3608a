"""A table of the emotions of files, as people write it and as `musemo generate` does."""

from pathlib import Path

from musemo_hf.data.tables import read_table

COLUMNS = {
    "file": ("file", "file_name", "filename", "file name"),
    "valence": ("valence",),
    "arousal": ("arousal",),
}


def read_emotions(path: Path) -> dict[str, tuple[float, float]]:
    """Read a table of file, valence and arousal, as `musemo generate` writes it, as (valence, arousal) by file.

    Raises:
        ValueError: The table is not UTF-8, a column is missing, a value is not a number or outside [-1, 1], or a file
            is there twice; the message names file:line.
        FileNotFoundError: There is no such table.
    """
    emotions: dict[str, tuple[float, float]] = {}
    for row in read_table(path, COLUMNS, ValueError):
        file = row.cells.get("file", "").strip()
        if file in emotions:
            raise ValueError(f"{row.where}: expected each file once, got {file} again")
        emotions[file] = _point([row.cells.get(name, "").strip() for name in ("valence", "arousal")], row.where)
    return emotions


def _point(numbers: list[str], where: str) -> tuple[float, float]:
    try:
        valence, arousal = map(float, numbers)
    except ValueError as error:
        raise ValueError(f"{where}: expected numbers, got {', '.join(map(repr, numbers))}") from error
    if not (abs(valence) <= 1 and abs(arousal) <= 1):
        raise ValueError(f"{where}: expected valence and arousal in [-1, 1], got {valence:g}, {arousal:g}")
    return valence, arousal
