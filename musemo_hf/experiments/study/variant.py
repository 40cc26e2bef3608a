"""One rung of a study with one seed: trained, sampled, and measured."""

import json
import re
import shutil
import time
from functools import partial
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from musemo_hf.audio.mel import denormalise
from musemo_hf.files import atomic_write, once
from musemo_hf.pipelines.emotion_to_music import PRESETS
from musemo_hf.pipelines.generators import load_generator, sample_clips
from musemo_hf.training.checkpoint import checkpoints, read_state
from musemo_hf.training.generators import create_trainer, save_generator
from musemo_hf.training.loop import RedFlagError

if TYPE_CHECKING:
    from .study import Study

TEST_SEED = 10_000_000  # apart from the seeds of training
TIMED = 5  # clips that the seconds of sampling are the median of


class Rung:
    """A generator of a study.

    Args:
        study: that it belongs to.
        name: of the rung.
        seed: of its training.
    """

    def __init__(self, study: "Study", name: str, seed: int) -> None:
        self.study, self.name, self.seed = study, name, seed
        self.folder = study.run_dir / folder_name(name, seed)
        self.checkpoint = self.folder / "generator"
        self.is_flow = study.configuration.kind_of(name) == "flow"

    @property
    def done(self) -> bool:
        """Whether it was measured."""
        return (self.folder / "figures.json").is_file()

    @property
    def ready(self) -> bool:
        """Whether the judge, and a teacher or the baseline's seconds where it asks for them, are there."""
        needs = [self.study.judge.done]
        if self.study.configuration.uses_teacher(self.name):
            needs.append(self.study.teacher.done)
        if self.is_flow:
            needs.append((self._baseline / "training.json").is_file())
        return all(needs)

    @property
    def _baseline(self) -> Path:
        """The baseline's folder, of the same seed where that is trained."""
        seeds = self.study.configuration.seeds_of(self.study.plan.baseline)
        seed = self.seed if self.seed in seeds else seeds[0]
        return self.study.run_dir / folder_name(self.study.plan.baseline, seed)

    def identity(self) -> dict[str, Any]:
        """What decides its result."""
        merged = self.study.configuration.of_variant(self.name).to_dict()
        kept = ("flow", "flow_training") if self.is_flow else ("generator", "gan_training")
        plan = {name: getattr(self.study.plan, name) for name in ("n_clips", "n_resamples", "judge_seed")}
        return self.study.common_identity() | {name: merged[name] for name in kept} | plan | {"seed": self.seed}

    def make(self) -> None:
        """Train, then measure each way of sampling, then clear what only a resumption needs."""
        training = self.training()
        measured = {}
        if training["has_generator"]:
            for label, options in self._samplings().items():
                measured[label] = once(self.folder / f"measured{label}.json", partial(self._measure, options))
            self._keep_examples()
        result = {"rung": self.name, "seed": self.seed, "training": training, "samplings": measured}
        for checkpoint in checkpoints(self.folder / "run"):
            shutil.rmtree(checkpoint)  # the optimizer states of dozens of rungs would fill a disk
        atomic_write(self.folder / "figures.json", json.dumps(result))

    def figures(self) -> dict[str, Any]:
        """The finished result."""
        return json.loads((self.folder / "figures.json").read_text())

    def training(self) -> dict[str, Any]:
        """Train unless that is done; what it took.

        `seconds` are wall-clock seconds of all updates, checks and checkpoints included; of a run that was interrupted
        those after the last start are measured and stand for the others.
        """
        return once(self.folder / "training.json", self._train)

    def _train(self) -> dict[str, Any]:
        study = self.study
        configuration = study.configuration.of_variant(self.name, study.teacher.checkpoint)
        budget = json.loads((self._baseline / "training.json").read_text())["seconds"] if self.is_flow else None
        kind = "flow" if self.is_flow else "gan"
        trainer = create_trainer(
            kind, configuration, study.training, self.folder / "run", study.accelerator, self.seed, budget
        )
        found = checkpoints(self.folder / "run")
        before = read_state(found[-1]) if found else {}
        started, red_flag = time.perf_counter(), None
        try:
            model = trainer.train()
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
        """The averaged generator of the last checkpoint before a red flag; None where there is none."""
        found = checkpoints(self.folder / "run")
        return load_generator(found[-1] / "averaged_generator") if found else None

    def _samplings(self) -> dict[str, dict[str, Any]]:
        """Label -> options of `generate`: one of a GAN, one a number of steps of a flow."""
        if not self.is_flow:
            return {"": {}}
        return {f"-{steps}-steps": {"num_inference_steps": steps} for steps in self.study.plan.sampling_steps}

    def generator(self) -> Any:
        """The trained generator, on the device."""
        return load_generator(self.checkpoint).to(self.study.accelerator.device)

    def _measure(self, options: dict[str, Any]) -> dict[str, Any]:
        study, generator = self.study, self.generator()
        n_songs = len(study.held_out)
        index = np.linspace(0, n_songs - 1, min(study.plan.n_clips or n_songs, n_songs)).round().astype(int)
        emotion = torch.from_numpy(study.held_out.emotion[index])
        mels = sample_clips(generator, emotion, TEST_SEED, **options)
        figures = study.yardstick.measure(denormalise(mels[:, 0]).numpy())
        figures |= study.agreement(study.heard(mels), index)
        return figures | {"sampling_seconds": _seconds_of_one(generator, emotion[:1], options)}

    def _keep_examples(self) -> None:
        """One clip a preset, float16 dB `(5, 128, n_frames)`, for the page; a flow's by its most steps."""
        options = list(self._samplings().values())[-1]
        clips = sample_clips(self.generator(), torch.tensor(list(PRESETS.values())), 0, **options)
        np.save(self.folder / "examples.npy", denormalise(clips[:, 0]).numpy().astype(np.float16))


def folder_name(rung: str, seed: int) -> str:
    """A rung's name as part of a path: "plus R1 + R2", 0 -> "plus-R1-R2-seed0"."""
    return re.sub(r"[^A-Za-z0-9.]+", "-", rung).strip("-") + f"-seed{seed}"


def _seconds_of_one(generator: Any, emotion: torch.Tensor, options: dict[str, Any]) -> float:
    """Median wall-clock seconds to sample one clip, after one that warms up."""
    times = []
    for seed in range(TIMED + 1):
        started = time.perf_counter()
        generator.generate(emotion, seed=seed, **options).cpu()
        times.append(time.perf_counter() - started)
    return median(times[1:])
