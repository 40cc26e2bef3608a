"""Tasks of the local engine: each computed once, the urgent first, a killed process's taken over."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from musemo_hf.runner.engines import InProcess, WorkerProcesses
from musemo_hf.runner.scheduler import run_tasks
from musemo_hf.runner.task import State, Task, attempt

ENGINES = pytest.mark.parametrize("engine", [InProcess(), WorkerProcesses(2)], ids=["in process", "two processes"])


def run(tasks, folder, engine=None, **options):
    return run_tasks(tasks, folder, folder / "locks", engine, poll=0.02, **options)


def test_the_most_urgent_that_is_ready_comes_next(example, tmp_path):
    tasks = [example.make(tmp_path, "urgent", needs=["b"]), *(example.make(tmp_path, name) for name in "abc")]
    assert run(tasks, tmp_path).computed == ["a", "b", "urgent", "c"]
    assert run(tasks, tmp_path).computed == []
    assert example.computed(tmp_path) == ["a", "b", "urgent", "c"]


@ENGINES
def test_a_failed_task_is_named_and_others_go_on(example, tmp_path, engine, caplog):
    tasks = [
        example.make(tmp_path, "fails", example.fail),
        example.make(tmp_path, "blocked", needs=["fails"]),
        example.make(tmp_path, "none", example.skip),
        example.make(tmp_path, "goes on", needs=["none"]),
    ]
    outcome = run(tasks, tmp_path, engine)
    assert list(outcome.failed) == ["fails"]
    assert "no space left" in outcome.failed["fails"]
    assert (outcome.left, outcome.computed) == (["blocked"], ["goes on"])
    assert outcome.skipped == {"none": "there will never be one"}
    assert "fails failed: OSError: no space left" in caplog.text
    assert "Traceback" in (tmp_path / "locks/fails.failed").read_text()
    tasks[0] = example.make(tmp_path, "fails")  # what was wrong has been put right
    assert run(tasks, tmp_path, engine).computed == ["fails", "blocked"]


def test_a_failure_in_another_process_of_the_run_is_not_repeated(example, tmp_path):
    task, locks = example.make(tmp_path, "fails", example.fail), tmp_path / "locks"
    locks.mkdir()
    began = time.time() - 60
    ends = [attempt(tmp_path, task, locks, since) for since in (began, began, time.time() + 60)]
    assert all(end.state is State.FAILED for end in ends)
    assert ends[1].message == "OSError: no space left"
    assert example.computed(tmp_path) == ["fails", "fails"]  # by the first process, and by a later run


def test_a_machine_that_does_not_see_the_folder_says_so(example, tmp_path):
    end = attempt(tmp_path, example.make(tmp_path, "a"), tmp_path / "elsewhere", 0.0)
    assert end.state is State.FAILED
    assert "does not see" in end.message
    assert example.computed(tmp_path) == []


def test_an_empty_or_broken_result_is_named_and_computed_again(example, tmp_path, caplog):
    tasks = [example.make(tmp_path, name) for name in ("empty", "broken", "whole")]
    run(tasks, tmp_path)
    (tmp_path / "empty.json").write_text("")
    (tmp_path / "broken.json").write_text('{"name": ')
    assert run(tasks, tmp_path).computed == ["empty", "broken"]
    assert "empty.json is empty or broken: empty is computed again" in caplog.text
    assert json.loads((tmp_path / "broken.json").read_text()) == {"name": "broken"}


def test_no_task_begins_after_the_last_minute(example, tmp_path):
    outcome = run([example.make(tmp_path, "a")], tmp_path, minutes=0)
    assert (outcome.left, outcome.computed) == (["a"], [])


@pytest.mark.parametrize(("names", "needs"), [(["a", "a"], []), (["a"], ["b"])])
def test_tasks_that_are_no_run_are_refused(example, tmp_path, names, needs):
    with pytest.raises(ValueError, match="expected tasks with unique names and known needs"):
        run([example.make(tmp_path, name, needs=needs) for name in names], tmp_path)


def test_tasks_of_a_killed_worker_begin_again(example, tmp_path):
    tasks = [example.make(tmp_path, "dies", example.die_once), *(example.make(tmp_path, name) for name in "abc")]
    assert set(run(tasks, tmp_path, WorkerProcesses(2)).computed) == {"dies", "a", "b", "c"}
    assert json.loads((tmp_path / "dies.json").read_text()) == {"name": "dies"}


def launch(folder, jobs="1"):
    script = Path(__file__).parent / "example_tasks.py"
    return subprocess.Popen([sys.executable, str(script), str(folder), jobs], stderr=subprocess.PIPE, text=True)


def until(condition):
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_two_launches_share_tasks_and_say_what_they_wait_for(example, tmp_path):
    first = launch(tmp_path)
    until(lambda: (tmp_path / "begun-first").is_file())
    second = launch(tmp_path)
    until(lambda: len(example.computed(tmp_path)) == 4)  # the second does all that the first one leaves
    assert not (tmp_path / "first.json").is_file()
    time.sleep(0.2)  # it looks again
    (tmp_path / "go").touch()
    assert first.wait(120) == second.wait(120) == 0
    assert sorted(example.computed(tmp_path)) == ["first", *(f"other{i}" for i in range(4))]
    assert f"waiting for first (process {first.pid} on " in second.stderr.read()
    first.stderr.close()


@pytest.mark.parametrize("kind", ["running", "failed"])
@pytest.mark.parametrize("name", ["a", "group/a"])
def test_notes_of_a_process_killed_after_its_result_are_removed(example, tmp_path, name, kind):
    task = Task(name, example.work, (name,), result=tmp_path / "a.json")
    run([task], tmp_path)
    note = tmp_path / "locks" / f"{name}.{kind}"
    for seen in (lambda: run([task], tmp_path), lambda: attempt(tmp_path, task, tmp_path / "locks", 0.0)):
        note.write_text('{"process": 1, "host": "a"}')
        seen()
        assert not note.exists()
    assert example.computed(tmp_path) == [name]


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_a_run_killed_in_mid_task_resumes(example, tmp_path, jobs):
    killed = launch(tmp_path, jobs)
    until(lambda: (tmp_path / "begun-first").is_file() and (tmp_path / "begun-first").read_text())
    worker = int((tmp_path / "begun-first").read_text())
    assert (worker == killed.pid) == (jobs == "1")
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    until(lambda: not psutil.pid_exists(worker))  # no orphan works on
    assert "first" not in example.computed(tmp_path)
    written = [path.stem for path in tmp_path.glob("*.json")]
    (tmp_path / "go").touch()
    assert launch(tmp_path, jobs).wait(120) == 0
    computed = example.computed(tmp_path)
    assert set(computed) == {"first", *(f"other{i}" for i in range(4))}
    # what was killed between its computation and its result is computed again, and nothing else is
    assert [computed.count(name) for name in ("first", *written)] == [1] * (1 + len(written))
    assert len(computed) <= 5 + int(jobs) - 1
    assert not [path for path in (tmp_path / "locks").iterdir() if path.suffix in (".running", ".failed")]
