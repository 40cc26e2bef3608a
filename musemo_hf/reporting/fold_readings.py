"""The log of readings of held-out folds, a table in Markdown that a command extends and a person can read.

A fold that was read to choose something says less each time. The log says when a fold was read, by which command
and for which weights, so that a figure can be weighed by what came before it.
"""

import hashlib
from dataclasses import astuple, dataclass, fields, replace
from datetime import UTC, datetime
from pathlib import Path

from musemo_hf.files import atomic_write

SPENT = {("DEAM", 0)}  # read many times before the log was begun: read again freely, and proof of nothing
MAX_BYTES = 1_000_000


class SecondReadingError(ValueError):
    """Raised where a held-out fold was read before for the same recipe or weights."""


@dataclass(frozen=True)
class FoldReading:
    """One reading of one fold.

    Attributes:
        date: The day in UTC, such as "2026-11-26".
        corpus: The name of the corpus, such as "DEAM".
        fold: The number of the fold, or a range such as "0-4" for an out-of-fold table.
        recipe: The name of the configuration that trained the weights.
        seeds: The seeds of the training, such as "0" or "0, 1, 2".
        weights: The SHA-256 of the file of the weights, or "not kept".
        command: The command that read the fold.
        note: What it was read for.
    """

    date: str
    corpus: str
    fold: str
    recipe: str
    seeds: str
    weights: str
    command: str
    note: str = ""

    def includes(self, corpus: str, fold: int) -> bool:
        """Whether this is a reading of that fold."""
        first, _, last = self.fold.partition("-")
        return self.corpus == corpus and int(first) <= fold <= int(last or first)


COLUMNS = tuple(field.name for field in fields(FoldReading))


def read_log(path: str | Path) -> list[FoldReading]:
    """Read all readings of a log, in the order of its lines.

    Args:
        path: The Markdown file; none means that nothing was read yet.

    Raises:
        ValueError: A row of the table has not eight cells, or a fold is no number or range.
    """
    path = Path(path)
    if not path.is_file():
        return []
    rows = [line for line in path.read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    return [_parsed(row, path) for row in rows if not row.startswith(f"| {COLUMNS[0]} |")]


def _parsed(row: str, path: Path) -> FoldReading:
    cells = [cell.strip().strip("`") for cell in row.strip().strip("|").split(" | ")]
    first, _, last = cells[2].partition("-") if len(cells) == len(COLUMNS) else ("", "", "")
    if not (first.isdigit() and (last or "0").isdigit()):
        raise ValueError(f"{path}: expected {len(COLUMNS)} cells ({', '.join(COLUMNS)}) with a fold, got {row!r}")
    return FoldReading(*cells)


def check_reading(path: str | Path, reading: FoldReading, read_again: bool = False) -> FoldReading:
    """Check, before a fold is read, whether it may be.

    Args:
        path: The log.
        reading: The reading that is to be made, of one fold.
        read_again: Whether a second reading is wanted all the same; its note then says that it is one.

    Returns:
        The reading to append to the log once it was made.

    Raises:
        SecondReadingError: The fold was read before for these weights, or for this recipe and these seeds, it is not
            spent, and `read_again` is not set.
    """
    fold = int(reading.fold)
    if (reading.corpus, fold) in SPENT:
        return _noted(reading, "this fold is spent")
    before = [
        other
        for other in read_log(path)
        if other.includes(reading.corpus, fold)
        and (other.weights == reading.weights or (other.recipe, other.seeds) == (reading.recipe, reading.seeds))
    ]
    if not before:
        return reading
    if not read_again:
        raise SecondReadingError(
            f"expected fold {fold} of {reading.corpus} to be read once for {reading.recipe} with seeds "
            f"{reading.seeds}, got a reading of {before[-1].date} in {path}; --read-again reads it all the same, and "
            f"the log says so"
        )
    return _noted(reading, f"read again, {len(before)} before")


def append_reading(path: str | Path, reading: FoldReading) -> None:
    """Append a line to the log, which is created if it is missing."""
    path = Path(path)
    text = path.read_text(encoding="utf-8") if path.is_file() else _EMPTY
    atomic_write(path, f"{text.rstrip()}\n{_row(reading)}\n")


def today() -> str:
    """Return the date in UTC."""
    return datetime.now(UTC).date().isoformat()


def weights_hash(folder: str | Path) -> str:
    """Return the SHA-256 of the weights of a model.

    Args:
        folder: The folder of a model, with one file of weights.

    Raises:
        FileNotFoundError: It has none.
    """
    found = sorted(Path(folder).glob("*.safetensors"))
    if not found:
        raise FileNotFoundError(f"expected weights (*.safetensors) in {folder}, found none")
    with found[0].open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _noted(reading: FoldReading, remark: str) -> FoldReading:
    note = "; ".join(filter(None, [reading.note, remark]))
    return replace(reading, note=note)


def _row(reading: FoldReading) -> str:
    cells = [" ".join(str(cell).replace("|", "/").split()) for cell in astuple(reading)]
    cells[COLUMNS.index("command")] = f"`{cells[COLUMNS.index('command')]}`"
    return f"| {' | '.join(cells)} |"


_EMPTY = f"# Readings of held-out folds\n\n| {' | '.join(COLUMNS)} |\n|{'---|' * len(COLUMNS)}\n"
