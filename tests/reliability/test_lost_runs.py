"""Runs that are killed at any moment, or whose disk is full at any byte: the resumed run is the unbroken one."""

import json
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("forked_training.py")
KINDS = ("gan", "flow", "recogniser")


@pytest.fixture(scope="module", params=KINDS)
def training(request, tmp_path_factory):
    """The kind, the root, and `train(name, **how)`, which trains in a folder of that name; `unbroken` is trained."""
    root = tmp_path_factory.mktemp("runs")
    environment = os.environ | {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": "", "ACCELERATE_USE_CPU": "1"}
    command = [sys.executable, str(SCRIPT), str(root), request.param]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL, "text": True}
    with subprocess.Popen(command, env=environment, **pipes) as process:

        def train(name, **how):
            process.stdin.write(json.dumps({"run": name, **how}) + "\n")
            process.stdin.flush()
            return json.loads(process.stdout.readline())

        assert train("unbroken")["status"] == 0
        yield request.param, root, train


def result_of(folder):
    """What a run leaves: the files of its last checkpoint and its statistics, by their path."""
    last = max(path for path in folder.glob("checkpoint-*") if not path.suffix)
    files = [path for path in [*last.rglob("*"), *folder.glob("*.jsonl")] if path.is_file()]
    timed = {"state.json", "SHA256SUMS"}  # the seconds that the updates took, and what follows from them
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files if path.name not in timed}


@pytest.mark.reliability("SIGKILL at a random moment of a resumed training", "the end is equal to the bit")
def test_a_run_that_is_killed_again_and_again_is_the_unbroken_one(training, tally, long_form):
    (kind, root, train), rng = training, random.Random(0)
    expected = result_of(root / "unbroken")
    seconds = float((root / "unbroken.seconds").read_text())
    for number in range(12 if long_form else 1):
        ends, name = [0], ""
        while not any(ends):  # on a machine that has less to do by now a run ends before it is killed
            name += f"killed{number}"
            ends = [train(name, kill=rng.uniform(0.05, 0.7) * seconds)["status"] for _ in range(6 if long_form else 3)]
            assert set(ends) <= {-9, 0}
            seconds *= 1 if any(ends) else 0.5
        same = train(name)["status"] == 0 and result_of(root / name) == expected
        for _ in filter(None, ends):
            tally(same, f"{kind}: {name}, killed {ends.count(-9)} times")
    tally.assert_nothing_lost()


@pytest.mark.reliability("a disk that is full at a random byte of a file", "a typed error, and the end is equal")
def test_a_disk_that_is_full_at_any_byte_loses_nothing(training, tally, long_form):
    (kind, root, train), rng = training, random.Random(0)
    expected = result_of(root / "unbroken")
    largest = max(path.stat().st_size for path in (root / "unbroken").rglob("*") if path.is_file())
    # small limits too: statistics reach theirs in the middle of a run
    limits = [*(rng.randrange(300, 3000) for _ in range(8)), *(rng.randrange(3000, largest) for _ in range(16))]
    for number, limit in enumerate(limits if long_form else limits[7:9]):
        name = f"full{number}"
        end = train(name, full=limit)
        typed = end["status"] == 3 and end["error"].startswith("CheckpointError: could not write")
        clean = not list((root / name).rglob("*.part"))
        same = train(name)["status"] == 0 and result_of(root / name) == expected
        tally(typed and clean and same, f"{kind}: {limit} bytes gave {end}, clean {clean}, same {same}")
    tally.assert_nothing_lost()
