"""CSV files as DEAM has them: spaces in headers, tabs inside quotes, ragged rows; errors name file:line."""

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from musemo_hf.data.deam.layout import DeamError


@dataclass(frozen=True)
class Row:
    """A row of a table, by column name.

    Attributes:
        cells: column name -> text without surrounding white space; a cell that a short row lacks is missing.
        where: `path:line`, for errors.
    """

    cells: dict[str, str]
    where: str


def read_table(path: Path, columns: Mapping[str, tuple[str, ...]], error: type[DeamError]) -> Iterator[Row]:
    """The rows of a CSV, by the columns asked for; blank lines are passed over.

    Args:
        path: a CSV in UTF-8, with or without a byte order mark.
        columns: our name -> the names, in lower case, that a header may have for it.
        error: the type of what is raised.

    Raises:
        DeamError: of the type `error`: not UTF-8, not a CSV, no header, or a header without one of the columns.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file)
            header = next(reader, None)
            if header is None:
                raise error(f"{path}:1: expected a header, found an empty file")
            places = _places(header, columns, f"{path}:1", error)
            for cells in reader:
                if any(cell.strip() for cell in cells):
                    found = {name: " ".join(cells[i].split()) for name, i in places.items() if i < len(cells)}
                    yield Row(found, f"{path}:{reader.line_num}")
    except UnicodeDecodeError as problem:
        raise error(f"{path}: expected UTF-8, got {problem}") from problem
    except csv.Error as problem:
        raise error(f"{path}:{reader.line_num}: expected a CSV, got: {problem}") from problem


def song_id(row: Row, error: type[DeamError]) -> int:
    """The positive integer in the column `song_id`, or an error that names its place."""
    text = row.cells.get("song_id", "")
    if not (text.isascii() and text.isdigit() and 0 < int(text) < 2**31):
        raise error(f"{row.where}: expected a positive integer as song_id, got {text!r}")
    return int(text)


def _places(
    header: list[str], columns: Mapping[str, tuple[str, ...]], where: str, error: type[DeamError]
) -> dict[str, int]:
    names = [" ".join(name.split()).lower() for name in header]
    places = {}
    for column, spellings in columns.items():
        place = next((names.index(spelling) for spelling in spellings if spelling in names), None)
        if place is None:
            raise error(f"{where}: expected a column {' or '.join(spellings)}, got {', '.join(filter(None, names))}")
        places[column] = place
    return places
