"""Training statistics: a `.jsonl` that a resumed run continues, and the tracker that accelerate was given."""

import json
from pathlib import Path
from typing import Any

from accelerate import Accelerator


class Statistics:
    """Writes one JSON object a line, on the main process only.

    Args:
        path: of the `.jsonl`.
        accelerator: logs to its trackers too (tensorboard, trackio), where it has any.
        start: lines from this step on are dropped first: a resumed run makes them again.
    """

    def __init__(self, path: Path, accelerator: Accelerator, start: int = 0) -> None:
        self.path, self.accelerator = path, accelerator
        if accelerator.is_main_process:
            kept = [line for line in read_statistics(path) if line["step"] < start] if path.is_file() else []
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("".join(json.dumps(line) + "\n" for line in kept))

    def log(self, step: int, **values: Any) -> None:
        """Append the values of one step."""
        if self.accelerator.is_main_process:
            with self.path.open("a") as file:
                file.write(json.dumps({"step": step, **values}) + "\n")
        numbers = {f"{self.path.stem}/{key}": value for key, value in values.items() if isinstance(value, (int, float))}
        self.accelerator.log(numbers, step=step)


def read_statistics(path: Path) -> list[dict[str, Any]]:
    """The lines of a `.jsonl`; a last line that a kill cut short is left out."""
    lines = []
    for line in path.read_text().splitlines():
        try:
            lines.append(json.loads(line))
        except json.JSONDecodeError:
            break
    return lines
