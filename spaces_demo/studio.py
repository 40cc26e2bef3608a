"""The models of the page, loaded once in the background and run on the available device."""

import os
import random
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import gradio as gr
import numpy as np
from gpu import IS_ZERO_GPU, on_gpu
from markup import signed
from playback import Sound
from presets import PRESETS

if TYPE_CHECKING:
    from musemo_hf.pipelines.emotion_path import EmotionPath
    from musemo_hf.pipelines.song import Song

MAX_SAMPLES = 4
MAX_SEED = 2**31 - 1 - MAX_SAMPLES  # sample i has the seed `seed + i`
WINDOWS_AT_ONCE = 8
WALK_STEPS = 4  # emotions on the way
WALK_SECONDS = 24.0  # of one song, which stays 6 s at each emotion
EXAMPLES = tuple(PRESETS)[:3]  # a colour goes by the place of its button, as on the other tab


def checkpoint(name: str) -> str:
    """Return the checkpoint that MUSEMO_GENERATOR or MUSEMO_RECOGNISER names, or else the packaged one.

    Args:
        name: "generator" or "recogniser". The variable holds what the commands take as `--checkpoint`: a folder, a
            repository or the name of a packaged checkpoint.

    Raises:
        ValueError: The variable names none of these.
    """
    from musemo_hf.commands.checkpoints import find_checkpoint

    return find_checkpoint(os.environ.get(f"MUSEMO_{name.upper()}") or None, name)


@dataclass(frozen=True)
class Recogniser:
    """A recogniser and its feature extractor."""

    model: Any
    extractor: Any


def _load_pipeline() -> Any:
    import torch

    from musemo_hf import MusemoPipeline

    vocoder = os.environ.get("MUSEMO_VOCODER")
    options = {"vocoder": vocoder} if vocoder else {}
    pipeline = MusemoPipeline.from_pretrained(checkpoint("generator"), **options)
    pipeline.set_progress_bar_config(disable=True)
    if hasattr(pipeline.generator.config, "num_inference_steps") and _device() == "cpu" and _multiplies_bfloat16():
        # a clip in three quarters of the time; diffusers' own `to` warns, though statistics stay in float32
        torch.nn.Module.to(pipeline.generator, torch.bfloat16)
    pipeline(0.0, 0.0, seed=0, n_iter=1)  # the first song of a process is slow
    return pipeline if IS_ZERO_GPU else pipeline.to(_device())


def _load_recogniser() -> Recogniser:
    from musemo_hf.commands.checkpoints import load_predictor

    return Recogniser(*load_predictor(os.environ.get("MUSEMO_RECOGNISER") or None))


