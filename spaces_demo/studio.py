"""The models of the page, loaded once in the background and run on the available device."""

import os
import random
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import gradio as gr
import numpy as np
from gpu import on_gpu
from markup import signed
from playback import Sound

if TYPE_CHECKING:
    from musemo_hf.pipelines.emotion_path import EmotionPath

MAX_SAMPLES = 4
MAX_SEED = 2**31 - 1 - MAX_SAMPLES  # sample i has the seed `seed + i`
WINDOWS_AT_ONCE = 8


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
    from musemo_hf import MusemoPipeline

    vocoder = os.environ.get("MUSEMO_VOCODER")
    options = {"vocoder": vocoder} if vocoder else {}
    pipeline = MusemoPipeline.from_pretrained(checkpoint("generator"), **options)
    pipeline.set_progress_bar_config(disable=True)
    pipeline(0.0, 0.0, seed=0, n_iter=1)  # the first song of a process is slow
    return pipeline


def _load_recogniser() -> Recogniser:
    from musemo_hf import MusemoFeatureExtractor, MusemoViTForEmotionRegression

    path = checkpoint("recogniser")
    model = MusemoViTForEmotionRegression.from_pretrained(path).eval()
    return Recogniser(model, MusemoFeatureExtractor.from_pretrained(path))


class Studio:
    """Loads the models in a background thread, one after the other."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="load")
        self._models: dict[str, Future] = {}

    def start(self) -> None:
        """Start loading; calling it again changes nothing."""
        for name, load in (("generator", _load_pipeline), ("recogniser", _load_recogniser)):
            if name not in self._models:
                self._models[name] = self._thread.submit(load)

    def get(self, name: str) -> Any:
        """Wait for the pipeline ("generator") or the `Recogniser` ("recogniser"), and return it.

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


STUDIO = Studio()  # one for each process; ZeroGPU forks functions from it, with its models


def _device() -> str:
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def make_sounds(valence: float, arousal: float, seed: int | None, num_samples: int) -> Iterator[tuple[Sound, int]]:
    """Yield songs one by one with their seeds, so that the first plays while the others are made.

    Args:
        valence: The valence in [-1, 1].
        arousal: The arousal in [-1, 1].
        seed: The seed of the first song, which increases by 1 for each further song; None for a random one.
        num_samples: The number of songs, 1 to 4.

    Raises:
        gradio.Error: A value is out of its range, or the generator could not be loaded.
    """
    for name, value in (("valence", valence), ("arousal", arousal)):
        if not _is_number(value) or not -1 <= value <= 1:
            raise gr.Error(f"Expected {name} between -1 and 1, got {value}.")
    if not _is_number(num_samples) or not 1 <= num_samples <= MAX_SAMPLES or num_samples != int(num_samples):
        raise gr.Error(f"Expected 1 to {MAX_SAMPLES} samples, got {num_samples}.")
    first = random.randrange(MAX_SEED) if seed is None else seed
    if not _is_number(first) or not 0 <= first <= MAX_SEED or first != int(first):
        raise gr.Error(f"Expected a whole number between 0 and {MAX_SEED} as seed, got {first}.")
    STUDIO.get("generator")  # before a GPU is asked for
    for number in range(int(first), int(first) + int(num_samples)):
        yield _generate(float(valence), float(arousal), number), number


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


@on_gpu(seconds=30)
def _generate(valence: float, arousal: float, seed: int) -> Sound:
    pipeline = STUDIO.get("generator").to(_device())
    song = pipeline(valence, arousal, seed=seed).songs[0]
    return Sound(
        title=f"valence {signed(valence)}, arousal {signed(arousal)}",
        note=f"seed {seed}",
        audio=song.audio,
        sampling_rate=song.sampling_rate,
        spectrogram=song.spectrogram,
        hop_length=song.hop_length,
        file_name=f"musemo_valence{valence:+.2f}_arousal{arousal:+.2f}_seed{seed}.wav",
    )


@on_gpu(seconds=60)
def predict_path(samples: np.ndarray) -> "EmotionPath":
    """Predict valence and arousal over a song, given as samples `(samples,)` at the recogniser's rate."""
    from musemo_hf.pipelines.emotion_path import emotion_path

    recogniser = STUDIO.get("recogniser")
    model, extractor = recogniser.model.to(_device()), recogniser.extractor
    return emotion_path(model, extractor, samples, extractor.sampling_rate, batch_size=WINDOWS_AT_ONCE)


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
