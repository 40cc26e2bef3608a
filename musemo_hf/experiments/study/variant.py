"""One variant of a study with one seed: trained, sampled, and measured."""

import json
import re
import shutil
import time
from functools import lru_cache, partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch

from musemo_hf.audio.mel import denormalise
from musemo_hf.files import atomic_path, is_whole, once
from musemo_hf.models.wavegan import MusemoWaveganGenerator
from musemo_hf.pipelines.emotion_to_music import PRESETS
from musemo_hf.pipelines.generators import load_generator, sample_clips
from musemo_hf.training.checkpoint import checkpoints, read_state
from musemo_hf.training.generators import create_trainer, save_generator
from musemo_hf.training.loop import RedFlagError

from .recogniser import JUDGE, TEACHER, StudyRecogniser
from .study import Study
from .wavegan import create_wavegan_trainer

TEST_SEED = 10_000_000  # apart from the seeds of training
TIMED = 5  # clips that the seconds of sampling are the median of


class Variant:
    """A generator of a study.

    Args:
        study: The context.
        name: The name of the variant.
        seed: The training seed.
    """

    def __init__(self, study: Study, name: str, seed: int) -> None:
        self.study, self.name, self.seed = study, name, seed
        self.folder = study.run_dir / folder_name(name, seed)
        self.checkpoint, self.path = self.folder / "generator", self.folder / "figures.json"
        self.kind = study.configuration.kind_of(name)

    @property
    def done(self) -> bool:
        """Whether the variant was measured."""
        return is_whole(self.path)

    @property
    def baseline(self) -> "Variant":
        """The baseline, of the same seed if it is trained with that."""
        name = self.study.plan.baseline
        seeds = self.study.configuration.seeds_of(name)
        return Variant(self.study, name, self.seed if self.seed in seeds else seeds[0])

    def figures(self) -> dict[str, Any]:
        """Read what `make` returned."""
        return json.loads(self.path.read_text())

    def make(self) -> dict[str, Any]:
        """Train, measure each way of sampling, and remove what only a resumption needs."""
        self.study.identify(self.folder, self.settings())
        training = once(self.folder / "training.json", self._train)
        measured = {}
        if training["has_generator"]:
            for label, options in self.samplings().items():
                measured[label] = once(self.folder / f"measured{label}.json", partial(self._measure, label, options))
            self._keep_examples()
        for checkpoint in checkpoints(self.folder / "run"):
            shutil.rmtree(checkpoint)  # the optimizer states of dozens of trainings would fill a disk
        return {"rung": self.name, "seed": self.seed, "training": training, "samplings": measured}

    def settings(self) -> dict[str, Any]:
        """Return what decides the result."""
        merged = self.study.configuration.of_variant(self.name).to_dict()
        kept = ("generator", "gan_training") if self.kind == "gan" else (self.kind, f"{self.kind}_training")
        plan = {name: getattr(self.study.plan, name) for name in ("n_clips", "n_resamples", "judge_seed")}
        return {name: merged[name] for name in kept} | plan | {"seed": self.seed}

    def _train(self) -> dict[str, Any]:
        """Train, and return what it took.

        `seconds` is the wall-clock time of all updates, checks and checkpoints. After an interruption, only the updates
        since the last start are timed, and stand for the others.
        """
        study = self.study
        configuration = study.configuration.of_variant(self.name, StudyRecogniser(study, TEACHER).checkpoint)
        budget = self.baseline.figures()["training"]["seconds"] if self.kind != "gan" else None
        run_dir = self.folder / "run"
        trainer: Any
        if self.kind == "wavegan":
            trainer = create_wavegan_trainer(study, configuration, run_dir, self.seed, budget)
        else:
            trainer = create_trainer(
                self.kind, configuration, study.training, run_dir, study.accelerator, self.seed, budget
            )
        found = checkpoints(self.folder / "run")
        before = read_state(found[-1]) if found else {}
        started, red_flag = time.perf_counter(), None
        try:
            model = trainer.train(study.accept_other_hardware)
        except RedFlagError as error:
            red_flag = str(error).removeprefix(f"red flag at step {trainer.step}: ")
            model = self._last_good()
        seconds = time.perf_counter() - started
        per_step = seconds / max(trainer.step - before.get("step", 0), 1)
        if model is not None:
            save_generator(self.checkpoint, model, None if red_flag else trainer.objects.get("discriminator"))
        return {
            "steps": trainer.step,
            "seconds": per_step * trainer.step,
            "seconds_per_step": per_step,
            "red_flag": red_flag,
            "has_generator": model is not None,
            "n_parameters": 0 if model is None else sum(p.numel() for p in model.parameters()),
            "device": str(study.accelerator.device),
        }

    def _last_good(self) -> Any:
        """Load the averaged generator of the last checkpoint before a red flag; None if there is none."""
        found = checkpoints(self.folder / "run")
        return self._load(found[-1] / "averaged_generator") if found else None

    def _load(self, folder: Path) -> Any:
        """Load a generator; a WaveGAN makes audio, so that no pipeline takes it for a generator of log-mels."""
        return MusemoWaveganGenerator.from_pretrained(folder) if self.kind == "wavegan" else load_generator(folder)

    def samplings(self) -> dict[str, dict[str, Any]]:
        """Return label -> options of `generate`: one for a GAN, one for each number of steps of a flow."""
        if self.kind in ("gan", "wavegan"):
            return {"": {}}
        return {f"-{steps}-steps": {"num_inference_steps": steps} for steps in self.study.plan.sampling_steps}

    def generator(self) -> Any:
        """Load the trained generator to the device."""
        return self._load(self.checkpoint).to(self.study.accelerator.device)

    @property
    def requested(self) -> np.ndarray:
        """The positions of the held-out songs at whose emotions clips are generated."""
        n_songs = len(self.study.held_out)
        n_clips = min(self.study.plan.n_clips or n_songs, n_songs)
        return np.linspace(0, n_songs - 1, n_clips).round().astype(int)

    def clips(self, sampling: str) -> np.ndarray:
        """Return the clips that are measured, float32 dB `(N, 128, n_frames)`, kept or sampled again."""
        kept = self.kept_clips(sampling)
        if kept.is_file():
            return np.load(kept)
        return denormalise(self._sample(self.generator(), self.samplings()[sampling])[:, 0]).numpy()

    def kept_clips(self, sampling: str) -> Path:
        """Return the file of the clips between the measurement of arrays and that of sound."""
        return self.folder / f"clips{sampling}.npy"

    def _sample(self, generator: Any, options: dict[str, Any]) -> torch.Tensor:
        emotion = torch.from_numpy(self.study.held_out.emotion[self.requested])
        return sample_clips(generator, emotion, TEST_SEED, **options)

    def _measure(self, sampling: str, options: dict[str, Any]) -> dict[str, Any]:
        study, generator, index = self.study, self.generator(), self.requested
        mels = self._sample(generator, options)
        clips = denormalise(mels[:, 0]).numpy()
        if study.embedder is not None:  # sampling can take as long as measuring
            _save_array(self.kept_clips(sampling), clips)
        figures = study.reference.measure(clips)
        figures |= study.agreement(_judge(study).predict(mels), index)
        emotion = torch.from_numpy(study.held_out.emotion[index[:1]])
        return figures | {"sampling_seconds": _seconds_of_one(generator, emotion, options)}

    def _keep_examples(self) -> None:
        """Keep a clip of each preset, float16 dB `(5, 128, n_frames)`, for the page; a flow takes its most steps."""
        options = list(self.samplings().values())[-1]
        clips = self.generator().generate(torch.tensor(list(PRESETS.values())), seed=0, **options)
        decibels = denormalise(clips[:, 0].float().cpu()).numpy().astype(np.float16)
        _save_array(self.folder / "examples.npy", decibels)


def variants(study: Study) -> list[Variant]:
    """Return all variants of a study, each with all its seeds."""
    configuration = study.configuration
    return [Variant(study, name, seed) for name in configuration.variants for seed in configuration.seeds_of(name)]


def folder_name(variant: str, seed: int) -> str:
    """Return the name of a variant's folder: "plus R1 + R2", 0 -> "plus-R1-R2-seed0"."""
    return re.sub(r"[^A-Za-z0-9.]+", "-", variant).strip("-") + f"-seed{seed}"


def _save_array(path: Path, values: np.ndarray) -> None:
    with atomic_path(path) as part, part.open("wb") as file:
        np.save(file, values)


@lru_cache(maxsize=1)  # loaded once for all variants
def _judge(study: Study) -> StudyRecogniser:
    return StudyRecogniser(study, JUDGE)


def _seconds_of_one(generator: Any, emotion: torch.Tensor, options: dict[str, Any]) -> float:
    """Return the median wall-clock seconds to sample one clip, after a first one that is not counted."""
    times = []
    for seed in range(TIMED + 1):
        started = time.perf_counter()
        generator.generate(emotion, seed=seed, **options).cpu()
        times.append(time.perf_counter() - started)
    return median(times[1:])
