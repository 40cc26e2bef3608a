"""Training statistics: a `.jsonl` that a resumed run continues, and the tracker that accelerate was given."""

import json
from pathlib import Path
from typing import Any

from musemo_hf.files import append_text, atomic_write

from .checkpoint import CheckpointError
from .parallel import Parallel


class Statistics:
    """Writes one JSON object a line, on the main process of the model only.

    Args:
        path: The `.jsonl` file.
        parallel: The processes; the trackers of their accelerator (tensorboard, trackio) are given the values too.
        start: Lines from this step on are dropped first, since a resumed run makes them again.
    """

    def __init__(self, path: Path, parallel: Parallel, start: int = 0) -> None:
        self.path, self.parallel = path, parallel
        if parallel.is_main:
            kept = [line for line in read_statistics(path) if line["step"] < start] if path.is_file() else []
            atomic_write(path, "".join(json.dumps(line) + "\n" for line in kept))

    def log(self, step: int, **values: Any) -> None:
        """Append the values of one step.

        Raises:
            CheckpointError: The disk is full.
        """
        if self.parallel.is_main:
            try:
                append_text(self.path, json.dumps({"step": step, **values}) + "\n")
            except OSError as error:
                raise CheckpointError(
                    f"could not write {self.path}: {error}; the last checkpoint still stands"
                ) from error
        numbers = {f"{self.path.stem}/{key}": value for key, value in values.items() if isinstance(value, (int, float))}
        self.parallel.accelerator.log(numbers, step=step)


def read_statistics(path: Path) -> list[dict[str, Any]]:
    """Return the lines of a `.jsonl`, without a last line that a kill cut short."""
    lines = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            lines.append(json.loads(line))
        except json.JSONDecodeError:
            break
    return lines
