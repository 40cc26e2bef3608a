"""Emotion to music, through a log-mel, as a diffusers pipeline.

The class is pushed to the Hub with its code: it works without this package, except for its own `from_pretrained`.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from numbers import Integral  # includes the integers of numpy
from typing import Any

import diffusers
import numpy as np
import torch
from diffusers import DiffusionPipeline, ModelMixin
from diffusers.callbacks import MultiPipelineCallbacks, PipelineCallback
from diffusers.pipelines import pipeline_loading_utils
from diffusers.utils import BaseOutput
from transformers import PreTrainedModel, SequenceFeatureExtractor

from musemo_hf.audio.vocoder_grid import grid_of
from musemo_hf.models.flow.generation import check_emotion
from musemo_hf.pipelines.editing.emotion_walk import EmotionWalkMixin
from musemo_hf.pipelines.editing.song_editing import SongEditingMixin, song_seeds
from musemo_hf.pipelines.song import PRESETS as PRESETS
from musemo_hf.pipelines.song import Song
from musemo_hf.pipelines.steering.steering import with_conditions

OUTPUT_TYPES = ("np", "pt", "latent")
NO_SCHEDULER = (
    "a MusemoPipeline has no scheduler: its generator brings its sampler (UniPC in a U-Net), which is not swapped; "
    "num_inference_steps and guidance_scale change how it samples"
)


@dataclass
class MusemoPipelineOutput(BaseOutput):
    """Contains the generated songs.

    For a single song, `audio`, `sampling_rate`, `spectrogram`, `save` and `plot` are those of the song.

    Attributes:
        audios: The samples `(N, samples)` at their true loudness, as an array of numpy or a tensor. With the output
            type "latent", the normalised log-mels `(N, 1, n_mels, n_frames)`.
        songs: One `Song` for each sample, emotion by emotion and sample by sample; empty with the output type "latent".
    """

    audios: np.ndarray | torch.Tensor
    songs: list[Song]

    def __getattr__(self, name: str) -> Any:
        if name not in ("audio", "sampling_rate", "spectrogram", "valence", "arousal", "seed", "save", "plot"):
            raise AttributeError(name)
        songs = self["songs"]
        if len(songs) != 1:
            raise AttributeError(f"`{name}` is of one song, and there are {len(songs)}: take it from `.songs[i]`")
        return getattr(songs[0], name)

    def __len__(self) -> int:
        return len(self["audios"])

    def _repr_html_(self) -> str | None:
        """Return what a notebook shows: the picture and the player of each song; None without songs."""
        return "".join(song._repr_html_() for song in self["songs"]) or None


class MusemoPipeline(EmotionWalkMixin, SongEditingMixin, DiffusionPipeline):
    """Turns valence and arousal into music; with a U-Net also songs into other songs, see `SongEditingMixin`.

    Args:
        generator: The GAN, flow or U-Net that generates normalised log-mels.
        feature_extractor: The feature extractor that converts log-mels to decibels and audio.
        vocoder: The vocoder that plays log-mels, such as a `MusemoVocoder` or a `SpeechT5HifiGan`, which may expect
            another log-mel (see `grid_of`); None for Griffin-Lim.
    """

    _callback_tensor_inputs = ["latents"]  # noqa: RUF012 (the pipelines of diffusers declare it so)
    _optional_components = ["vocoder"]  # noqa: RUF012

    def __init__(
        self,
        generator: PreTrainedModel | ModelMixin,
        feature_extractor: SequenceFeatureExtractor,
        vocoder: PreTrainedModel | ModelMixin | None = None,
    ) -> None:
        super().__init__()
        if vocoder is not None:
            grid_of(vocoder)  # refuses a model that it could not play
        self.register_modules(generator=generator, feature_extractor=feature_extractor, vocoder=vocoder)

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path: str | os.PathLike, **kwargs: Any) -> "MusemoPipeline":
        """Load a pipeline, or a generator with its `preprocessor_config.json`, from a folder or the Hub.

        Args:
            pretrained_model_name_or_path: The folder or the name of the repository.
            **kwargs: `revision`, `token`, `cache_dir`, `local_files_only`, `force_download` and `subfolder` say where
                the files are; `variant` and `use_safetensors` which weights; `dtype` (or `torch_dtype`) is the type of
                the generator's weights; `device_map` is "cpu", "cuda" or "balanced"; `generator`,
                `feature_extractor` and `vocoder` replace a component; a vocoder may be named by its folder or
                repository, and None is Griffin-Lim. No code of the repository is run, with or without
                `trust_remote_code`.

        Raises:
            TypeError: There is another option, such as `scheduler`: the sampler belongs to the generator.
            ValueError: The checkpoint is of another kind, such as a recogniser, or a value is not supported.
            OSError: A file is missing.
        """
        if "scheduler" in kwargs:
            raise TypeError(NO_SCHEDULER)
        # by name, since this file is also code of a repository, where the package may be missing
        loading = import_module("musemo_hf.pipelines.loading")
        components, device = loading.load_components(str(pretrained_model_name_or_path), **kwargs)
        pipeline = cls(**components)
        pipeline.register_to_config(_name_or_path=str(pretrained_model_name_or_path))
        return pipeline if device is None else pipeline.to(device)

    @classmethod
    def from_pipe(cls, pipeline: DiffusionPipeline, **kwargs: Any) -> "MusemoPipeline":
        """Make a pipeline with the components of another, as diffusers does.

        Args:
            pipeline: A `MusemoPipeline`.
            **kwargs: The components to replace, and `dtype` (or `torch_dtype`), to which diffusers moves the models
                that both pipelines share (default: float32).

        Raises:
            ValueError: The pipeline has no generator of music.
        """
        # diffusers drops models whose class is not the very one of the annotation, and a generator may be of several
        models = {name: pipeline.components.get(name) for name in ("generator", "vocoder")}
        return super().from_pipe(pipeline, **{name: model for name, model in models.items() if model} | kwargs)

    def __getattr__(self, name: str) -> Any:
        if name == "scheduler":
            raise AttributeError(NO_SCHEDULER)
        return super().__getattr__(name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "scheduler":  # which would be kept and never asked
            raise AttributeError(NO_SCHEDULER)
        super().__setattr__(name, value)

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
        conditions: Mapping[str, float | Sequence[float]] | None = None,
        genre: str | Sequence[str | None] | None = None,
        generator: torch.Generator | Sequence[torch.Generator] | None = None,
        output_type: str = "np",
        return_dict: bool = True,
        callback_on_step_end: Callable[..., dict[str, Any] | None] | None = None,
        callback_on_step_end_tensor_inputs: Sequence[str] = ("latents",),
    ) -> MusemoPipelineOutput:
        """Generate songs.

        Args:
            valence: One value in [-1, 1], or a sequence.
            arousal: One value in [-1, 1], or a sequence as long as that of `valence`.
            num_samples: The number of songs for each emotion.
            seed: An integer gives the i-th song the seed `seed + i`; a sequence gives each song its own.
            n_iter: The number of Griffin-Lim iterations.
            batch_size: The number of songs made at once, which changes memory but not the songs.
            num_inference_steps: The number of sampling steps of a flow or a U-Net (default: the generator's own).
            guidance_scale: The guidance scale of a flow or a U-Net (default: the generator's own).
            conditions: Further wishes that a U-Net can follow, by name, such as `{"tempo": 120}`: one value, or one for
                each song; see its configuration's `conditions`.
            genre: The genre, in any case, or one for each song, which may be None; for a U-Net that was trained with
                genres, see its configuration's `genres`.
            generator: A random generator from which the seed of each song is drawn, or a list with one for each song;
                instead of `seed`. It is not the component of this name.
            output_type: "np" or "pt" for audio as an array of numpy or a tensor, or "latent" for normalised log-mels
                without audio.
            return_dict: Whether to return an output, or the tuple `(audios,)`.
            callback_on_step_end: A function that is called after each step of a flow, and for each batch, with this
                pipeline, the index of the step, its time and a dict of tensors; what it returns replaces them.
            callback_on_step_end_tensor_inputs: The names of these tensors; there is only "latents".

        Raises:
            ValueError: Emotions are outside [-1, 1], not finite or of unequal length, the number of seeds is wrong,
                both `seed` and `generator` are given, the output type or a name of a tensor is unknown, or the
                generator has no steps, guidance, conditions or genres, or not these.
        """
        self._check_output_type(output_type)
        emotion = self._emotions(valence, arousal).repeat_interleave(_positive("num_samples", num_samples), dim=0)
        seeds = song_seeds(seed, generator, len(emotion))
        callback = self._step_callback(callback_on_step_end, callback_on_step_end_tensor_inputs)
        given = self._generation(len(emotion), num_inference_steps, guidance_scale, conditions, genre, callback)
        wishes = given.pop("conditions", {})
        mels, songs = [], []
        for start in self.progress_bar(range(0, len(emotion), _positive("batch_size", batch_size))):
            part = slice(start, start + batch_size)
            if wishes:
                given["conditions"] = {name: values[part] for name, values in wishes.items()}
            mels.append(self.generator.generate(emotion[part], seed=seeds[part], **given))
            if output_type != "latent":
                songs += self._to_songs(mels.pop(), emotion[part], seeds[part], n_iter)
        output = _output(songs, output_type) if songs else MusemoPipelineOutput(torch.cat(mels), [])
        return output if return_dict else (output.audios,)  # type: ignore[return-value]

    def to_audio(self, spectrogram: torch.Tensor, n_iter: int = 32) -> torch.Tensor:
        """Convert normalised log-mels to audio at true loudness, by the vocoder or, without one, by Griffin-Lim.

        A vocoder plays a long song in blocks, with constant memory. Generators are compared through Griffin-Lim, that
        is `feature_extractor.invert(spectrogram, keep="magnitude")`, whatever the pipeline plays.

        Args:
            spectrogram: The log-mels `(B, 1, n_mels, n_frames)`, `(B, n_mels, n_frames)` or `(n_mels, n_frames)`.
            n_iter: The number of Griffin-Lim iterations.

        Returns:
            The samples `(B, samples)`, float32 on the CPU, at the sampling rate of the feature extractor.

        Raises:
            ValueError: See `MusemoFeatureExtractor.invert`.
        """
        with torch.autocast(spectrogram.device.type, enabled=False):  # the inversion is in float32, as in NumPy
            return self.feature_extractor.invert(spectrogram, n_iter=n_iter, vocoder=self.vocoder).cpu()

    def save_pretrained(self, save_directory: str | os.PathLike, **kwargs: Any) -> None:
        """Save the pipeline as diffusers does.

        Raises:
            TypeError: The vocoder is no model of transformers or diffusers, as a BigVGAN, which has its own format.
        """
        if self.vocoder is not None and not isinstance(self.vocoder, PreTrainedModel | ModelMixin):
            got = type(self.vocoder).__name__
            raise TypeError(
                f"expected a MusemoVocoder or a SpeechT5HifiGan as the vocoder of a saved pipeline, got a {got}"
            )
        super().save_pretrained(save_directory, **kwargs)

    def enable_model_cpu_offload(self, *_: Any, **__: Any) -> None:
        """Refuse: the pipeline has one small network, so that nothing could be moved out of its way.

        Raises:
            NotImplementedError: Always.
        """
        raise NotImplementedError("expected .to(device): a MusemoPipeline has one small network, and offloads nothing")

    enable_sequential_cpu_offload = enable_group_offload = enable_model_cpu_offload

    def _step_callback(self, callback: Any, names: Sequence[str]) -> Callable[..., torch.Tensor] | None:
        """Return the callback in the form in which a flow calls it; None without a callback."""
        if isinstance(callback, (PipelineCallback, MultiPipelineCallbacks)):
            names = callback.tensor_inputs
        if unknown := sorted(set(names) - set(self._callback_tensor_inputs)):
            known = ", ".join(self._callback_tensor_inputs)
            raise ValueError(f"expected callback_on_step_end_tensor_inputs out of {known}, got {', '.join(unknown)}")
        if callback is None:
            return None

        def call(step: int, timestep: torch.Tensor, latents: torch.Tensor) -> torch.Tensor:
            tensors = {"latents": latents} if "latents" in names else {}
            return (callback(self, step, timestep, tensors) or {}).get("latents", latents)

        return call

    def _generation(
        self,
        n_songs: int,
        num_inference_steps: int | None = None,
        guidance_scale: float | None = None,
        conditions: Mapping[str, float | Sequence[float]] | None = None,
        genre: str | Sequence[str | None] | None = None,
        callback: Callable[..., torch.Tensor] | None = None,
    ) -> dict[str, Any]:
        """Return options of the generator's `generate`, without those that are not given; see a call."""
        options = {"num_inference_steps": num_inference_steps, "guidance_scale": guidance_scale, "callback": callback}
        given: dict[str, Any] = {name: value for name, value in options.items() if value is not None}
        if given and not hasattr(self.generator.config, "num_inference_steps"):
            names = ", ".join(given).replace("callback", "callback_on_step_end")
            raise ValueError(f"expected {names} for a flow only, got a {type(self.generator).__name__}")
        if conditions and not hasattr(self.generator.config, "conditions"):
            raise ValueError(f"expected conditions for a U-Net only, got a {type(self.generator).__name__}")
        wishes = with_conditions({"conditions": conditions, "genre": genre}, n_songs, self.generator)["conditions"]
        return given | ({"conditions": wishes} if wishes else {})

    @staticmethod
    def _check_output_type(output_type: str) -> None:
        if output_type not in OUTPUT_TYPES:
            raise ValueError(f"expected output_type out of {', '.join(OUTPUT_TYPES)}, got {output_type!r}")

    @staticmethod
    def _emotions(valence: float | Sequence[float], arousal: float | Sequence[float]) -> torch.Tensor:
        pair = [np.atleast_1d(np.asarray(value, dtype=np.float32)) for value in (valence, arousal)]
        if pair[0].ndim != 1 or pair[0].shape != pair[1].shape:
            raise ValueError(
                f"expected as many values of valence as of arousal, got {pair[0].shape} and {pair[1].shape}"
            )
        return check_emotion(torch.from_numpy(np.stack(pair, axis=1)))

    def _sung(
        self,
        mels: torch.Tensor,
        emotion: torch.Tensor,
        seeds: Sequence[int | None],
        n_iter: int,
        output_type: str = "np",
    ) -> MusemoPipelineOutput:
        """Return normalised log-mels `(B, 1, n_mels, n_frames)` of emotions `(B, 2)` as an output of some type."""
        if output_type == "latent":
            return MusemoPipelineOutput(mels, [])
        return _output(self._to_songs(mels, emotion, seeds, n_iter), output_type)

    def _to_songs(
        self, mels: torch.Tensor, emotion: torch.Tensor, seeds: Sequence[int | None], n_iter: int
    ) -> list[Song]:
        extractor = self.feature_extractor
        decibels = extractor.to_decibels(mels[:, 0].float().cpu()).numpy()
        audio = self.to_audio(mels.float(), n_iter).numpy()
        return [
            Song(audio[i], extractor.sampling_rate, decibels[i], float(v), float(a), seeds[i], extractor.hop_length)
            for i, (v, a) in enumerate(emotion.tolist())
        ]


def _output(songs: list[Song], output_type: str) -> MusemoPipelineOutput:
    audios = np.stack([song.audio for song in songs])
    return MusemoPipelineOutput(torch.from_numpy(audios) if output_type == "pt" else audios, songs)


def _positive(name: str, value: int) -> int:
    if not isinstance(value, Integral) or value < 1:
        raise ValueError(f"expected {name} as an integer from 1 on, got {value!r}")
    return value


if __name__.startswith("musemo_hf."):  # and not as code of a repository
    # diffusers loads components of another library only if their classes and methods are listed here
    _COMPONENTS = {
        name: ["save_pretrained", "from_pretrained"]
        for name in (
            *("MusemoGanGenerator", "MusemoFlowGenerator", "MusemoUNetGenerator"),
            *("MusemoFeatureExtractor", "MusemoVocoder"),
        )
    }
    pipeline_loading_utils.LOADABLE_CLASSES["musemo_hf"] = _COMPONENTS
    pipeline_loading_utils.ALL_IMPORTABLE_CLASSES.update(_COMPONENTS)
    # the generic `DiffusionPipeline.from_pretrained` looks the class up in diffusers itself
    diffusers.MusemoPipeline = MusemoPipeline
