"""The first tab: a plane to click on, whose points sound."""

import json
import time
from collections.abc import Iterator, Sequence
from typing import Any

import gradio as gr
import numpy as np
from abilities import Abilities
from edge import CPU, PRIVATE
from link import copy_link_js, read_link
from markup import asset
from plane import click_plane, found_on_plane, place
from playback import LOUDNESS, REFERENCE_GAIN, Sound, cards, to_file
from presets import POINTS, PRESETS, TYPICAL_PRESETS
from studio import MAX_SAMPLES, MAX_SEED, check_settings, make_sounds, predict_path, walk

from musemo_hf.pipelines.steering.condition_ranges import RANGES, range_of

WELCOME = '<div class="empty"><p>Click anywhere on the plane.<br>Its music appears here.</p></div>'
RECOGNISED = (
    "The diamond is what the recogniser of “Listen” finds in the sound, with the half width of its 95 % interval. "
    "The plane is pale where few songs are that a generator could learn from."
)
TYPICAL = (
    "Few songs are near the points above, so that a generator has hardly learnt what to make there. These lie amid the "
    "real songs that go farthest in each direction, which is less far."
)
START = (0.0, 0.0)  # of a walk, where no other was chosen
GENRE = "genre"
Point = tuple[float, float]


def recognised(sounds: list[tuple[Sound, Point, Point]]) -> gr.HTML:
    """Return the plane with what the recogniser finds in sounds.

    Args:
        sounds: Each sound with the (valence, arousal) that was requested at its beginning and at its end.
    """
    pairs, half = [], None
    for sound, start, end in sounds:
        path = predict_path(sound.audio, sound.sampling_rate)
        if start == end:
            pairs.append((start, path.mean))
        else:  # one song that goes on a walk: its windows
            shares = path.middles / path.duration
            on_the_way = [tuple(np.array(start) + share * np.subtract(end, start)) for share in shares]
            pairs += list(zip(on_the_way, path.emotion, strict=True))
        half = None if path.deviation is None else 1.96 * path.deviation.mean(axis=0)
    return gr.HTML(found=found_on_plane(pairs, half))


