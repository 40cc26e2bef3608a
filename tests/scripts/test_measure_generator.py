"""The script that measures a generator, on a small corpus that is not procedural, so that its readings are logged."""

import json
import runpy
from pathlib import Path

import numpy as np
import pytest

from musemo_hf import (
    MusemoFeatureExtractor,
    MusemoGanConfig,
    MusemoGanGenerator,
    MusemoViTConfig,
    MusemoViTForEmotionRegression,
)
from musemo_hf.data.pack import write_pack
from musemo_hf.reporting.fold_readings import SecondReadingError, read_log, weights_hash

SCRIPT = Path(__file__).parents[2] / "training" / "measure_generator.py"
N_SONGS, N_FRAMES = 24, 256


@pytest.fixture(scope="module")
def runs(tmp_path_factory, small_songs):
    """A folder with an untrained generator, an untrained recogniser and a pack of songs in two folds."""
    root = tmp_path_factory.mktemp("runs")
    songs = small_songs(np.arange(N_SONGS) // 2 % 2, N_FRAMES)
    write_pack(root / "songs.safetensors", songs, "excerpt_10s", "corrected")
    generator = MusemoGanGenerator(MusemoGanConfig(n_frames=N_FRAMES, generator_channels=8, group_norm_groups=1))
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    recogniser = MusemoViTForEmotionRegression(MusemoViTConfig(n_frames=N_FRAMES, patch_size=(16, 16), **sizes))
    for name, model in (("generator", generator), ("recogniser", recogniser)):
        model.save_pretrained(root / name)
        MusemoFeatureExtractor(n_frames=N_FRAMES).save_pretrained(root / name)
    return root


def measure(runs, monkeypatch, *options):
    paths = [str(runs / name) for name in ("generator", "recogniser")]
    arguments = ["--data-dir", str(runs / "songs.safetensors"), "--hold-out", "1", "--no-sound", *options]
    monkeypatch.setattr("sys.argv", [str(SCRIPT), *paths, *arguments, "--log", str(runs / "log.md")])
    runpy.run_path(str(SCRIPT), run_name="__main__")
    return json.loads((runs / "report.json").read_text())


def test_a_fold_of_real_songs_is_read_once_and_logged(runs, monkeypatch):
    report = measure(runs, monkeypatch, "--note", "a release")
    assert report["held_out_fold"] == 1
    assert report["weights"] == weights_hash(runs / "generator")
    (reading,) = read_log(runs / "log.md")
    assert (reading.corpus, reading.fold, reading.weights) == ("DEAM", "1", report["weights"])
    assert reading.note == "a release"
    assert report["command"] == reading.command
    (runs / "report.json").unlink()
    with pytest.raises(SecondReadingError, match="fold 1 of DEAM to be read once"):
        measure(runs, monkeypatch)
    assert not (runs / "report.json").exists()  # nothing was read
    assert len(read_log(runs / "log.md")) == 1


def test_without_yamnet_the_error_says_how_to_get_it(runs, monkeypatch, tmp_path):
    from musemo_hf.pipelines.embedders.pretrained_files import PretrainedModelError
    from musemo_hf.pipelines.embedders.yamnet import load_yamnet

    load_yamnet.cache_clear()
    monkeypatch.setenv("MUSEMO_PRETRAINED", str(tmp_path))
    paths = [str(runs / name) for name in ("generator", "recogniser")]
    arguments = ["--data-dir", str(runs / "songs.safetensors"), "--hold-out", "0", "--log", str(tmp_path / "log.md")]
    monkeypatch.setattr("sys.argv", [str(SCRIPT), *paths, *arguments])
    with pytest.raises(PretrainedModelError, match="YAMNet"):
        runpy.run_path(str(SCRIPT), run_name="__main__")
    assert read_log(tmp_path / "log.md") == []
