"""`make gpu` without a GPU: what travels there and back, and what is refused before anything starts."""

import importlib.util
import signal
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import psutil
import pytest
import torch

from musemo_hf.training.gan.trainer import GanTrainer

ROOT = Path(__file__).parents[2]


@pytest.fixture
def session(monkeypatch, tmp_path):
    """The module of the script, whose repository is `tmp_path`."""
    spec = importlib.util.spec_from_file_location("gpu_session", ROOT / "training" / "gpu_session.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "BUILD", tmp_path / "build")
    monkeypatch.setattr(sys, "path", [*sys.path])
    (tmp_path / "build").mkdir()
    return module


@pytest.fixture
def trained(clips, gan_config, gan_training, tmp_path):
    """A run of eight updates that was stopped after four, and a function that goes on in another folder."""

    def trainer(folder):
        return GanTrainer(gan_config, gan_training(checkpoint_every=4), clips, tmp_path / folder)

    trainer("whole").train()
    return trainer


def test_a_shrunk_checkpoint_holds_half_the_bytes_of_the_weights_and_the_run_goes_on_from_it(
    session, trained, tmp_path
):
    first = sorted((tmp_path / "whole").glob("checkpoint-*"))[0]
    small = tmp_path / "next" / first.name
    session.shrink(first, small, moments=False)
    sizes = [sum(file.stat().st_size for file in folder.rglob("*.safetensors")) for folder in (first, small)]
    assert sizes[1] < 0.65 * sizes[0]
    assert (small / "objects.pt").stat().st_size < 0.2 * (first / "objects.pt").stat().st_size
    resumed = trained("next")
    assert torch.isfinite(resumed.train().generate(torch.zeros(4, 2), seed=0)).all()
    assert resumed.step == 8


def test_moments_are_kept_where_they_come_back(session, trained, tmp_path):
    first = sorted((tmp_path / "whole").glob("checkpoint-*"))[0]
    session.shrink(first, tmp_path / "next" / first.name, moments=True)
    resumed = trained("next")
    made = resumed.train()
    whole = type(made).from_pretrained(session.newest(tmp_path / "whole") / "averaged_generator")
    moments = [state["exp_avg"].dtype for state in resumed.updates.optimizers["generator"].state.values()]
    assert set(moments) == {torch.float32}
    clips = [model.generate(torch.zeros(4, 2), seed=0) for model in (made, whole)]
    assert 50 * (clips[0] - clips[1]).abs().mean() < 0.5  # dB


def test_pieces_come_back_that_make_the_checkpoint(session, trained, tmp_path, monkeypatch):
    monkeypatch.setattr(session, "MAX_FILE", 300_000)
    checkpoint, out = session.newest(tmp_path / "whole"), tmp_path / "out"
    out.mkdir()
    session.pack(checkpoint, out)
    pieces = sorted(out.iterdir())
    assert 1 < len(pieces) < session.MAX_FILES
    assert all(piece.stat().st_size <= 300_000 for piece in pieces)
    (tmp_path / "joined.tar").write_bytes(b"".join(piece.read_bytes() for piece in pieces))
    with tarfile.open(tmp_path / "joined.tar") as tar:
        tar.extractall(tmp_path / "again", filter="data")
    assert trained("again").train() is not None
    monkeypatch.setattr(session, "MAX_FILE", 10_000)
    monkeypatch.setattr(session, "BUILD", tmp_path / "second")
    with pytest.raises(SystemExit, match="expected a checkpoint of at most 70,000 bytes"):
        session.pack(checkpoint, out)


def test_what_does_not_travel_is_refused(session, tmp_path, monkeypatch):
    monkeypatch.setattr(session, "ROOT", tmp_path / "repository")
    (tmp_path / "repository").mkdir()
    inside, outside = tmp_path / "repository" / "songs", tmp_path / "songs"
    for file in (inside, outside):
        file.write_bytes(bytes(2000))
    session.check_inputs([inside])
    with pytest.raises(SystemExit, match=f"expected inputs inside .*, got {outside}"):
        session.check_inputs([inside, outside])
    monkeypatch.setattr(session, "MAX_INPUT", 1999)
    with pytest.raises(SystemExit, match="expected songs and a checkpoint of at most 1,999 bytes, got 2,000"):
        session.check_inputs([inside])
    with pytest.raises(SystemExit, match=r"expected checkpoint-\* in the folder of a training"):
        session.newest(tmp_path)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--minutes", "9"], "expected 0 to 3.2 minutes of training"),
        (["--minutes", "9", "--only-training"], "expected 0 to 7.2 minutes of training"),
        (["--minutes", "nan"], "expected 0 to 3.2 minutes of training, so that all ends in time, got nan"),
        (["--minutes", "-1"], "expected 0 to 3.2 minutes of training, so that all ends in time, got -1.0"),
        (["--shrink-to", "small"], "expected --checkpoint, the checkpoint that --shrink-to makes small, got none"),
        (["--", "nothing"], "expected a script training/train_<name>.py, got nothing"),
    ],
)
def test_more_minutes_than_there_are_and_unknown_scripts(session, monkeypatch, capsys, arguments, message):
    monkeypatch.setattr(sys, "argv", ["gpu_session.py", *arguments])
    with pytest.raises(SystemExit):
        session.main()
    assert message in capsys.readouterr().err


