"""Example tasks. Their context is a folder, where each computation leaves a line in the file `computed`."""

import os
import signal
import sys
import time
from pathlib import Path

from musemo_hf.runner.engines import InProcess, WorkerProcesses
from musemo_hf.runner.scheduler import run_tasks
from musemo_hf.runner.task import SkipTask, Task


def work(folder: Path, name: str) -> dict:
    with (folder / "computed").open("a") as file:
        file.write(name + "\n")
    return {"name": name}


def work_when_told(folder: Path, name: str) -> dict:
    """Wait, in mid-task, for the file `go`; the file `begun-NAME` holds the process that waits."""
    (folder / f"begun-{name}").write_text(str(os.getpid()))
    while not (folder / "go").exists():
        time.sleep(0.02)
    return work(folder, name)


def fail(folder: Path, name: str) -> dict:
    work(folder, name)
    raise OSError("no space left")


def skip(folder: Path, name: str) -> dict:
    raise SkipTask("there will never be one")


def die_once(folder: Path, name: str) -> dict:
    if not (folder / "died").exists():
        (folder / "died").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return work(folder, name)


def double(number: int) -> int:
    if number < 0:
        raise ValueError(f"expected a number of at least 0, got {number}")
    return 2 * number


def make(folder: Path, name: str, function=work, needs=()) -> Task:
    return Task(name, function, (name,), tuple(needs), folder / f"{name}.json")


def computed(folder: Path) -> list[str]:
    path = folder / "computed"
    return path.read_text().splitlines() if path.is_file() else []


if __name__ == "__main__":  # a launch of its own: FOLDER JOBS
    place = Path(sys.argv[1])
    sys.path.insert(0, str(Path(__file__).parent))
    import example_tasks  # under the name that worker processes know

    engine = WorkerProcesses(int(sys.argv[2])) if sys.argv[2] != "1" else InProcess()
    tasks = [make(place, "first", example_tasks.work_when_told)]
    tasks += [make(place, f"other{i}", example_tasks.work) for i in range(4)]
    run_tasks(tasks, place, place / "locks", engine, poll=0.05)
