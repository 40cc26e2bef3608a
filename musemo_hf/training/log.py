"""Training statistics: a `.jsonl` that a resumed run continues, and the tracker that accelerate was given."""

import json
from pathlib import Path
from typing import Any

from .parallel import Parallel


class Statistics:
    """Writes one JSON object a line, on the main process of the model only.

    Args:
        path: of the `.jsonl`.
        parallel: the processes; their accelerator's trackers (tensorboard, trackio) are given the values too.
        start: lines from this step on are dropped first: a resumed run makes them again.
    """

    def __init__(self, path: Path, parallel: Parallel, start: int = 0) -> None:
        self.path, self.parallel = path, parallel
        if parallel.is_main:
            kept = [line for line in read_statistics(path) if line["step"] < start] if path.is_file() else []
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("".join(json.dumps(line) + "\n" for line in kept))

    def log(self, step: int, **values: Any) -> None:
        """Append the values of one step."""
        if self.parallel.is_main:
            with self.path.open("a") as file:
                file.write(json.dumps({"step": step, **values}) + "\n")
        numbers = {f"{self.path.stem}/{key}": value for key, value in values.items() if isinstance(value, (int, float))}
        self.parallel.accelerator.log(numbers, step=step)


def read_statistics(path: Path) -> list[dict[str, Any]]:
    """The lines of a `.jsonl`; a last line that a kill cut short is left out."""
    lines = []
    for line in path.read_text().splitlines():
        try:
            lines.append(json.loads(line))
        except json.JSONDecodeError:
            break
    return lines