class Studio:
    """Loads the models in a background thread, one after the other."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="load")
        self._models: dict[str, Future] = {}

    def start(self) -> None:
        """Start loading; calling it again changes nothing."""
        parts = {"generator": _load_pipeline, "recogniser": _load_recogniser, "examples": self._make_examples}
        for name, load in parts.items():
            if name not in self._models:
                self._models[name] = self._thread.submit(load)

    def get(self, name: str) -> Any:
        """Wait for the pipeline ("generator"), the `Recogniser` ("recogniser") or songs ("examples"), and return it.

        Raises:
            gradio.Error: It could not be loaded.
        """
        self.start()
        if not self._models[name].done():
            gr.Info("The models are still loading: a few seconds more, on the first visit only.")
        try:
            return self._models[name].result()
        except Exception as error:  # the page reports any error and stays up
            raise gr.Error(f"The {name} could not be loaded: {error}", duration=None) from error

    def _make_examples(self) -> "dict[str, Song]":
        """Make songs that a visitor without a song can have recognised; they are ours to give away."""
        pipeline = self._models["generator"].result()
        return {name: pipeline(*PRESETS[name], seed=0).songs[0] for name in EXAMPLES}


STUDIO = Studio()  # one for each process; ZeroGPU forks functions from it, with its models


def _device() -> str:
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def _multiplies_bfloat16() -> bool:
    """Return whether the processor has instructions for bfloat16, which torch 2.6 does not tell yet."""
    import torch

    found = getattr(torch.cpu, "get_capabilities", dict)()
    return bool(found.get("avx512_bf16") or found.get("amx_bf16"))


def check_settings(valence: float, arousal: float, seed: int | None, num_samples: int) -> None:
    """Check what is asked of the generator.

    Raises:
        gradio.Error: Valence or arousal are outside [-1, 1], there are not 1 to 4 samples, or the seed is not None or
            a whole number from 0 to `MAX_SEED`.
    """
    for name, value in (("valence", valence), ("arousal", arousal)):
        if not _is_number(value) or not -1 <= value <= 1:
            raise gr.Error(f"Expected {name} between -1 and 1, got {value}.")
    if not _is_number(num_samples) or not 1 <= num_samples <= MAX_SAMPLES or num_samples != int(num_samples):
        raise gr.Error(f"Expected 1 to {MAX_SAMPLES} samples, got {num_samples}.")
    if seed is not None and (not _is_number(seed) or not 0 <= seed <= MAX_SEED or seed != int(seed)):
        raise gr.Error(f"Expected a whole number between 0 and {MAX_SEED} as seed, got {seed}.")


def make_sounds(
    valence: float,
    arousal: float,
    seed: int | None,
    num_samples: int,
    conditions: dict[str, float] | None = None,
    genre: str | None = None,
) -> Iterator[tuple[Sound, int]]:
    """Yield songs one by one with their seeds, so that the first plays while the others are made.

    Args:
        valence: The valence in [-1, 1].
        arousal: The arousal in [-1, 1].
        seed: The seed of the first song, which increases by 1 for each further song; None for a random one.
        num_samples: The number of songs, 1 to 4.
        conditions: Further wishes by name, see `MusemoPipeline`.
        genre: The genre; None for any.

    Raises:
        gradio.Error: A value is out of its range, or the generator could not be loaded.
    """
    check_settings(valence, arousal, seed, num_samples)
    first = random.randrange(MAX_SEED) if seed is None else int(seed)
    STUDIO.get("generator")  # before a GPU is asked for
    for number in range(first, first + int(num_samples)):
        yield _generate(float(valence), float(arousal), number, conditions or {}, genre), number


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


@on_gpu(seconds=30)
def _generate(valence: float, arousal: float, seed: int, conditions: dict[str, float], genre: str | None) -> Sound:
    return to_sound(_pipeline()(valence, arousal, seed=seed, conditions=conditions, genre=genre).songs[0])


@on_gpu(seconds=120)
def walk(start: tuple[float, float], end: tuple[float, float], seed: int) -> list[Sound]:
    """Make music on the way from one emotion to another: one song, if the generator can, or else several.

    Args:
        start: The (valence, arousal) at which it starts.
        end: The (valence, arousal) at which it ends.
        seed: The seed of all songs.
    """
    pipeline = _pipeline()
    if not hasattr(pipeline.generator, "extend"):
        return [to_sound(song) for song in pipeline.walk(start, end, steps=WALK_STEPS, seed=seed).songs]
    valence, arousal = np.linspace(start, end, WALK_STEPS).T.tolist()
    song = pipeline.journey(valence, arousal, seconds=WALK_SECONDS, seed=seed).songs[0]
    title = f"From ({signed(start[0])}, {signed(start[1])}) to ({signed(end[0])}, {signed(end[1])})"
    return [replace(to_sound(song), title=title, file_name=f"musemo_walk_seed{seed}.wav")]


@on_gpu(seconds=60)
def vary(samples: np.ndarray, valence: float, arousal: float, strength: float, seed: int) -> Sound:
    """Make a variation of a song, given as samples `(samples,)` at the recogniser's rate; see `MusemoPipeline.vary`."""
    rate = STUDIO.get("recogniser").extractor.sampling_rate
    varied = _pipeline().vary(samples, valence, arousal, strength, seed, sampling_rate=rate)
    return to_sound(varied.songs[0])


def _pipeline() -> Any:
    return STUDIO.get("generator").to(_device())


def to_sound(song: "Song") -> Sound:
    """Return what the card of a generated song plays and shows."""
    return Sound(
        title=f"valence {signed(song.valence)}, arousal {signed(song.arousal)}",
        note="" if song.seed is None else f"seed {song.seed}",
        audio=song.audio,
        sampling_rate=song.sampling_rate,
        spectrogram=song.spectrogram,
        hop_length=song.hop_length,
        file_name=f"musemo_valence{song.valence:+.2f}_arousal{song.arousal:+.2f}_seed{song.seed}.wav",
    )


@on_gpu(seconds=60)
def predict_path(samples: np.ndarray, sampling_rate: int) -> "EmotionPath":
    """Predict valence and arousal over a song, given as samples `(samples,)`."""
    from musemo_hf.pipelines.emotion_path import emotion_path

    recogniser = STUDIO.get("recogniser")
    model, extractor = recogniser.model.to(_device()), recogniser.extractor
    return emotion_path(model, extractor, samples, sampling_rate, batch_size=WINDOWS_AT_ONCE)


@on_gpu(seconds=30)
def rebuild(samples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Convert audio to a log-mel and back by Griffin-Lim, which shows how much of a sound a spectrogram keeps.

    Args:
        samples: The samples `(samples,)` at the recogniser's rate.

    Returns:
        The rebuilt samples `(samples,)`, and the spectrogram `(n_mels, n_frames)` in dB.
    """
    from musemo_hf import MusemoFeatureExtractor

    settings = STUDIO.get("recogniser").extractor.settings
    extractor = MusemoFeatureExtractor(
        settings.n_frames(len(samples)), settings.sampling_rate, settings.n_fft, settings.hop_length, settings.n_mels
    )
    spectrogram = extractor(samples, sampling_rate=settings.sampling_rate)["spectrogram"]
    audio = extractor.invert(spectrogram.to(_device()))[0].cpu().numpy()
    return audio, extractor.to_decibels(spectrogram)[0, 0].numpy()
