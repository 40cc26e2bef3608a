"""What a generator was trained on, where that is not songs with labels of people, for a card before any measurement."""

import json
from pathlib import Path
from typing import Any

from musemo_hf.reporting.provenance import caveats, versions


def write_training_report(
    folder: Path, corpus: dict[str, Any], n_training: int, budget: str, seeds: list[int], command: str
) -> None:
    """Write `report.json` into a generator's folder, which its card is filled from, with no figure in it.

    Of songs with labels of people nothing is written: that is what a card without a report says.

    Args:
        folder: of the generator.
        corpus: `name`, `procedural`, `heard`, and what else describes it.
        n_training: songs trained on.
        budget: name of the configuration.
        seeds: of the training.
        command: that trained it.
    """
    said = caveats(corpus)
    if not said:
        return
    report = {
        "corpus": corpus | {"n_songs": n_training},
        "budget": budget,
        "seeds": seeds,
        "command": command,
        "versions": versions(),
        "findings": [*said, f"Trained on {n_training} of its songs; nothing was measured."],
    }
    (folder / "report.json").write_text(json.dumps(report, indent=1), encoding="utf-8")
