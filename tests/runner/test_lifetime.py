"""A child does not outlive the process that started it, and a process of a shell goes on."""

import os
import signal
import subprocess
import sys
import time

import psutil

CHILD = """
import os, sys, time
from pathlib import Path
from musemo_hf.runner.lifetime import end_with_launcher
end_with_launcher()
Path(sys.argv[1]).write_text(str(os.getpid()))
time.sleep(600)
"""
# a launcher as accelerate's is: it starts a child and waits for it
LAUNCHER = "import subprocess, sys; subprocess.run([sys.executable, *sys.argv[1:]])"


def started(path):
    deadline = time.monotonic() + 120
    while not (path.is_file() and path.read_text()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return psutil.Process(int(path.read_text()))


def launch(tmp_path, name):
    (tmp_path / f"{name}.py").write_text(LAUNCHER)
    (tmp_path / "child.py").write_text(CHILD)
    command = [sys.executable, str(tmp_path / f"{name}.py"), str(tmp_path / "child.py"), str(tmp_path / name)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    return subprocess.Popen(command, env=environment)


def test_the_child_of_a_killed_launcher_ends_and_that_of_a_shell_goes_on(tmp_path):
    parents = {name: launch(tmp_path, name) for name in ("accelerate", "shell")}
    children = {name: started(tmp_path / name) for name in parents}
    try:
        for parent in parents.values():
            parent.send_signal(signal.SIGKILL)
            parent.wait(60)
        children["accelerate"].wait(60)  # raises an error if it goes on
        assert children["shell"].is_running()
    finally:
        for child in children.values():
            if child.is_running():
                child.kill()


MAPPING = """
import os, sys, time
from pathlib import Path
from musemo_hf.runner.mapping import map_tasks
if __name__ == "__main__":
    sys.path.insert(0, sys.argv[2])
    import tell
    list(map_tasks(tell.tell, [sys.argv[1]] * 2, 2))
"""
TELL = """
import os, time
from pathlib import Path
def tell(path):
    Path(path, str(os.getpid())).write_text("here")
    time.sleep(600)
"""


def test_the_processes_of_a_killed_mapping_end(tmp_path):
    (tmp_path / "found").mkdir()
    (tmp_path / "mapping.py").write_text(MAPPING)
    (tmp_path / "tell.py").write_text(TELL)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, [*sys.path, str(tmp_path)]))}
    command = [sys.executable, str(tmp_path / "mapping.py"), str(tmp_path / "found"), str(tmp_path)]
    parent = subprocess.Popen(command, env=environment)
    deadline = time.monotonic() + 120
    while len(list((tmp_path / "found").iterdir())) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    workers = [psutil.Process(int(path.name)) for path in (tmp_path / "found").iterdir()]
    parent.send_signal(signal.SIGKILL)
    parent.wait(60)
    gone, alive = psutil.wait_procs(workers, 60)
    assert (len(gone), alive) == (2, [])
