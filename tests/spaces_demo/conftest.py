"""The real page in a process of its own, with small untrained checkpoints, and a real Chromium."""

import base64
import io
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import soundfile
from playwright.sync_api import Locator, expect

SPACE = Path(__file__).parents[2] / "spaces_demo"
QUOTA = 300_000_000
N_FRAMES = 128  # 3 s: the page takes whatever its checkpoint has
CONDITIONS = ("loudness", "tempo")
DESK = {"viewport": {"width": 1280, "height": 900}}
PHONE = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}
PATIENCE = 120_000  # ms; a bound against hanging, not a claim about speed
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
    """A generator with a report, a U-Net that can change songs, and a recogniser."""
    import torch

    from musemo_hf import (
        MusemoFeatureExtractor,
        MusemoGanConfig,
        MusemoGanGenerator,
        MusemoUNetGenerator,
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
    unet = {"channels": (32, 32), "attention": (False, True), "condition_width": 8, "num_inference_steps": 2}
    generator = MusemoUNetGenerator(n_frames=N_FRAMES, conditions=CONDITIONS, **unet)
    for value in generator.parameters():
        value.data.add_(torch.randn_like(value), alpha=0.03)  # an untrained one ignores what it is asked for
    generator.fit(0.2 * torch.randn(4, 1, 128, N_FRAMES))
    generator.save_pretrained(folder / "unet")
    MusemoFeatureExtractor(n_frames=N_FRAMES).save_pretrained(folder / "unet")
    return {name: folder / name for name in ("generator", "recogniser", "unet")}


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
    with _serve(checkpoints, "generator", tmp_path_factory.mktemp("space")) as running:
        yield running


@pytest.fixture(scope="session")
def unet_url(checkpoints, tmp_path_factory):
    """Where the page of a U-Net is served."""
    with _serve(checkpoints, "unet", tmp_path_factory.mktemp("unet")) as running:
        yield running.url


@contextmanager
def _serve(checkpoints: dict[str, Path], generator: str, folder: Path):
    port, log = _free_port(), folder / "log.txt"
    environment = {
        **os.environ,
        "MUSEMO_GENERATOR": str(checkpoints[generator]),
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
    for _ in range(3000):
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


class Visitor:
    """A page, and what went wrong on it."""

    def __init__(self, browser, url, address="", script="", **screen):
        self.touches = screen.get("has_touch", False)
        self.context = browser.new_context(**screen)
        self.context.add_init_script(script)
        self.page = self.context.new_page()
        self.page.set_default_timeout(PATIENCE)
        self.outside, self.errors = [], []
        self.page.on(
            "request", lambda r: None if r.url.startswith((url, "data:", "blob:")) else self.outside.append(r.url)
        )
        self.page.on("console", lambda m: self.errors.append(m.text) if m.type == "error" else None)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        # the page's own first request: by then every event of it is wired, and a click is not lost
        with self.page.expect_response(lambda response: "/queue/join" in response.url):
            self.page.goto(url + address)
        self.page.wait_for_selector('[role="application"] .point')  # drawn, and listening to clicks

    def click_plane(self, valence: float, arousal: float) -> None:
        self.page.locator("#plane").scroll_into_view_if_needed()
        field = self.page.locator("#plane [data-field]").bounding_box()
        x = field["x"] + field["width"] * (valence + 1) / 2
        y = field["y"] + field["height"] * (1 - arousal) / 2
        (self.page.touchscreen.tap if self.touches else self.page.mouse.click)(x, y)

    def finds(self) -> str:
        """Wait for what the recogniser finds in the sounds."""
        self.page.locator("#plane .found").first.wait_for(state="attached")
        return self.page.locator("#plane [role=status]").inner_text()

    def sounds(self, where: str = "#songs") -> list[tuple[np.ndarray, int]]:
        uris = self.page.eval_on_selector_all(f"{where} audio", "all => all.map(a => a.src)")
        return [soundfile.read(io.BytesIO(base64.b64decode(uri.split(",")[1])), dtype="int16") for uri in uris]

    def plays(self, where: str = "#songs") -> None:
        self.page.wait_for_function(f"document.querySelector('{where} audio')?.currentTime > 0.1", timeout=PATIENCE)

    def slider(self, name: str) -> Locator:
        return self.page.get_by_label(f"number input for {name}")

    def open_settings(self) -> None:
        """Open the settings unless they are, and wait until they keep what is typed into them."""
        if self.slider("Samples").count():
            return
        self.page.get_by_role("button", name="Settings").click()
        self.slider("Samples").wait_for()
        # Gradio writes the first values once more in the next frame, over what was typed before it
        self.page.evaluate("() => new Promise(requestAnimationFrame)")

    def move_slider(self, name: str, value: float) -> None:
        self.open_settings()
        self.slider(name).fill(str(value))
        self.slider(name).press("Tab")

    def chosen(self) -> tuple[float, float]:
        self.open_settings()
        return tuple(float(self.slider(name).input_value()) for name in ("Valence", "Arousal"))

    def take(self) -> str:
        return self.page.locator("#songs audio").first.get_attribute("data-take")

    def new_take_after(self, action) -> None:
        before = self.take()
        action()
        expect(self.page.locator("#songs audio").first).not_to_have_attribute("data-take", before, timeout=PATIENCE)


@pytest.fixture
def visit(browser):
    """`visit(url, address="", script="", **screen)` -> a `Visitor`, who meets no error and asks nobody outside.

    The script runs on the page before its own.
    """
    visitors = []

    def enter(url: str, address: str = "", script: str = "", **screen) -> Visitor:
        visitors.append(Visitor(browser, url, address, script, **screen))
        return visitors[-1]

    yield enter
    for someone in visitors:
        someone.context.close()
        assert someone.outside == []
        assert someone.errors == []


@pytest.fixture(params=[DESK, PHONE], ids=["desk", "phone"])
def visitor(request, visit, url):
    return visit(url, **request.param)


@pytest.fixture
def at_desk(visit, url):
    return visit(url, **DESK)


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
