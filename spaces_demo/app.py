"""The Space: music from a point of the valence-arousal plane, and the emotion of music as such a point.

    python spaces_demo/app.py

MUSEMO_GENERATOR and MUSEMO_RECOGNISER replace the packaged checkpoints by a folder or a Hub repository. MUSEMO_VOCODER
names a vocoder that plays the songs instead of Griffin-Lim.
"""

import os

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")  # before gradio: the page sends no request elsewhere
import gpu  # noqa: F401, I001  (before torch, see there)
from storage import KEPT_SECONDS, STORAGE, StorageFullError  # before gradio, which asks for its folder of files

import json
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import gradio as gr
from starlette.middleware import Middleware

from edge import Page
from intake import Intake
from listening import FORMATS, LENGTHS, MAX_FILE_SIZE, load_song, read_song, reading_html, rebuilt_sounds, recognise
from markup import ASSETS, asset
from plane import click_plane, empty_plane
from playback import REFERENCE_GAIN, Sound, cards, wav_bytes
from presets import PRESETS
from quality import load_report, quality_html
from studio import MAX_SAMPLES, MAX_SEED, STUDIO, make_sounds

from musemo_hf.audio.loudness import HEADROOM_DB

CPU = {"concurrency_id": "models", "concurrency_limit": 2}  # at most two computations at once; the others queue
PRIVATE = {"api_visibility": "private"}
QUEUE = 64  # further visitors see that the page is busy

WELCOME = '<div class="empty"><p>Click anywhere on the plane.<br>Its music appears here.</p></div>'
DROP = '<div class="empty"><p>Drop a song, and see where it lies.</p></div>'
LOUDNESS = (
    f"All sounds play at one fixed gain, {HEADROOM_DB:g} dB below their true loudness, never scaled to their own peak: "
    "how loud a sound is belongs to its arousal. The gain leaves room for the loudest songs: turn the volume up."
)
HEADER = """<header><h1>Musemo</h1>
<p>Pick an emotion, hear it as music. Drop a song, see its emotion.</p></header>"""


def make(valence: float, arousal: float, seed: int, num_samples: int) -> Iterator[str]:
    """Yield the cards of the page's songs, with one song more each time."""
    take, sounds = str(time.time_ns()), []
    for sound, _ in make_sounds(valence, arousal, seed, num_samples):
        sounds.append(sound)
        yield cards(sounds, take)


def to_file(sound: Sound) -> str:
    """Write a WAV file at the page's gain into the folder of temporary files, which Gradio serves."""
    content = wav_bytes(sound.audio, sound.sampling_rate)
    try:
        with STORAGE.reserve(len(content)):
            STORAGE.folder.mkdir(parents=True, exist_ok=True)
            file = Path(tempfile.mkdtemp(dir=STORAGE.folder)) / sound.file_name
            file.write_bytes(content)
    except StorageFullError as error:
        raise gr.Error(str(error)) from error
    return str(file)


def generate(valence: float, arousal: float, seed: int | None, num_samples: int) -> tuple[list[str], dict]:
    """Answer the API's request for songs with WAV files at the page's gain and their description."""
    files, songs = [], []
    for sound, number in make_sounds(valence, arousal, seed, num_samples):
        files.append(to_file(sound))
        songs.append({"valence": valence, "arousal": arousal, "seed": number, "file_name": sound.file_name})
    return files, {"songs": songs, "gain": REFERENCE_GAIN, "sampling_rate": sound.sampling_rate}


def show_song(path: str | None) -> Iterator[tuple[str, str, str]]:
    """Yield the plane, the prediction and the sounds of an uploaded song, the sounds last."""
    samples = read_song(path)
    drawn = reading_html(recognise(samples))
    yield *drawn, ""
    yield *drawn, cards(rebuilt_sounds(samples, Path(path or "").name))


def predict(audio: str | None) -> dict:
    """Answer the API's request for the emotion of a song; `windows` is the former name of `path`."""
    song = load_song(audio)
    answer = recognise(song.samples).to_dict()
    return answer | {"windows": answer["path"], "notes": song.notes}


def invert(audio: str | None) -> str:
    """Answer the API's request for the middle of a song rebuilt from its spectrogram, as a WAV file."""
    return to_file(rebuilt_sounds(read_song(audio), Path(audio or "").name)[1])