class MakeTab:
    """The components of the tab and what they do.

    Args:
        abilities: What the generator can do.
    """

    def __init__(self, abilities: Abilities) -> None:
        self.abilities = abilities
        self.conditions: dict[str, gr.Slider] = {}
        self.wishes = (*abilities.conditions, *((GENRE,) if abilities.genres else ()))

    def make(
        self,
        valence: float,
        arousal: float,
        seed: int | None,
        num_samples: int,
        asked: Sequence[str] = (),
        *values: Any,
    ) -> Iterator[tuple[Any, Any]]:
        """Yield the cards of the page's songs, with one song more each time, and then the plane.

        What is recognised comes last, so that no sound waits for it. `asked` are the names of the conditions that are
        given, and `values` those of all of them, followed by the genre where the generator has genres.
        """
        given = dict(zip(self.wishes, values, strict=True))
        genre = given.get(GENRE)
        wishes = {name: given[name] for name in self.abilities.conditions if name in asked}
        self.abilities.check_conditions(wishes)
        take, sounds = str(time.time_ns()), []
        for sound, _ in make_sounds(valence, arousal, seed, num_samples, wishes, genre):
            sounds.append(sound)
            yield cards(sounds, take), gr.skip()
        point = (valence, arousal)
        yield gr.skip(), recognised([(sound, point, point) for sound in sounds])

    def generate(
        self,
        valence: float,
        arousal: float,
        seed: int | None,
        num_samples: int,
        loudness: float | None = None,
        brightness: float | None = None,
        tempo: float | None = None,
        genre: str | None = None,
    ) -> tuple[list[str], dict]:
        """Answer the API's request for songs with WAV files at the page's gain and their description."""
        named = {"loudness": loudness, "brightness": brightness, "tempo": tempo}
        conditions = {name: value for name, value in named.items() if value is not None}
        self.abilities.check_conditions(conditions)
        genre = self.abilities.find_genre(genre or None)  # an empty text field is no genre
        files, songs = [], []
        for sound, number in make_sounds(valence, arousal, seed, num_samples, conditions, genre):
            files.append(to_file(sound))
            about = {"valence": valence, "arousal": arousal, "seed": number, "conditions": conditions, "genre": genre}
            songs.append({**about, "file_name": sound.file_name})
        return files, {"songs": songs, "gain": REFERENCE_GAIN, "sampling_rate": sound.sampling_rate}

    def take_walk(self, start: Point, valence: float, arousal: float, seed: int | None) -> Iterator[tuple[Any, Any]]:
        """Yield the cards of a walk from `start` to the point, and then the plane."""
        end = (valence, arousal)
        check_settings(valence, arousal, seed, 1)
        if tuple(start) == end:
            raise gr.Error("The walk ends where it starts: choose another point, then press Walk.")
        sounds = walk(tuple(start), end, int(seed or 0))
        yield cards(sounds, str(time.time_ns()), in_turn=True), gr.skip()
        if len(sounds) == 1:
            yield gr.skip(), recognised([(sounds[0], tuple(start), end)])
            return
        points = [tuple(point) for point in np.linspace(start, end, len(sounds))]
        yield gr.skip(), recognised([(sound, point, point) for sound, point in zip(sounds, points, strict=True)])

    def open_link(self, request: gr.Request) -> Iterator[tuple]:
        """Yield the settings and the sounds that the page's address asks for."""
        linked = read_link(dict(request.query_params), self.abilities)
        if linked is None:
            yield (gr.skip(),) * (2 + len(self.inputs))
            return
        if not linked.is_same_generator:
            gr.Warning("This link was made with another generator: its sound is not the one that was shared.")
        settings: list[Any] = [linked.valence, linked.arousal, linked.seed, linked.num_samples]
        if self.wishes:
            wishes = [linked.conditions.get(name, slider.value) for name, slider in self.conditions.items()]
            settings += [list(linked.conditions), *wishes, *([linked.genre] if self.abilities.genres else [])]
        yield gr.skip(), {"valence": linked.valence, "arousal": linked.arousal}, *settings
        for songs, plane in self.make(*settings):
            yield songs, plane, *[gr.skip()] * len(settings)

    def build(self, page: gr.Blocks) -> None:
        """Build the tab."""
        valence, arousal = PRESETS["happy & energetic"]
        with gr.Row(equal_height=False, elem_id="make-row"):
            with gr.Column(scale=5, min_width=320, elem_classes="stays"):
                self.plane = click_plane(valence, arousal, "plane")
                with gr.Row(elem_classes="presets"):
                    self.presets = {name: gr.Button(name, size="sm", min_width=90) for name in PRESETS}
                with gr.Accordion("Points where songs are", open=False, elem_classes="fold", elem_id="typical"):
                    gr.Markdown(TYPICAL)
                    with gr.Row(elem_classes="presets"):
                        self.presets |= {name: gr.Button(name, size="sm", min_width=90) for name in TYPICAL_PRESETS}
                with gr.Row(elem_classes="actions"):
                    self.go = gr.Button("Make music", variant="primary", elem_id="make-music", size="md", min_width=90)
                    self.again = gr.Button("New seed", elem_id="new-seed", size="md", min_width=80)
                    self.copy = gr.Button("Copy link", elem_id="copy-link", size="md", min_width=80)
                self._build_settings(valence, arousal)
                with gr.Accordion("Walk between two points", open=False, elem_classes="fold"):
                    gr.Markdown("Choose a point and press *Start here*. Choose another and press *Walk*.")
                    with gr.Row():
                        self.start_here = gr.Button("Start here", elem_id="start-here", min_width=90)
                        self.walk = gr.Button("Walk", elem_id="walk", min_width=90)
            with gr.Column(scale=6, min_width=320):
                self.songs = gr.HTML(WELCOME, elem_id="songs", js_on_load=asset("player.js"), apply_default_css=False)
                with gr.Accordion("About these sounds", open=False, elem_classes="fold about"):
                    gr.Markdown(f"{LOUDNESS} {RECOGNISED}")
        self.inputs = [self.valence, self.arousal, self.seed, self.number]
        if self.wishes:
            self.inputs += [self.asked, *self.conditions.values(), *([self.genre] if self.abilities.genres else [])]
        self.start = gr.State(START)
        self._wire(page)

    def _build_settings(self, valence: float, arousal: float) -> None:
        with gr.Accordion("Settings", open=False, elem_classes="fold", elem_id="settings"):
            with gr.Row():
                self.valence = gr.Slider(-1, 1, valence, step=0.01, label="Valence", min_width=140, buttons=[])
                self.arousal = gr.Slider(-1, 1, arousal, step=0.01, label="Arousal", min_width=140, buttons=[])
            with gr.Row():
                self.number = gr.Slider(
                    1, MAX_SAMPLES, 1, step=1, precision=0, label="Samples", min_width=140, buttons=[]
                )
                self.seed = gr.Number(0, minimum=0, maximum=MAX_SEED, precision=0, label="Seed", min_width=140)
            if self.wishes:
                named = list(self.abilities.conditions)
                self.asked = gr.CheckboxGroup(named, label="Ask also for", elem_id="asked", visible=bool(named))
                with gr.Row():
                    self.conditions = {name: _condition(name) for name in named}
            if self.abilities.genres:
                choices = [("any", None), *((name, name) for name in self.abilities.genres)]
                self.genre = gr.Dropdown(choices, value=None, label="Genre", elem_id="genre")

    def _wire(self, page: gr.Blocks) -> None:
        point, inputs, outputs = [self.valence, self.arousal], self.inputs, [self.songs, self.plane]
        show = {"show_progress": "minimal", "show_progress_on": self.songs}
        compute = {**CPU, **PRIVATE, **show, "trigger_mode": "always_last"}
        self.plane.input(None, self.plane, point, js="(p) => [p.valence, p.arousal]", **PRIVATE)
        follow = "(valence, arousal) => ({valence, arousal})"
        gr.on([self.valence.input, self.arousal.input], None, point, self.plane, js=follow, **PRIVATE)
        gr.on([self.plane.select, self.go.click], self.make, inputs, outputs, **compute)
        for name, slider in self.conditions.items():  # who moves a slider asks for it
            ask = f"(asked) => [[...new Set([...(asked ?? []), {json.dumps(name)}])]]"
            slider.input(None, self.asked, self.asked, js=ask, **PRIVATE)
        draw = f"() => Math.floor(Math.random() * {MAX_SEED})"
        self.again.click(None, None, self.seed, js=draw, **PRIVATE).then(self.make, inputs, outputs, **compute)
        for name, button in self.presets.items():
            v, a = POINTS[name]
            js = f"() => [{v}, {a}, {json.dumps({'valence': v, 'arousal': a})}]"
            chosen = button.click(None, None, [*point, self.plane], js=js, **PRIVATE)
            chosen.then(self.make, inputs, outputs, **compute)
        mark = self.start_here.click
        mark(lambda *at: (at, gr.HTML(start=place(*at))), point, [self.start, self.plane], queue=False, **PRIVATE)
        self.walk.click(self.take_walk, [self.start, *point, self.seed], outputs, **compute)
        copied = self.copy.click(None, inputs, self.copy, js=copy_link_js(self.abilities), **PRIVATE)
        later = "() => new Promise((done) => setTimeout(() => done('Copy link'), 2000))"
        copied.then(None, None, self.copy, js=later, **PRIVATE)
        page.load(self.open_link, None, [*outputs, *inputs], show_progress="hidden", **CPU, **PRIVATE)
        described = [gr.File(file_count="multiple", visible=False), gr.JSON(visible=False)]
        wishes = [gr.Number(None, label=name, visible=False) for name in RANGES]
        asked = [*inputs[:4], *wishes, gr.Textbox(None, label=GENRE, visible=False)]
        gr.on([], self.generate, asked, described, api_name="generate", **CPU)


def _condition(name: str) -> gr.Slider:
    low, high, unit = range_of(name)
    label = name.capitalize() + (f" ({unit})" if unit else "")
    step = 1 if high - low > 10 else 0.01
    return gr.Slider(low, high, (low + high) / 2, step=step, label=label, min_width=140, buttons=[])
