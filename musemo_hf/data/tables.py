"""Reading CSV tables by the names of their columns; every error names file and line.

DEAM's own tables have spaces in headers, tabs inside quotes and ragged rows.
"""

import csv
import io
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Row:
    """A row of a table.

    Attributes:
        cells: The texts by column name as they are in the file, without the cells that a short row lacks.
        where: The place as `path:line`, for errors.
        others: The texts of all cells after the first.
    """

    cells: dict[str, str]
    where: str
    others: tuple[str, ...] = ()


def read_table(
    path: Path, columns: Mapping[str, tuple[str, ...]], error: type[ValueError], exact: bool = False
) -> Iterator[Row]:
    """Read the requested columns of a CSV, without its blank lines.

    Args:
        path: A CSV in UTF-8, with or without a byte order mark.
        columns: The lower-case names that a header may have for each column.
        error: The type of error to raise.
        exact: Whether cells are kept exactly, with line breaks and the space after a comma, as in files that this
            package writes. Otherwise such a space is left out, and a line break is an error: most often a quotation
            mark was left open, which swallows the rows up to the next one.

    Raises:
        ValueError: The file is not UTF-8 or not a CSV, its header lacks a column or has it twice, or a quotation mark
            is left open; the error has the type `error`, and names file and line.
    """
    reader = csv.reader(io.StringIO(_read_text(path, error), newline=""), skipinitialspace=not exact)
    last = 0  # the line where the row before ended
    try:
        header = next(reader, None)
        if header is None:
            raise error(f"{path}:1: expected a header, found an empty file")
        places = _places(header, columns, f"{path}:1", error)
        last = reader.line_num
        for cells in reader:
            where, last = f"{path}:{last + 1}", reader.line_num
            if any(cell.strip() for cell in cells):
                if not exact and any("\n" in cell or "\r" in cell for cell in cells):
                    raise error(f"{where}: expected a row on one line, got one over several; is a quote left open?")
                found = {name: cells[i] for name, i in places.items() if i < len(cells)}
                yield Row(found, where, tuple(cells[1:]))
    except csv.Error as problem:
        raise error(f"{path}:{last + 1}: expected a CSV, got: {problem}") from problem


def _read_text(path: Path, error: type[ValueError]) -> str:
    content = path.read_bytes()
    try:
        return content.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as problem:
        line = len((content[: problem.start] + b".").splitlines())
        raise error(
            f"{path}:{line}: expected UTF-8, got the byte 0x{content[problem.start]:02x}; please save the "
            f"table as UTF-8"
        ) from problem


def song_id(row: Row, error: type[ValueError]) -> int:
    """Return the positive integer in the column `song_id`, or raise an error that names its place."""
    text = row.cells.get("song_id", "").strip()
    # a text of more than ten digits is no id, and int() refuses very long ones with an error of its own
    if not (text.isascii() and text.isdigit() and len(text) <= 10 and 0 < int(text) < 2**31):
        raise error(f"{row.where}: expected a positive integer as song_id, got {text!r}")
    return int(text)


def number(row: Row, column: str, error: type[ValueError], bounds: tuple[float, float] | None = None) -> float:
    """Return the finite number in a column, within the bounds if given, or raise an error that names its place."""
    return parse_number(row.cells.get(column, ""), column, row.where, error, bounds)


def parse_number(
    text: str, column: str, where: str, error: type[ValueError], bounds: tuple[float, float] | None = None
) -> float:
    """Return the finite number in a text, within the bounds if given, or raise an error that names its place."""
    text = text.strip()
    try:
        value = float(text) if text.isascii() and "_" not in text else math.nan  # Python reads "3_1" as 31
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise error(f"{where}: expected a number as {column}, got {text!r}")
    if bounds is not None and not bounds[0] <= value <= bounds[1]:
        low, high = bounds
        expected = f"{low:g}-{high:g}" if low >= 0 else f"[{low:g}, {high:g}]"
        raise error(f"{where}: expected {column} within {expected}, got {text!r}")
    return value


def _places(
    header: list[str], columns: Mapping[str, tuple[str, ...]], where: str, error: type[ValueError]
) -> dict[str, int]:
    names = [" ".join(name.split()).lower() for name in header]
    places = {}
    for column, spellings in columns.items():
        spelling = next((spelling for spelling in spellings if spelling in names), None)
        if spelling is None:
            raise error(f"{where}: expected a column {' or '.join(spellings)}, got {', '.join(filter(None, names))}")
        if names.count(spelling) > 1:
            raise error(f"{where}: expected one column {spelling}, got {names.count(spelling)}")
        places[column] = names.index(spelling)
    return places
