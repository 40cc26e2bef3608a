"""The real page in a process of its own, with small untrained checkpoints, and a real Chromium."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import soundfile

SPACE = Path(__file__).parents[2] / "spaces_demo"
QUOTA = 300_000_000
N_FRAMES = 128  # 3 s: the page takes whatever its checkpoint has
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
REPORT = {
    "quality": {
        "quality_score": 61.25,
        "quality_score_interval": [58.0, 64.0],
        "tier": "good",
        "skill": -0.4,
        "ladder": {"real": 97.5, "joint-gaussian": 96.5, "white": 20.0, "white (unclamped)": 10.0},
        "n_predictions": 12,
        "n_references": 34,
        "embedder": "modulation-v1",
        "notes": {},
    },
    # what Gradio obeys, and what JSON for a browser cannot hold
    "__type__": "update",
    "visible": False,
    "attachment": {"path": __file__, "meta": {"_type": "gradio.FileData"}},
    "large": 10**40,
    "unfinished": "\ud800",
}

sys.path.insert(0, str(SPACE))  # as for `python spaces_demo/app.py`: the page's modules lie beside it


@pytest.fixture(scope="session")
def checkpoints(tmp_path_factory) -> dict[str, Path]:
    """A generator with a report, and a recogniser."""
    import torch

    from musemo_hf import (
        MusemoFeatureExtractor,
        MusemoGanConfig,
        MusemoGanGenerator,
        MusemoViTConfig,
        MusemoViTForEmotionRegression,
    )

    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("checkpoints")
    config = MusemoGanConfig(n_frames=N_FRAMES, generator_channels=64, attention_stage=-1)
    MusemoGanGenerator(config).save_pretrained(folder / "generator")
    small = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    recogniser = MusemoViTForEmotionRegression(MusemoViTConfig(n_frames=N_FRAMES, patch_size=(16, 16), **small))
    recogniser.save_pretrained(folder / "recogniser")
    for name in ("generator", "recogniser"):
        MusemoFeatureExtractor(n_frames=N_FRAMES).save_pretrained(folder / name)
    (folder / "generator" / "report.json").write_text(json.dumps(REPORT), encoding="utf-8")
    return {name: folder / name for name in ("generator", "recogniser")}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@dataclass(frozen=True)
class Server:
    """The running page: its address, its process and its folder of temporary files."""

    url: str
    pid: int
    files: Path

    def peak_memory(self) -> int:
        """The largest resident memory so far in bytes."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return 1024 * int(re.search(r"VmHWM:\s+(\d+) kB", status)[1])


@pytest.fixture(scope="session")
def url(server) -> str:
    """Where the page is served."""
    return server.url


@pytest.fixture(scope="session")
def call(url):
    """`call(endpoint, data)` -> (event, answer), without the client, which checks arguments itself."""

    def post(endpoint: str, data: object) -> tuple[str, object]:
        body = json.dumps({"data": data}).encode()
        address = f"{url}gradio_api/call/{endpoint}"
        request = urllib.request.Request(address, body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request) as answer:
            event = json.load(answer)["event_id"]
        with urllib.request.urlopen(f"{address}/{event}") as events:
            name, answer = re.findall(r"event: (\w+)\ndata: (.*)", events.read().decode())[-1]
        return name, json.loads(answer)

    return post


@pytest.fixture(scope="session")
def server(checkpoints, tmp_path_factory):
    """The page in a process of its own, with room for 300 MB of files."""
    port = _free_port()
    log = tmp_path_factory.mktemp("space") / "log.txt"
    environment = {
        **os.environ,
        "MUSEMO_GENERATOR": str(checkpoints["generator"]),
        "MUSEMO_RECOGNISER": str(checkpoints["recogniser"]),
        "GRADIO_SERVER_PORT": str(port),
        "GRADIO_TEMP_DIR": str(log.parent / "files"),
        "MUSEMO_SPACE_QUOTA": str(QUOTA),
        "OMP_NUM_THREADS": "1",
    }
    environment.pop("GRADIO_ANALYTICS_ENABLED", None)  # the page itself asks nobody outside
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, str(SPACE / "app.py")], env=environment, stdout=output, stderr=subprocess.STDOUT
        )
    try:
        address = f"http://127.0.0.1:{port}/"
        _wait(address, process, log)
        yield Server(address, process.pid, log.parent / "files")
    finally:
        process.terminate()
        process.wait(30)


def _wait(address: str, process: subprocess.Popen, log: Path) -> None:
    for _ in range(600):
        if process.poll() is not None:
            pytest.fail(f"the page ended by itself:\n{log.read_text()}")
        try:
            with urllib.request.urlopen(address + "config", timeout=5):
                return
        except OSError:
            time.sleep(0.2)
    pytest.fail(f"the page does not answer:\n{log.read_text()}")


@pytest.fixture(scope="session")
def browser():
    """Debian's chromium; a machine without it fails."""
    from playwright.sync_api import sync_playwright

    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        pytest.fail("expected Chromium on this machine, found none: apt-get install chromium")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def song(tmp_path_factory) -> Path:
    """12 s of chords as an mp3."""
    rate, seconds = 22050, 12
    time_axis = np.arange(rate * seconds) / rate
    chords = [(220, 277, 330), (196, 247, 294), (262, 330, 392), (175, 220, 262)]
    samples = np.concatenate(
        [
            sum(np.sin(2 * np.pi * hertz * part) for hertz in chord) * np.exp(-(part % 0.5) * 3)
            for chord, part in zip(chords, np.split(time_axis, len(chords)), strict=True)
        ]
    )
    path = tmp_path_factory.mktemp("songs") / "chords & more.mp3"
    soundfile.write(path, 0.2 * samples, rate, format="MP3")
    return path
