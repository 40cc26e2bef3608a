"""The progress of a run: lines in a log, and the time that is left."""

import logging
import os
import pty
import subprocess
import sys
import termios
from pathlib import Path

import pytest

from musemo_hf.runner.progress import Progress
from musemo_hf.runner.scheduler import run_tasks


def test_a_log_names_each_task_and_how_many_are_left(example, tmp_path, caplog):
    caplog.set_level(logging.INFO, "musemo_hf")
    run_tasks([example.make(tmp_path, name) for name in "ab"], tmp_path, tmp_path / "locks")
    lines = [record.getMessage() for record in caplog.records]
    assert lines == ["2 of 2 tasks left; now a", "a took 0 s", "1 of 2 tasks left, about 0 s; now b", "b took 0 s"]


def test_the_time_left_is_that_of_like_tasks(example, tmp_path):
    left = {name: example.make(tmp_path, name) for name in "abcd"} | {
        "other": example.make(tmp_path, "other", example.skip)
    }
    progress = Progress(left, capacity=2)
    progress.ended(left.pop("a"), 10.0)
    assert progress.seconds_left() is None  # nobody knows yet how long the other kind takes
    progress.ended(left.pop("other"), 100.0)
    progress.ended(left.pop("b"), 30.0)
    assert progress.seconds_left() == pytest.approx(20.0)  # two tasks of 20 s each, at the same time
    del left["c"]
    assert progress.seconds_left() == pytest.approx(20.0)
    progress.begins("d")
    assert 19 < progress.seconds_left() < 20


def test_a_terminal_shows_a_bar(tmp_path):
    """A launch with a terminal of its own."""
    (tmp_path / "go").touch()
    master, terminal = pty.openpty()
    termios.tcsetwinsize(terminal, (24, 120))
    command = [sys.executable, Path(__file__).with_name("example_tasks.py"), tmp_path, "1"]
    subprocess.run(command, check=True, stderr=terminal, timeout=120)
    os.close(terminal)
    shown = os.read(master, 65536).decode()
    os.close(master)
    assert "5 of 5 |" in shown
    assert "first" in shown
    assert "about 0 s" in shown
