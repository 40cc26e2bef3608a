"""The models of the page: loaded once, beside the page, and run on whatever device there is."""

import os
import random
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import gradio as gr
import numpy as np
from gpu import on_gpu
from markup import signed
from playback import Sound

MAX_SAMPLES = 4
MAX_SEED = 2**31 - 1 - MAX_SAMPLES  # sample i has the seed `seed + i`
WINDOWS_AT_ONCE = 8


def checkpoint(name: str) -> str:
    """Folder or repository of "generator" or "recogniser": MUSEMO_GENERATOR, MUSEMO_RECOGNISER, or the embedded one."""
    from musemo_hf import embedded_checkpoint

    packaged = "flow" if name == "generator" else name  # of the packaged generators the better one
    return os.environ.get(f"MUSEMO_{name.upper()}") or embedded_checkpoint(packaged)


@dataclass(frozen=True)
class Recogniser:
    """A model that reads emotions, and the extractor of its clips."""

    model: Any
    extractor: Any

    @property
    def seconds(self) -> float:
        """Length of a clip."""
        settings = self.extractor.settings
        return settings.n_samples(self.extractor.n_frames) / settings.sampling_rate


def _load_pipeline() -> Any:
    from musemo_hf import MusemoPipeline

    pipeline = MusemoPipeline.from_pretrained(checkpoint("generator"))
    pipeline.set_progress_bar_config(disable=True)
    pipeline(0.0, 0.0, seed=0, n_iter=1)  # the first song of a process takes longer than the others: not a visitor's
    return pipeline


def _load_recogniser() -> Recogniser:
    from musemo_hf import MusemoFeatureExtractor, MusemoViTForEmotionRegression

    path = checkpoint("recogniser")
    model = MusemoViTForEmotionRegression.from_pretrained(path).eval()
    return Recogniser(model, MusemoFeatureExtractor.from_pretrained(path))


class Studio:
    """Loads the models in a thread of its own, one after the other; whoever needs one waits for it."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="load")
        self._models: dict[str, Future] = {}

    def start(self) -> None:
        """Begin to load; again changes nothing."""
        for name, load in (("generator", _load_pipeline), ("recogniser", _load_recogniser)):
            if name not in self._models:
                self._models[name] = self._thread.submit(load)

    def get(self, name: str) -> Any:
        """The pipeline ("generator") or the `Recogniser` ("recogniser"); waits for it.

        Raises:
            gradio.Error: it could not be loaded.
        """
        self.start()
        if not self._models[name].done():
            gr.Info("The models are still loading: a few seconds more, on the first visit only.")
        try:
            return self._models[name].result()
        except Exception as error:  # whatever it was, the page says so and stays up
            raise gr.Error(f"The {name} could not be loaded: {error}", duration=None) from error


STUDIO = Studio()  # one a process; functions on ZeroGPU are forked from it, with the models that it then has


def _device() -> str:
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def new_seed() -> int:
    """A seed that nobody chose."""
    return random.randrange(MAX_SEED)


def make_sounds(valence: float, arousal: float, seed: int | None, num_samples: int) -> Iterator[tuple[Sound, int]]:
    """Songs one by one, each with its seed, so that the first is heard while the others are made.

    Args:
        valence: in [-1, 1].
        arousal: in [-1, 1].
        seed: of the first song, the next has the next; a random one where None.
        num_samples: 1 to 4.

    Raises:
        gradio.Error: a value out of its range, or no generator.
    """
    for name, value in (("valence", valence), ("arousal", arousal)):
        if value is None or not -1 <= value <= 1:
            raise gr.Error(f"Expected {name} between -1 and 1, got {value}.")
    if num_samples is None or not 1 <= num_samples <= MAX_SAMPLES:
        raise gr.Error(f"Expected 1 to {MAX_SAMPLES} samples, got {num_samples}.")
    first = new_seed() if seed is None else int(seed)
    if not 0 <= first <= MAX_SEED:
        raise gr.Error(f"Expected a seed between 0 and {MAX_SEED}, got {first}.")
    STUDIO.get("generator")  # before a GPU is asked for
    for number in range(first, first + int(num_samples)):
        yield _generate(float(valence), float(arousal), number), number


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
def read_emotions(windows: list[np.ndarray]) -> np.ndarray:
    """Windows `(samples,)` at the recogniser's rate -> `(n, 2)` (valence, arousal), clipped to [-1, 1]."""
    import torch

    recogniser = STUDIO.get("recogniser")
    device = _device()
    model, extractor = recogniser.model.to(device), recogniser.extractor
    emotions = []
    with torch.inference_mode():
        for start in range(0, len(windows), WINDOWS_AT_ONCE):
            batch = extractor(windows[start : start + WINDOWS_AT_ONCE], sampling_rate=extractor.sampling_rate)
            emotions.append(model(spectrogram=batch["spectrogram"].to(device)).emotion.float().cpu())
    return torch.cat(emotions).clamp(-1, 1).numpy()


@on_gpu(seconds=30)
def rebuild(samples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Audio -> log-mel -> audio by Griffin-Lim, which shows how much of a sound a spectrogram keeps.

    Args:
        samples: `(samples,)` at the recogniser's rate.

    Returns:
        The rebuilt `(samples,)`, and the spectrogram in dB `(n_mels, n_frames)`.
    """
    from musemo_hf import MusemoFeatureExtractor

    settings = STUDIO.get("recogniser").extractor.settings
    extractor = MusemoFeatureExtractor(
        settings.n_frames(len(samples)), settings.sampling_rate, settings.n_fft, settings.hop_length, settings.n_mels
    )
    spectrogram = extractor(samples, sampling_rate=settings.sampling_rate)["spectrogram"]
    audio = extractor.invert(spectrogram.to(_device()))[0].cpu().numpy()
    return audio, extractor.to_decibels(spectrogram)[0, 0].numpy()
