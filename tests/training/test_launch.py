"""The arguments that the training scripts share."""

from pathlib import Path

import pytest

from musemo_hf.training.configuration import load_configuration
from musemo_hf.training.launch import parse_arguments


def test_set_may_be_given_several_times_and_several_values(monkeypatch):
    values = ["--set", "gan_training.steps=7", "--set", "gan_training.seed=3", "flow_training.steps=5"]
    monkeypatch.setattr("sys.argv", ["train_gan.py", *values])
    arguments = parse_arguments(None, Path("some.yaml"), "runs/some")
    configuration = load_configuration(None, arguments.set)
    assert configuration.gan_training.steps == 7
    assert configuration.gan_training.seed == 3
    assert configuration.flow_training.steps == 5
    assert parse_arguments(None, Path("some.yaml"), "runs/some").set == arguments.set  # and nothing is left behind


def test_options_are_offered_where_they_concern_the_script(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["train_gan.py", "--hold-out", "3"])
    arguments = parse_arguments(None, Path("some.yaml"), "runs/some", "hold-out")
    assert arguments.hold_out == 3
    assert not hasattr(arguments, "report_only")
    with pytest.raises(SystemExit):
        parse_arguments(None, Path("some.yaml"), "runs/some", "report-only")
    assert "unrecognized arguments: --hold-out 3" in capsys.readouterr().err
