"""What is installed from a wheel has the commands, serves the Space and pushes it, without the repository."""

import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

import musemo_hf

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The folder that pip installs a wheel of this repository in, with the command in `bin`."""
    folder = tmp_path_factory.mktemp("wheel")
    ignored = shutil.ignore_patterns("__pycache__")
    for name in ("musemo_hf", "spaces_demo", "hub_cards", "training/configs"):
        shutil.copytree(ROOT / name, folder / "source" / name, symlinks=True, ignore=ignored)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder / "source" / name)
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir"]
    subprocess.run([*command, str(folder), str(folder / "source")], check=True)
    (wheel,) = folder.glob("*.whl")
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--no-compile"]
    subprocess.run([*install, "--target", str(folder / "site"), str(wheel)], check=True)
    shutil.rmtree(folder / "source")
    return folder / "site"


def test_the_commands_work_from_a_wheel(new_client, installed):
    client = new_client()

    def musemo(*arguments):
        done = client.start([str(installed / "bin" / "musemo"), *arguments], PYTHONPATH=str(installed))
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert musemo("--version") == f"musemo-hf {musemo_hf.__version__}\n"
    musemo("generate", "--preset", "happy", "--checkpoint", "generator", "--seed", "0", "--output", "happy.wav")
    assert "happy.wav" in musemo("predict", "happy.wav").splitlines()[1]
    packaged = {path.name for path in (installed / "musemo_hf" / "training_configs").rglob("*.yaml")}
    assert packaged == {path.name for path in (ROOT / "training" / "configs").rglob("*.yaml")}


def test_the_space_is_pushed_from_a_wheel(hub, new_client, installed):
    client = new_client()
    found = client.run("import musemo_hf\nresult = musemo_hf.__file__", PYTHONPATH=str(installed))
    assert Path(found).is_relative_to(installed)
    done = client.start(["-m", "musemo_hf.cli", "push", "space", "ana/space"], PYTHONPATH=str(installed))
    assert done.returncode == 0, done.stderr
    files = set(hub.files("spaces", "ana/space"))
    pages = {path.relative_to(ROOT / "spaces_demo").as_posix() for path in (ROOT / "spaces_demo").rglob("*.*")}
    assert {path for path in pages if "__pycache__" not in path} <= files
    assert {"musemo_hf/__init__.py", "musemo_hf/hub_cards/space.md.jinja2"} <= files
    assert not [path for path in files if path.startswith("musemo_hf/spaces_demo")], "once, at the root"


def test_the_space_is_served_from_a_wheel(new_client, installed):
    client = new_client()
    environment = client.environment(PYTHONPATH=str(installed), HF_HUB_OFFLINE="1", GRADIO_ANALYTICS_ENABLED="False")
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    command = [sys.executable, "-m", "musemo_hf.cli", "demo", "--port", str(port), "--generator", "generator"]
    with open(client.home / "log", "w+") as log:
        page = subprocess.Popen(command, cwd=client.home, env=environment, stdout=log, stderr=log)
        try:
            content = ""
            while page.poll() is None and "Musemo" not in content:
                time.sleep(0.5)
                try:
                    content = urllib.request.urlopen(f"http://127.0.0.1:{port}", timeout=60).read().decode()
                except OSError:  # it does not listen yet
                    continue
            log.seek(0)
            assert "Musemo" in content, log.read()
        finally:
            page.kill()
            page.wait()
