"""The generators that the script of the metric's validation is given: their folders and held-out folds."""

import argparse
import json
import runpy
from pathlib import Path

import pytest

from musemo_hf import embedded_checkpoint

SCRIPT = Path(__file__).parents[2] / "training" / "validate_metric.py"


@pytest.fixture(scope="module")
def given_generator():
    return runpy.run_path(str(SCRIPT))["given_generator"]


@pytest.fixture
def runs(tmp_path, monkeypatch):
    """A folder with a generator whose report, above it, names fold 3, and one without a report."""
    (tmp_path / "reported" / "generator").mkdir(parents=True)
    report = {"held_out_fold": 3, "corpus": {"name": "DEAM"}}
    (tmp_path / "reported" / "report.json").write_text(json.dumps(report))
    (tmp_path / "bare" / "generator").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("value", "name", "folder", "fold"),
    [
        ("texture flow=reported/generator", "texture flow", "reported/generator", 3),
        ("flow=reported/generator@3", "flow", "reported/generator", 3),
        ("flow=bare/generator@0", "flow", "bare/generator", 0),
    ],
)
def test_the_fold_is_that_of_the_report_or_the_given_one(given_generator, runs, value, name, folder, fold):
    assert given_generator(value) == (value, name, Path(folder), fold)


@pytest.mark.parametrize("packaged", ["flow", "generator"])
def test_a_packaged_generator_is_named(given_generator, packaged):
    folder = Path(embedded_checkpoint(packaged))
    fold = json.loads((folder / "report.json").read_text())["held_out_fold"]
    assert given_generator(f"GAN={packaged}") == (f"GAN={packaged}", "GAN", folder, fold)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("bare/generator", "expected NAME=FOLDER or NAME=FOLDER@FOLD, got 'bare/generator'"),
        ("flow=nowhere@1", "with the folder of a generator or the name of a packaged one, got 'flow=nowhere@1'"),
        ("flow=bare/generator@one", "the name of a packaged one, got 'flow=bare/generator@one'"),
        ("flow=bare/generator", "to name the held-out fold of DEAM, or it as @FOLD, got 'flow=bare/generator'"),
        ("flow=reported/generator@0", "expected @3, the held-out fold of its report.json, got"),
    ],
)
def test_a_generator_without_a_clear_fold_is_refused(given_generator, runs, value, message):
    with pytest.raises(argparse.ArgumentTypeError, match=message):
        given_generator(value)
