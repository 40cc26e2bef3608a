"""The second tab: a song of the visitor, recognised, rebuilt and varied."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr
from abilities import Abilities
from edge import CPU, PRIVATE
from listening import FORMATS, LENGTHS, excerpt, load_song, read_song, reading_html, rebuilt_sounds, recognise
from markup import asset
from plane import empty_plane
from playback import LOUDNESS, cards, to_file
from presets import POINTS
from studio import EXAMPLES, MAX_SEED, STUDIO, check_settings, to_sound, vary

DROP = '<div class="empty"><p>Drop a song, and see where it lies.</p></div>'
OWN = "as recognised"
REBUILT = (
    "“Rebuilt” is the song through the mel spectrogram and back by Griffin-Lim, which guesses the phases: the best "
    "that any generator on this page could sound."
)


def show_song(path: str | None) -> Iterator[tuple[str, str, str]]:
    """Yield the plane, the prediction and the sounds of an uploaded song, the sounds last."""
    samples = read_song(path)
    drawn = reading_html(recognise(samples))
    yield *drawn, ""
    yield *drawn, cards(rebuilt_sounds(samples, Path(path or "").name))


def example(name: str) -> str:
    """Return the file of a song that was generated when the page started."""
    return to_file(to_sound(STUDIO.get("examples")[name]))


def vary_song(path: str | None, emotion: str, strength: float, seed: int | None) -> str:
    """Return the card of a variation of the middle of an uploaded song."""
    samples = read_song(path)
    extractor = STUDIO.get("generator").feature_extractor
    part, _ = excerpt(samples, STUDIO.get("recogniser").extractor.sampling_rate, extractor.seconds)
    valence, arousal = recognise(part).mean.tolist() if emotion == OWN else POINTS[emotion]
    check_settings(valence, arousal, seed, 1)
    return cards([vary(part, valence, arousal, strength, int(seed or 0))])


def predict(audio: str | None) -> dict:
    """Answer the API's request for the emotion of a song; `windows` is the former name of `path`."""
    song = load_song(audio)
    answer = recognise(song.samples).to_dict()
    return answer | {"windows": answer["path"], "notes": song.notes}


def invert(audio: str | None) -> str:
    """Answer the API's request for the middle of a song rebuilt from its spectrogram, as a WAV file."""
    return to_file(rebuilt_sounds(read_song(audio), Path(audio or "").name)[1])


def listen_tab(abilities: Abilities) -> None:
    """Build the tab."""
    with gr.Row(equal_height=False):
        with gr.Column(scale=5, min_width=320, elem_classes="stays"):
            audio = gr.Audio(
                sources=["upload"], type="filepath", label="Your song", buttons=[], editable=False, elem_id="song"
            )
            gr.Markdown(f"{FORMATS}, {LENGTHS}. It is deleted after an hour. Or try one of ours:", elem_classes="note")
            with gr.Row(elem_classes="presets", elem_id="examples"):
                examples = {name: gr.Button(name, size="sm", min_width=90) for name in EXAMPLES}
            plane = gr.HTML(empty_plane(), elem_id="reading-plane", apply_default_css=False)
        with gr.Column(scale=6, min_width=320):
            summary = gr.HTML(DROP, elem_id="reading", apply_default_css=False)
            sounds = gr.HTML("", elem_id="rebuilt", js_on_load=asset("player.js"), apply_default_css=False)
            if abilities.can_vary:
                varied = _variation(audio)
            with gr.Accordion("About these sounds", open=False, elem_classes="fold about"):
                gr.Markdown(f"{REBUILT} {LOUDNESS}")
    shown: list[Any] = [plane, summary, sounds]
    nothing = (empty_plane(), DROP, "")
    if abilities.can_vary:
        shown, nothing = [*shown, varied], (*nothing, "")
    show: dict[str, Any] = {"show_progress": "minimal", "show_progress_on": summary, **CPU, **PRIVATE}
    readings = [audio.upload(show_song, audio, shown[:3], **show)]
    for name, button in examples.items():
        chosen = button.click(lambda name=name: example(name), None, audio, **show)
        readings.append(chosen.success(show_song, audio, shown[:3], **show))
    for reading in readings:
        # the prediction for an earlier song must not stay beside one that could not be read
        reading.failure(lambda: (*nothing, None), None, [*shown, audio], **PRIVATE)
    audio.clear(lambda: nothing, None, shown, **PRIVATE)
    gr.on([], predict, audio, gr.JSON(visible=False), api_name="predict", **CPU)
    gr.on([], invert, audio, gr.File(visible=False), api_name="invert", **CPU)


def _variation(audio: gr.Audio) -> gr.HTML:
    """Build what varies the song, and return where the variation is shown."""
    with gr.Group(elem_id="variation"):
        with gr.Row():
            emotion = gr.Dropdown([OWN, *POINTS], value=OWN, label="Emotion of a variation", min_width=140)
            strength = gr.Slider(0, 1, 0.5, step=0.05, label="Strength", min_width=140, buttons=[])
            seed = gr.Number(0, minimum=0, maximum=MAX_SEED, precision=0, label="Seed of the variation", min_width=90)
        button = gr.Button("Vary this song", elem_id="vary", min_width=120)
    varied = gr.HTML("", elem_id="varied", js_on_load=asset("player.js"), apply_default_css=False)
    button.click(vary_song, [audio, emotion, strength, seed], varied, show_progress="minimal", **CPU, **PRIVATE)
    return varied
