"""The script that measures channels reads a fold's labels once, and logs it."""

import argparse
import sys

import numpy as np
import pytest

from musemo_hf.data.demo_corpus import MANIFEST, render_demo_corpus
from musemo_hf.experiments.vocoders.channels import Channel
from musemo_hf.reporting.fold_readings import SecondReadingError, read_log
from training import measure_vocoder

SAME = Channel(lambda samples: samples, lambda samples, _: samples)


@pytest.fixture
def arguments(tmp_path, monkeypatch):
    """The arguments for a folder that passes for DEAM, since its file of parameters is gone."""
    monkeypatch.setenv("MUSEMO_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(sys, "argv", ["measure_vocoder.py"])
    folder = render_demo_corpus(tmp_path / "DEAM", n_songs=12)
    (folder / MANIFEST).unlink()
    return argparse.Namespace(data_dir=folder, fold=1, log=tmp_path / "log.md")


def test_the_labels_of_a_fold_are_read_once_and_logged(arguments):
    found = measure_vocoder._measure_labels(arguments, {"same": SAME}, None, None, "a command")
    assert list(found["recognisers"]) == ["log-mel"]  # without YAMNet
    row = found["recognisers"]["log-mel"]
    assert row["after"]["same"]["change"]["valence"]["value"] == 0
    assert np.isfinite(row["before"]["ccc"]["arousal"]["value"])
    (reading,) = read_log(arguments.log)
    assert (reading.corpus, reading.fold, reading.command) == ("DEAM", "1", "a command")
    assert reading.recipe == "recogniser_statistics_10s"
    with pytest.raises(SecondReadingError, match="expected fold 1 of DEAM to be read once"):
        measure_vocoder._measure_labels(arguments, {"same": SAME}, None, None, "a command")
