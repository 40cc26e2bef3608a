import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from musemo_hf import embedded_checkpoint
from musemo_hf.reporting.fold_readings import (
    FoldReading,
    SecondReadingError,
    append_reading,
    check_reading,
    read_log,
    weights_hash,
)

ROOT = Path(__file__).parents[2]
LOG = ROOT / "docs" / "fold-readings.md"
READING = FoldReading(
    "2026-12-01", "DEAM", "1", "unet_10s", "0", "ab" * 32, "python measure.py --hold-out 1", "release"
)


def test_a_reading_is_a_line_of_the_table(tmp_path):
    log = tmp_path / "log.md"
    assert read_log(log) == []
    append_reading(log, READING)
    append_reading(log, replace(READING, fold="0-4", note="a | b\nc"))
    first, second = read_log(log)
    assert first == READING
    assert second.note == "a / b c"
    assert [second.includes("DEAM", fold) for fold in (0, 4, 5)] == [True, True, False]
    assert not second.includes("another corpus", 0)


def test_a_fold_is_read_once_for_a_recipe_and_seed(tmp_path):
    log = tmp_path / "log.md"
    assert check_reading(log, READING) == READING
    append_reading(log, READING)
    with pytest.raises(
        SecondReadingError, match="fold 1 of DEAM to be read once for unet_10s with seeds 0, got a read"
    ):
        check_reading(log, READING)
    with pytest.raises(SecondReadingError):  # the same recipe with other weights
        check_reading(log, replace(READING, weights="cd" * 32))
    with pytest.raises(SecondReadingError):  # the same weights under another name
        check_reading(log, replace(READING, recipe="renamed"))
    another = replace(READING, seeds="1", weights="cd" * 32)
    assert check_reading(log, another) == another
    assert check_reading(log, replace(READING, fold="2")).note == "release"
    again = check_reading(log, READING, read_again=True)
    assert again.note == "release; read again, 1 before"
    append_reading(log, again)
    assert check_reading(log, READING, read_again=True).note == "release; read again, 2 before"


def test_a_spent_fold_is_read_freely_and_says_so(tmp_path):
    log = tmp_path / "log.md"
    spent = replace(READING, fold="0")
    append_reading(log, spent)
    assert check_reading(log, spent).note == "release; this fold is spent"


def test_a_broken_log_is_named(tmp_path):
    log = tmp_path / "log.md"
    log.write_text("| date | corpus |\n|---|---|\n| 2026-12-01 | DEAM | one |\n")
    with pytest.raises(ValueError, match=r"log\.md: expected 8 cells"):
        read_log(log)


def test_weights_without_a_file(tmp_path):
    with pytest.raises(FileNotFoundError, match="expected weights"):
        weights_hash(tmp_path)


def commands_in(text):
    """The commands of a page's code blocks that read a held-out fold of real songs."""
    blocks = "\n".join(re.findall(r"^```[ \w]*\n(.*?)^```", text, re.MULTILINE | re.DOTALL))
    return [line for line in blocks.splitlines() if "measure_generator.py" in line or "training/study.py" in line]


def test_every_figure_of_a_released_model_has_its_line():
    """Packaged generators by their weights, pages of out-of-fold tables by their name, and commands on pages."""
    readings = read_log(LOG)
    for name in ("flow", "generator"):
        folder = embedded_checkpoint(name)
        report = json.loads((Path(folder) / "report.json").read_text())
        fold = report.get("held_out_fold", report["corpus"]["fold"])
        measured = {report.get("weights"), weights_hash(folder)}
        assert any(own.weights in measured and own.includes(report["corpus"]["name"], fold) for own in readings), name
        assert any(own.command == report["command"] for own in readings), report["command"]
    for page in [*ROOT.glob("docs/ablation-*.md"), *ROOT.glob("docs/study-*.md"), ROOT / "docs" / "recogniser.md"]:
        if page.name != "ablation-as-run.md":  # a random split, in which no fold is held out
            assert any(f"docs/{page.name}" in own.note for own in readings), page.name
    logged = {found[1] for own in readings if (found := re.search(r"--config (\S+)", own.command))}
    commands = [
        command
        for page in [ROOT / "README.md", *sorted(ROOT.glob("docs/results/*.md"))]
        for command in commands_in(page.read_text(encoding="utf-8"))
        if "--hold-out" in command
    ]
    assert commands
    for command in commands:
        assert re.search(r"--config (\S+)", command)[1] in logged, command
