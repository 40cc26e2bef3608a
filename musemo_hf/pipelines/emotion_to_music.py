"""Emotion to music, through a log-mel, as a diffusers pipeline."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import torch
from diffusers import DiffusionPipeline
from diffusers.pipelines import pipeline_loading_utils
from diffusers.utils import BaseOutput
from huggingface_hub import hf_hub_download
from huggingface_hub.errors import EntryNotFoundError

from musemo_hf.audio.feature_extraction_musemo import MusemoFeatureExtractor
from musemo_hf.models.flow import MusemoFlowGenerator
from musemo_hf.models.gan import MusemoGanGenerator, check_emotion, expand_seeds
from musemo_hf.pipelines.generators import load_generator
from musemo_hf.pipelines.song import Song

# the five published points of the valence-arousal plane
PRESETS: dict[str, tuple[float, float]] = {
    "sad & calm": (-0.8, -0.6),
    "happy & energetic": (0.8, 0.7),
    "angry & tense": (-0.3, 0.8),
    "content & relaxed": (0.5, -0.5),
    "neutral": (0.0, 0.0),
}

# diffusers loads components of another library only if their classes and methods are listed here
_COMPONENTS = {
    name: ["save_pretrained", "from_pretrained"]
    for name in ("MusemoGanGenerator", "MusemoFlowGenerator", "MusemoFeatureExtractor")
}
pipeline_loading_utils.LOADABLE_CLASSES["musemo_hf"] = _COMPONENTS
pipeline_loading_utils.ALL_IMPORTABLE_CLASSES.update(_COMPONENTS)


@dataclass
class MusemoPipelineOutput(BaseOutput):
    """Contains the generated songs.

    For a single song, `audio`, `sampling_rate`, `spectrogram`, `save` and `plot` are those of the song.

    Attributes:
        songs: One `Song` for each sample, emotion by emotion and sample by sample.
    """

    songs: list[Song]

    def __getattr__(self, name: str) -> Any:
        if name not in ("audio", "sampling_rate", "spectrogram", "valence", "arousal", "seed", "save", "plot"):
            raise AttributeError(name)
        songs = self["songs"]
        if len(songs) != 1:
            raise AttributeError(f"`{name}` is of one song, and there are {len(songs)}: take it from `.songs[i]`")
        return getattr(songs[0], name)

    def __len__(self) -> int:
        return len(self["songs"])


class MusemoPipeline(DiffusionPipeline):
    """Turns valence and arousal into music.

    Args:
        generator: The GAN or flow that generates normalised log-mels.
        feature_extractor: The feature extractor that converts log-mels to decibels and audio.
    """

    def __init__(
        self, generator: MusemoGanGenerator | MusemoFlowGenerator, feature_extractor: MusemoFeatureExtractor
    ) -> None:
        super().__init__()
        self.register_modules(generator=generator, feature_extractor=feature_extractor)

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path: str | os.PathLike, **kwargs: Any) -> "MusemoPipeline":
        """Load a pipeline, or a generator with its `preprocessor_config.json`, from a folder or the Hub.

        Args:
            pretrained_model_name_or_path: The folder or the name of the repository.
            **kwargs: The arguments of `DiffusionPipeline.from_pretrained`; for a generator alone these are `revision`,
                `token`, `cache_dir` and `local_files_only`.
        """
        path = str(pretrained_model_name_or_path)
        hub: dict[str, Any] = {
            name: kwargs[name] for name in ("revision", "token", "cache_dir", "local_files_only") if name in kwargs
        }
        if _holds_pipeline(path, hub):
            return super().from_pretrained(path, **kwargs)
        return cls(load_generator(path, **hub), MusemoFeatureExtractor.from_pretrained(path, **hub))

    @torch.no_grad()
    def __call__(
        self,
        valence: float | Sequence[float],
        arousal: float | Sequence[float],
        num_samples: int = 1,
        seed: int | Sequence[int] | None = None,
        n_iter: int = 32,
        batch_size: int = 8,
        num_inference_steps: int | None = None,
        guidance_scale: float | None = None,
    ) -> MusemoPipelineOutput:
        """Generate songs.

        Args:
            valence: One value in [-1, 1], or a sequence.
            arousal: One value in [-1, 1], or a sequence as long as that of `valence`.
            num_samples: The number of songs for each emotion.
            seed: An integer gives the i-th song the seed `seed + i`; a sequence gives each song its own.
            n_iter: The number of Griffin-Lim iterations.
            batch_size: The number of songs made at once, which changes memory but not the songs.
            num_inference_steps: The number of sampling steps of a flow (default: the generator's own setting).
            guidance_scale: The guidance scale of a flow (default: the generator's own setting).

        Raises:
            ValueError: Emotions are outside [-1, 1], not finite or of unequal length, the number of seeds is wrong, or
                the generator has no steps or guidance.
        """
        emotion = self._emotions(valence, arousal).repeat_interleave(_positive("num_samples", num_samples), dim=0)
        seeds = expand_seeds(seed, len(emotion))
        options = {"num_inference_steps": num_inference_steps, "guidance_scale": guidance_scale}
        options = {name: value for name, value in options.items() if value is not None}
        if options and not isinstance(self.generator, MusemoFlowGenerator):
            raise ValueError(f"expected {', '.join(options)} for a flow only, got a {type(self.generator).__name__}")
        songs: list[Song] = []
        for start in self.progress_bar(range(0, len(emotion), _positive("batch_size", batch_size))):
            part = slice(start, start + batch_size)
            mels = self.generator.generate(emotion[part], seed=seeds[part], **options)
            songs += self._to_songs(mels, emotion[part], seeds[part], n_iter)
        return MusemoPipelineOutput(songs=songs)

    def walk(
        self,
        start: tuple[float, float],
        end: tuple[float, float],
        steps: int = 5,
        seed: int | None = None,
        end_seed: int | None = None,
        n_iter: int = 32,
    ) -> MusemoPipelineOutput:
        """Generate songs on the way from one emotion to another.

        Args:
            start: The (valence, arousal) of the first song.
            end: The (valence, arousal) of the last song.
            steps: The number of songs including the two ends, at least 2.
            seed: The seed of the noise at the start.
            end_seed: The seed of the noise at the end, which is reached on the great circle between the two (Shoemake
                1985); None keeps the noise, so that only the emotion changes.
            n_iter: The number of Griffin-Lim iterations.
        """
        if steps < 2:
            raise ValueError(f"expected at least 2 steps, got {steps}")
        share = torch.linspace(0, 1, steps)[:, None]
        ends = check_emotion([list(start), list(end)])
        emotion = ends[:1] * (1 - share) + ends[1:] * share
        first_seed = expand_seeds(seed, 1)[0]
        noise = self.generator.sample_noise(2, [first_seed, first_seed if end_seed is None else end_seed])
        seeds: list[int | None] = [first_seed] * steps
        if torch.equal(noise[0], noise[1]):
            noise = noise[:1].expand(steps, -1)
        else:
            noise = _great_circle(noise[0], noise[1], share)
            seeds[1:] = [None] * (steps - 2) + [end_seed]  # no seed gives what lies between two
        mels = self.generator.generate(emotion, noise=noise)
        return MusemoPipelineOutput(songs=self._to_songs(mels, emotion, seeds, n_iter))

    @staticmethod
    def _emotions(valence: float | Sequence[float], arousal: float | Sequence[float]) -> torch.Tensor:
        pair = [np.atleast_1d(np.asarray(value, dtype=np.float32)) for value in (valence, arousal)]
        if pair[0].ndim != 1 or pair[0].shape != pair[1].shape:
            raise ValueError(
                f"expected as many values of valence as of arousal, got {pair[0].shape} and {pair[1].shape}"
            )
        return check_emotion(torch.from_numpy(np.stack(pair, axis=1)))

    def _to_songs(
        self, mels: torch.Tensor, emotion: torch.Tensor, seeds: Sequence[int | None], n_iter: int
    ) -> list[Song]:
        extractor = self.feature_extractor
        decibels = extractor.to_decibels(mels[:, 0].float().cpu()).numpy()
        audio = extractor.invert(mels.float(), n_iter=n_iter).cpu().numpy()
        return [
            Song(audio[i], extractor.sampling_rate, decibels[i], float(v), float(a), seeds[i], extractor.hop_length)
            for i, (v, a) in enumerate(emotion.tolist())
        ]


def _holds_pipeline(path: str, hub: dict[str, Any]) -> bool:
    """Return whether a folder or repository contains a pipeline, and not only a generator."""
    if Path(path).is_dir():
        return (Path(path) / "model_index.json").is_file()
    try:
        hf_hub_download(path, "model_index.json", **hub)
    except EntryNotFoundError:
        return False
    return True


def _positive(name: str, value: int) -> int:
    if value < 1:
        raise ValueError(f"expected {name} of at least 1, got {value}")
    return value


def _great_circle(first: torch.Tensor, second: torch.Tensor, share: torch.Tensor) -> torch.Tensor:
    """Interpolate spherically, `(steps, D)`: a straight line between Gaussian samples is too short in the middle."""
    angle = torch.acos(torch.cosine_similarity(first, second, dim=0).clamp(-1, 1))
    return (torch.sin((1 - share) * angle) * first + torch.sin(share * angle) * second) / torch.sin(angle)


# the generic `DiffusionPipeline.from_pretrained` looks the class up in diffusers itself
diffusers.MusemoPipeline = MusemoPipeline
