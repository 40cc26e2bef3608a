"""Make the pictures of the README: the Space as it is used, and the spectrogram of each preset.

    python docs/make_pictures.py

The first, space.webp, is filmed in chromium (`playwright` drives the one of the system) on the real Space with the
packaged checkpoints: three presets are chosen, and the last sound is dropped on the page that recognises emotion. The
second, presets.png, shows one song of the packaged flow for each preset, seed 0.
"""

import argparse
import base64
import io
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

DOCS = Path(__file__).resolve().parent
SIZE = {"width": 1280, "height": 800}  # pixels of the page
MARGIN = 24  # pixels of the page that are shown on either side of its content
WIDTH = 860  # pixels of the picture
FIRST_PAUSE, PAUSE, LAST_PAUSE = 900, 160, 2500  # ms that a picture stays
PATIENCE = 600_000  # ms; a bound against hanging
MAX_BYTES = 1_500_000


def main() -> None:
    """Make the pictures that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=("space", "presets"), help="Make only this picture.")
    parser.add_argument("--output-dir", type=Path, default=DOCS, help="The folder of the pictures (default: docs).")
    arguments = parser.parse_args()
    arguments.output_dir.mkdir(parents=True, exist_ok=True)
    if arguments.only != "space":
        draw_presets(arguments.output_dir / "presets.png")
    if arguments.only != "presets":
        film_space(arguments.output_dir / "space.webp")


def draw_presets(path: Path) -> None:
    """Draw one spectrogram of the packaged flow for each preset, in one row."""
    from matplotlib.figure import Figure

    from musemo_hf import MusemoPipeline, embedded_checkpoint
    from musemo_hf.pipelines.emotion_to_music import PRESETS

    pipeline = MusemoPipeline.from_pretrained(embedded_checkpoint("flow"))
    songs = pipeline(*zip(*PRESETS.values(), strict=True), seed=[0] * len(PRESETS)).songs
    figure = Figure(figsize=(13, 2.6), layout="constrained")
    all_axes = figure.subplots(1, len(songs), sharey=True)
    for axes, song, name in zip(all_axes, songs, PRESETS, strict=True):
        song.plot(axes)
        axes.set_title(f"{name}\n({song.valence:+.1f}, {song.arousal:+.1f})", fontsize=11)
        axes.set_xticks([0, 5, 10] if axes is all_axes[0] else [5, 10])
        axes.label_outer()
    figure.savefig(path, dpi=90)
    print(f"{path}: {path.stat().st_size / 1e3:.0f} kB")


def film_space(path: Path) -> None:
    """Serve the Space, film a visit, and write the pictures as one moving picture.

    Raises:
        RuntimeError: There is no chromium, or the film is larger than 1.5 MB.
    """
    from playwright.sync_api import sync_playwright

    executable = shutil.which("chromium") or shutil.which("chromium-browser")
    if executable is None:
        raise RuntimeError("expected chromium on this machine, found none")
    with serve_space() as address, sync_playwright() as playwright:
        flags = ["--no-sandbox", "--disable-gpu", "--autoplay-policy=no-user-gesture-required", "--mute-audio"]
        chromium = playwright.chromium.launch(executable_path=executable, args=flags)
        page = chromium.new_page(viewport=SIZE, color_scheme="light")
        page.set_default_timeout(PATIENCE)
        page.goto(address)
        page.wait_for_selector('[role="application"] .point')
        page.get_by_role("button", name="neutral").click()  # the models are loaded at the first click: before the film
        page.wait_for_selector("#songs audio")
        page.reload()
        page.wait_for_selector('[role="application"] .point')
        page.wait_for_timeout(2000)
        pictures = list(visit(page))
        chromium.close()
    save_film(pictures, path)


@contextmanager
def serve_space() -> Iterator[str]:
    """Serve the Space in a process of its own, and yield its address."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    environment = os.environ | {"GRADIO_SERVER_PORT": str(port), "HF_HUB_OFFLINE": "1"}
    process = subprocess.Popen([sys.executable, str(DOCS.parent / "spaces_demo" / "app.py")], env=environment)
    address = f"http://127.0.0.1:{port}/"
    try:
        while True:
            if process.poll() is not None:
                raise RuntimeError("expected the Space to serve, but its process ended")
            try:
                urllib.request.urlopen(address + "config", timeout=5).close()
                break
            except OSError:
                time.sleep(0.5)
        yield address
    finally:
        process.terminate()
        process.wait()


def visit(page: Any) -> Iterator[tuple[bytes, int]]:
    """Choose three presets, let each sound play, then have the last one recognised; yield (PNG, milliseconds)."""
    content = page.locator("#head").bounding_box()
    frame = {"x": content["x"] - MARGIN, "y": 0, "width": content["width"] + 2 * MARGIN, "height": SIZE["height"]}
    yield page.screenshot(clip=frame), FIRST_PAUSE
    take = None
    for preset in ("happy & energetic", "angry & tense", "sad & calm"):
        page.get_by_role("button", name=preset).click()
        page.wait_for_function(
            "take => { const a = document.querySelector('#songs audio'); return a && a.dataset.take !== take }",
            arg=take,
        )
        take = page.locator("#songs audio").get_attribute("data-take")
        page.evaluate("document.querySelector('#songs audio').pause()")
        page.mouse.move(5, 5)
        for second in range(0, 10, 2):
            page.evaluate(
                "second => new Promise(done => { const a = document.querySelector('#songs audio');"
                " a.addEventListener('seeked', done, {once: true}); a.currentTime = second + 0.01; })",
                second,
            )
            yield page.screenshot(clip=frame), FIRST_PAUSE if second == 0 else PAUSE
    with tempfile.TemporaryDirectory() as folder:
        song = Path(folder) / "sad and calm.wav"
        encoded = page.locator("#songs audio").get_attribute("src").split("base64,")[1]
        song.write_bytes(base64.b64decode(encoded))
        page.get_by_role("tab", name="Listen").click()
        page.wait_for_timeout(500)
        yield page.screenshot(clip=frame), FIRST_PAUSE
        page.set_input_files("#song input[type=file]", song)
        page.wait_for_function("document.querySelectorAll('#rebuilt audio').length === 2")
        page.evaluate("document.querySelectorAll('#rebuilt audio').forEach(a => a.pause())")
        page.mouse.move(5, 5)
        page.wait_for_timeout(500)
        yield page.screenshot(clip=frame), LAST_PAUSE


def save_film(pictures: list[tuple[bytes, int]], path: Path) -> None:
    """Write pictures (PNG, milliseconds) as an animated WebP without end."""
    from PIL import Image

    shots = [Image.open(io.BytesIO(content)).convert("RGB") for content, _ in pictures]
    shots = [shot.resize((WIDTH, round(WIDTH * shot.height / shot.width))) for shot in shots]
    pauses = [pause for _, pause in pictures]
    shots[0].save(path, save_all=True, append_images=shots[1:], duration=pauses, loop=0, quality=82, method=6)
    size = path.stat().st_size
    print(f"{path}: {len(shots)} pictures, {size / 1e3:.0f} kB")
    if size > MAX_BYTES:
        raise RuntimeError(f"expected a film of at most {MAX_BYTES / 1e6:.1f} MB, got {size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