def make_tab() -> None:
    """Build the first tab, a plane to click on."""
    first_valence, first_arousal = PRESETS["happy & energetic"]
    with gr.Row(equal_height=False):
        with gr.Column(scale=5, min_width=320, elem_classes="stays"):
            plane = click_plane(first_valence, first_arousal, "plane")
            with gr.Row(elem_classes="presets"):
                buttons = {name: gr.Button(name, size="sm", min_width=100) for name in PRESETS}
        with gr.Column(scale=6, min_width=320):
            songs = gr.HTML(WELCOME, elem_id="songs", js_on_load=asset("player.js"), apply_default_css=False)
            with gr.Group():
                with gr.Row():
                    valence = gr.Slider(-1, 1, first_valence, step=0.01, label="Valence", min_width=140)
                    arousal = gr.Slider(-1, 1, first_arousal, step=0.01, label="Arousal", min_width=140)
                with gr.Row():
                    number = gr.Slider(1, MAX_SAMPLES, 1, step=1, precision=0, label="Samples", min_width=140)
                    seed = gr.Number(0, minimum=0, maximum=MAX_SEED, precision=0, label="Seed", min_width=140)
            with gr.Row():
                again = gr.Button("New seed", elem_id="new-seed", min_width=120)
                go = gr.Button("Make music", variant="primary", elem_id="make-music", min_width=120)
            gr.Markdown(LOUDNESS, elem_classes="note")

    settings = [valence, arousal, seed, number]
    compute = {**CPU, **PRIVATE, "trigger_mode": "always_last", "show_progress": "minimal"}
    plane.input(None, plane, [valence, arousal], js="(p) => [p.valence, p.arousal]", **PRIVATE)
    gr.on(
        [valence.input, arousal.input],
        None,
        [valence, arousal],
        plane,
        js="(valence, arousal) => ({valence, arousal})",
        **PRIVATE,
    )
    gr.on([plane.select, go.click], make, settings, songs, **compute)
    new = again.click(None, None, seed, js=f"() => Math.floor(Math.random() * {MAX_SEED})", **PRIVATE)
    new.then(make, settings, songs, **compute)
    for name, button in buttons.items():
        v, a = PRESETS[name]
        point = f"() => [{v}, {a}, {json.dumps({'valence': v, 'arousal': a})}]"
        chosen = button.click(None, None, [valence, arousal, plane], js=point, **PRIVATE)
        chosen.then(make, settings, songs, **compute)
    outputs = [gr.File(file_count="multiple", visible=False), gr.JSON(visible=False)]
    gr.on([], generate, settings, outputs, api_name="generate", **CPU)


def listen_tab() -> None:
    """Build the second tab, for a song of the visitor."""
    with gr.Row(equal_height=False):
        with gr.Column(scale=5, min_width=320, elem_classes="stays"):
            audio = gr.Audio(
                sources=["upload"], type="filepath", label="Your song", buttons=[], editable=False, elem_id="song"
            )
            gr.Markdown(f"{FORMATS}, {LENGTHS}. It is deleted after an hour.", elem_classes="note")
            plane = gr.HTML(empty_plane(), elem_id="reading-plane", apply_default_css=False)
        with gr.Column(scale=6, min_width=320):
            summary = gr.HTML(DROP, elem_id="reading", apply_default_css=False)
            sounds = gr.HTML("", elem_id="rebuilt", js_on_load=asset("player.js"), apply_default_css=False)
            gr.Markdown(
                "“Rebuilt” is the song through the mel spectrogram and back by Griffin-Lim, which guesses the phases: "
                "the best that any generator on this page could sound. " + LOUDNESS,
                elem_classes="note",
            )
    shown = [plane, summary, sounds]
    shown_song = audio.upload(
        show_song, audio, shown, show_progress="minimal", show_progress_on=summary, **CPU, **PRIVATE
    )
    # the prediction for an earlier song must not stay beside one that could not be read
    shown_song.failure(lambda: (empty_plane(), DROP, "", None), None, [*shown, audio], **PRIVATE)
    audio.clear(lambda: (empty_plane(), DROP, ""), None, shown, **PRIVATE)
    gr.on([], predict, audio, gr.JSON(visible=False), api_name="predict", **CPU)
    gr.on([], invert, audio, gr.File(visible=False), api_name="invert", **CPU)


def build() -> gr.Blocks:
    """Build the page."""
    with Page(title="Musemo: music from emotion", analytics_enabled=False, delete_cache=(600, KEPT_SECONDS)) as page:
        gr.HTML(HEADER, elem_id="head", apply_default_css=False)
        with gr.Tab("Make", id="make"):
            make_tab()
        with gr.Tab("Listen", id="listen"):
            listen_tab()
        with gr.Tab("Quality", id="quality"):
            quality = gr.HTML("", elem_id="quality", apply_default_css=False)
        page.load(lambda: quality_html(load_report()), None, quality, **PRIVATE)
        gr.on([], load_report, None, gr.JSON(visible=False), api_name="report")
    return page.queue(max_size=QUEUE)


def launch(page: gr.Blocks) -> None:
    """Serve the page at once, and load the models in the background."""
    STORAGE.clear()
    system = ["system-ui", "-apple-system", "Segoe UI", "Roboto", "sans-serif"]  # no font is fetched
    page.launch(
        theme=gr.themes.Soft(
            primary_hue="indigo", font=system, font_mono=["ui-monospace", "Menlo", "Consolas", "monospace"]
        ),
        css_paths=ASSETS / "style.css",
        max_file_size=MAX_FILE_SIZE,
        app_kwargs={"middleware": [Middleware(Intake, storage=STORAGE)]},
        ssr_mode=False,
        footer_links=["api"],
        prevent_thread_lock=True,
    )
    STUDIO.start()
    page.block_thread()


if __name__ == "__main__":
    launch(build())
