"""The training data of a generator, for a card before any measurement."""

import json
from pathlib import Path
from typing import Any

from musemo_hf.reporting.provenance import caveats, versions


def write_training_report(
    folder: Path, corpus: dict[str, Any], n_training: int, budget: str, seeds: list[int], command: str
) -> None:
    """Write a `report.json` without figures into a generator's folder, for its card.

    Nothing is written for songs with labels of people, which a card without a report assumes.

    Args:
        folder: The folder of the generator.
        corpus: The description of the corpus, with `name`, `procedural` and `heard` (pseudo-labels).
        n_training: The number of training songs.
        budget: The name of the configuration.
        seeds: The seeds of the training.
        command: The command line of the training.
    """
    sentences = caveats(corpus)
    if not sentences:
        return
    report = {
        "corpus": corpus | {"n_songs": n_training},
        "budget": budget,
        "seeds": seeds,
        "command": command,
        "versions": versions(),
        "findings": [*sentences, f"Trained on {n_training} of its songs; nothing was measured."],
    }
    (folder / "report.json").write_text(json.dumps(report, indent=1), encoding="utf-8")
