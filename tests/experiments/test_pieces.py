"""Pieces shared by processes: each computed once, the urgent first, a killed process's taken over."""

import json
import os
import signal
import subprocess
import sys
import textwrap
import time

import pytest

from musemo_hf.experiments.runner.claims import claim
from musemo_hf.experiments.runner.pieces import Piece, work_through
from musemo_hf.files import once


def piece(folder, name, made, needs=None):
    path = folder / f"{name}.json"

    def compute():
        made.append(name)
        once(path, dict)

    ready = (folder / f"{needs}.json").is_file if needs else (lambda: True)
    return Piece(name, done=path.is_file, compute=compute, ready=ready)


def test_the_first_that_is_ready_comes_next(tmp_path):
    made = []
    pieces = [piece(tmp_path, "urgent", made, needs="b"), *(piece(tmp_path, name, made) for name in "abc")]
    work_through(pieces, tmp_path / "claims", poll=0.01)
    assert made == ["a", "b", "urgent", "c"]
    work_through(pieces, tmp_path / "claims", poll=0.01)
    assert len(made) == 4


def test_a_piece_that_fails_can_be_claimed_again(tmp_path):
    def fail():
        raise OSError("no space left")

    with pytest.raises(OSError, match="no space left"):
        work_through([Piece("a", done=lambda: False, compute=fail)], tmp_path)
    with claim(tmp_path / "a") as ours:
        assert ours


WORKER = """
    import json, os, sys, time
    from pathlib import Path
    from musemo_hf.files import once
    from musemo_hf.experiments.runner.pieces import Piece, work_through
    folder, who = Path(sys.argv[1]), sys.argv[2]

    def make(name):
        path = folder / f"{name}.json"
        def compute():
            (folder / f"begun-{name}-{who}").touch()
            if who == "hangs":
                time.sleep(600)
            time.sleep(0.05)
            once(path, lambda: {"by": who})
        return Piece(name, path.is_file, compute)

    work_through([make(f"piece{i}") for i in range(8)], folder / "claims", poll=0.02)
"""


def start(tmp_path, who):
    script = tmp_path / "worker.py"
    script.write_text(textwrap.dedent(WORKER))
    return subprocess.Popen([sys.executable, str(script), str(tmp_path), who], env=os.environ)


def test_two_launches_never_do_the_same_and_a_killed_ones_piece_is_taken_over(tmp_path):
    hanging = start(tmp_path, "hangs")
    while not list(tmp_path.glob("begun-*-hangs")):
        assert hanging.poll() is None
        time.sleep(0.05)
    others = [start(tmp_path, who) for who in ("one", "two")]
    while len(list(tmp_path.glob("piece*.json"))) < 7:
        time.sleep(0.05)
    assert not (tmp_path / "piece0.json").is_file()  # it is in the hands of the one that hangs
    hanging.send_signal(signal.SIGKILL)
    assert [process.wait(timeout=120) for process in others] == [0, 0]
    begun = [path.name.split("-")[1] for path in tmp_path.glob("begun-*") if not path.name.endswith("hangs")]
    assert sorted(begun) == [f"piece{i}" for i in range(8)]
    assert json.loads((tmp_path / "piece0.json").read_text())["by"] in ("one", "two")
    hanging.wait()
