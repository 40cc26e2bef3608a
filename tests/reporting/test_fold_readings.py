import json
import re
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pytest

from musemo_hf import embedded_checkpoint
from musemo_hf.reporting.fold_readings import (
    SPENT,
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


# Scripts that read the fold that is given, and those that leave it out and read none of its songs.
READ_THE_FOLD = {"measure_generator", "train_regressor", "examine_sound", "measure_vocoder"}
LEAVE_IT_OUT = {"train_gan", "train_flow", "train_unet", "train_vocoder", "extrapolate_unet", "calibrate_generator"}
LEAVE_IT_OUT |= {"choose_noise_scale", "measure_steps", "measure_conditions", "examine_editing"}
READ_ALL_FOLDS = {"ablate", "evaluate_recognisers"}
READ_A_FOLD_OF_THEIR_OWN = {"study", "validate_metric"}  # of the configuration, and of the generators that are given
CORPORA = {"DEAM": "DEAM", "emotify": "Emotify, pseudo-labels"}  # by --data-dir; other folders are the reader's own
NO_FOLD = {"docs/ablation-as-run.md"}  # a random split, in which no fold is held out
# that split, and what a tutorial runs to show that a command works, whose figures no page has
NO_FIGURES = {"training/configs/as-run.yaml", "training/configs/smoke.yaml"}
OUT_OF_FOLD = ("ablation-", "study-", "few-songs", "recogniser", "metric-validation", "sound")


class Command(NamedTuple):
    """A command that reads folds: the script, the configuration, the corpus and the fold, where it names one."""

    script: str
    config: str | None
    corpus: str
    fold: int | None


def parsed(line):
    """Return the command of a line if it reads a fold of a corpus of this project, and otherwise None."""
    script = re.search(r"training/(\w+)\.py", line)
    folder = re.search(r"--data-dir (\S+)", line)
    fold = re.search(r"--(?:hold-out|fold) (\d+)", line)
    if script is None or folder is None or folder[1] not in CORPORA:
        return None
    if fold is not None:
        assert script[1] in READ_THE_FOLD | LEAVE_IT_OUT, f"does it read the fold? {line}"
    if script[1] in LEAVE_IT_OUT or (fold is None and script[1] not in READ_ALL_FOLDS | READ_A_FOLD_OF_THEIR_OWN):
        return None
    config = re.search(r"--config (\S+)", line)
    if config is not None and config[1] in NO_FIGURES:
        return None
    return Command(script[1], config and config[1], CORPORA[folder[1]], None if fold is None else int(fold[1]))


def commands_in(text):
    """The commands of a page, in code blocks and sentences, that read a held-out fold of real songs."""
    joined = text.replace("\\\n", " ")
    lines = re.findall(r"(?:python|accelerate launch) training/\w+\.py[^`\n]*", joined)
    return [command for line in lines if (command := parsed(line))]


def is_logged(command, readings):
    if command.fold is not None and (command.corpus, command.fold) in SPENT:
        return True  # the log says that not all of its readings have a line
    return any(
        own.corpus == command.corpus
        and (command.fold is None or own.includes(command.corpus, command.fold))
        and re.search(rf"training/{command.script}\.py", own.command)
        and (command.config is None or f"--config {command.config}" in own.command)
        for own in readings
    )


def test_a_command_on_a_page_is_found():
    line = "python training/examine_sound.py runs/a --config c.yaml \\\n    --data-dir DEAM --hold-out 2"
    block = f"Text\n```bash\n{line}\n```\n"
    (found,) = commands_in(block)
    assert found == Command("examine_sound", "c.yaml", "DEAM", 2)
    line = replace(READING, fold="2", command="python training/examine_sound.py --config c.yaml")
    assert is_logged(found, [line])
    assert not is_logged(found, [replace(line, fold="1")])
    assert not is_logged(found, [replace(line, command="python training/measure_generator.py --config c.yaml")])
    assert commands_in(block.replace("examine_sound", "measure_steps")) == []
    with pytest.raises(AssertionError, match="does it read the fold"):
        commands_in(block.replace("examine_sound", "another"))


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
        validated = [own for own in readings if f"={name} " in own.command and own.includes("DEAM", fold)]
        assert {own.weights for own in validated} == {weights_hash(folder)}, name
    pages = [f"docs/{page.name}" for page in sorted(ROOT.glob("docs/*.md")) if page.name.startswith(OUT_OF_FOLD)]
    assert {"docs/few-songs.md", "docs/few-songs-100.md", "docs/few-songs-200.md"} <= set(pages)
    for page in set(pages) - NO_FOLD:
        assert any(page in own.note for own in readings), page
    found = {
        (page.relative_to(ROOT).as_posix(), command)
        for page in [ROOT / "README.md", *sorted(ROOT.glob("docs/**/*.md"))]
        if page != LOG
        for command in commands_in(page.read_text(encoding="utf-8"))
    }
    assert {command.script for _, command in found} >= READ_THE_FOLD | READ_ALL_FOLDS
    missing = [f"{page}: {command}" for page, command in sorted(found, key=str) if not is_logged(command, readings)]
    assert missing == []
