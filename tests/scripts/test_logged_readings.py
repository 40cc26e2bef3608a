"""Scripts that read a held-out fold of real songs without choosing by it write a line in the log each time."""

import runpy
from pathlib import Path

import numpy as np
import pytest

from musemo_hf import MusemoFeatureExtractor, MusemoGanConfig, MusemoGanGenerator
from musemo_hf.data.pack import write_pack
from musemo_hf.reporting.fold_readings import read_log, weights_hash

SCRIPTS = Path(__file__).parents[2] / "training"
N_SONGS, N_FRAMES = 24, 256


@pytest.fixture
def songs(tmp_path, small_songs):
    """A pack of songs in two folds, which is not procedural."""
    path = tmp_path / "songs.safetensors"
    write_pack(path, small_songs(np.arange(N_SONGS) // 2 % 2, N_FRAMES), "excerpt_10s", "corrected")
    return path


@pytest.fixture
def run(songs, tmp_path, monkeypatch):
    """`run("examine_sound", ...)` runs a script of `training/`, and returns the readings of its log."""

    def run(name, *arguments):
        paths = ("--data-dir", songs, "--output-dir", tmp_path / name, "--log", tmp_path / "log.md")
        script = SCRIPTS / f"{name}.py"
        monkeypatch.setattr("sys.argv", [str(script), *map(str, (*arguments, *paths))])
        runpy.run_path(str(script), run_name="__main__")
        return read_log(tmp_path / "log.md")

    return run


def test_a_picture_of_a_fold_is_logged(run, tmp_path):
    folder = tmp_path / "generator"
    MusemoGanGenerator(MusemoGanConfig(n_frames=N_FRAMES, generator_channels=8, group_norm_groups=1)).save_pretrained(
        folder
    )
    MusemoFeatureExtractor(n_frames=N_FRAMES).save_pretrained(folder)
    arguments = (folder, "--seeds", 1, "--n-real", 2, "--training-seed", 3)
    (reading,) = run("examine_sound", *arguments, "--hold-out", 1)
    assert (reading.corpus, reading.fold, reading.seeds) == ("DEAM", "1", "3")
    assert reading.weights == weights_hash(folder)
    assert "examine_sound.py" in reading.command
    assert reading.note == "for a picture, the presets beside real songs; nothing was chosen"
    _, second = run("examine_sound", *arguments, "--hold-out", 1)
    assert second.note.endswith("nothing was chosen; read again, 1 before")


def test_the_evaluation_of_a_recogniser_on_a_fold_is_logged(run, tmp_path):
    config = SCRIPTS / "configs" / "recogniser_statistics_10s.yaml"
    arguments = ("--config", config, "--hold-out", 1, "--note", "for a flow")
    (reading,) = run("train_regressor", *arguments)
    assert (reading.corpus, reading.fold, reading.recipe) == ("DEAM", "1", "recogniser_statistics_10s")
    assert reading.weights == weights_hash(tmp_path / "train_regressor" / "recogniser")
    assert reading.command.startswith("accelerate launch")
    assert reading.note == "evaluated at the end of its training; for a flow"
    _, second = run("train_regressor", *arguments)
    assert second.note.endswith("for a flow; read again, 1 before")