def call(session, monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["gpu_session.py", "--minutes", "0", "--only-training", *map(str, arguments)])
    return session.main()


def test_the_output_folder_keeps_what_is_not_of_an_earlier_call(session, tmp_path, monkeypatch):
    out = tmp_path / "precious"
    (out / "folder").mkdir(parents=True)
    for name in ("x", "folder/y", "report.txt", "run.tar.00"):
        (out / name).write_text("before")
    assert call(session, monkeypatch, "--output-dir", out, "--wheels", tmp_path) == 0
    assert sorted(path.name for path in out.rglob("*") if path.is_file()) == ["report.txt", "x", "y"]
    assert (out / "report.txt").read_text().endswith(f"--output-dir {out} --wheels {tmp_path}\n")


def test_an_output_folder_with_the_inputs_is_refused_and_loses_nothing(session, tmp_path, monkeypatch):
    monkeypatch.setattr(session, "ROOT", tmp_path)
    weights = tmp_path / "runs" / "gpu" / "checkpoint-000004" / "weights"
    weights.parent.mkdir(parents=True)
    weights.write_text("learnt")
    run = weights.parents[1]
    for out in (run, tmp_path / "runs", weights.parent / "out"):
        with pytest.raises(SystemExit, match="expected a folder for the results apart from the inputs, got"):
            call(session, monkeypatch, "--checkpoint", run, "--output-dir", out)
    built = session.BUILD / "run" / "checkpoint-000004"
    built.mkdir(parents=True)
    with pytest.raises(SystemExit, match=r"expected nothing in .*build, which each call begins anew, got"):
        call(session, monkeypatch, "--checkpoint", built.parent, "--output-dir", tmp_path / "out")
    with pytest.raises(SystemExit, match="expected a folder for the results, got the file"):
        call(session, monkeypatch, "--output-dir", weights)
    assert weights.read_text() == "learnt"
    assert built.is_dir()


def test_a_python_without_torch_is_refused_in_one_line(tmp_path):
    script = str(ROOT / "training" / "gpu_session.py")
    (tmp_path / "run" / "checkpoint-000004").mkdir(parents=True)
    shrunk = ["--checkpoint", str(tmp_path / "run"), "--shrink-to", str(tmp_path / "small")]
    for arguments in (["--minutes", "0", "--output-dir", str(tmp_path / "out")], shrunk):
        # neither the folder of packages nor that of the user is read
        bare = subprocess.run([sys.executable, "-I", "-S", script, *arguments], capture_output=True, text=True)
        assert bare.returncode == 1
        assert bare.stderr.startswith("expected a Python with torch, ")
        assert bare.stderr.count("\n") == 1
        assert "name another with PYTHON=" in bare.stderr


def test_a_step_that_takes_too_long_is_stopped_with_the_processes_that_it_started(session, tmp_path):
    report = tmp_path / "report.txt"
    child = "import os, time; open('started', 'w').write(str(os.getpid())); time.sleep(100)"
    script = f"import subprocess, sys; print('begun', flush=True); subprocess.run([sys.executable, '-c', {child!r}])"
    (tmp_path / "repository").mkdir()
    session.ROOT = tmp_path / "repository"
    assert session.step(report, 15, "-c", script) == -signal.SIGTERM
    assert "begun\n# exit code -15" in report.read_text()
    pid = int((session.ROOT / "started").read_text())
    deadline = time.monotonic() + 30
    while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline
        time.sleep(0.1)
