"""Reading DEAM's CSV files, with spaces in headers, tabs inside quotes and ragged rows; errors name file:line."""

import csv
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from musemo_hf.data.deam.layout import DeamError


@dataclass(frozen=True)
class Row:
    """A row of a table.

    Attributes:
        cells: The texts by column name, without surrounding white space and without the cells that a short row lacks.
        where: The place as `path:line`, for errors.
    """

    cells: dict[str, str]
    where: str


def read_table(path: Path, columns: Mapping[str, tuple[str, ...]], error: type[DeamError]) -> Iterator[Row]:
    """Read the requested columns of a CSV, without its blank lines.

    Args:
        path: A CSV in UTF-8, with or without a byte order mark.
        columns: The lower-case names that a header may have for each column.
        error: The type of error to raise.

    Raises:
        DeamError: The file is not UTF-8 or not a CSV, or its header lacks a column; the error has the type `error`.
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
    """Return the positive integer in the column `song_id`, or raise an error that names its place."""
    text = row.cells.get("song_id", "")
    if not (text.isascii() and text.isdigit() and 0 < int(text) < 2**31):
        raise error(f"{row.where}: expected a positive integer as song_id, got {text!r}")
    return int(text)


def number(row: Row, column: str, error: type[DeamError]) -> float:
    """Return the finite number in a column, or raise an error that names its place."""
    text = row.cells.get(column, "")
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise error(f"{row.where}: expected a number as {column}, got {text!r}")
    return value


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
