"""The generator of one split: trained on its songs, and stored with its clips, or with the reason why it failed."""

import json
import time
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator

from musemo_hf.audio.mel import denormalise
from musemo_hf.files import atomic_path, atomic_write, is_whole, once
from musemo_hf.pipelines.generators import load_generator, sample_clips
from musemo_hf.training.clips import Clips
from musemo_hf.training.configuration import Configuration
from musemo_hf.training.generators import create_trainer, save_generator
from musemo_hf.training.loop import RedFlagError

TEST_SEED = 10_000_000  # differs from the seeds of the synthetic clips of the training part
VARIATION_SEED = 20_000_000  # is added to the seeds of variations
BATCH = 16


class FoldGenerator:
    """A generator in the folder of its split.

    Args:
        configuration: The configuration of the ablation.
        folder: The folder of the split.
        accelerator: The accelerator of the launch.
    """

    def __init__(self, configuration: Configuration, folder: Path, accelerator: Accelerator) -> None:
        self.configuration, self.folder, self.accelerator = configuration, folder, accelerator
        self.kind, self.seed = configuration.ablation.generator, configuration.ablation.seeds[0]

    @property
    def measured(self) -> bool:
        """Whether the generator is there, with clips by which it is measured."""
        return self.trained and self._has_clips()

    @property
    def made(self) -> Path:
        """The file of the clips at the test songs' emotions, in dB, float16 `(N, n_mels, n_frames)`."""
        return self.folder / "generated.npy"

    @property
    def failure(self) -> str | None:
        """Why the training failed; deleting `generator-failed.json` has it tried again."""
        path = self.folder / "generator-failed.json"
        return json.loads(path.read_text())["error"] if is_whole(path) else None

    @property
    def trained(self) -> bool:
        """Whether the generator is there, and its clips if they are wanted; an empty or broken file does not count."""
        wanted = self.configuration.ablation.measure_generator
        return is_whole(self.folder / "generator" / "config.json") and (not wanted or self._has_clips())

    def _has_clips(self) -> bool:
        try:
            np.load(self.made, mmap_mode="r")  # reads the header, and compares the size of the file with it
        except (OSError, ValueError, EOFError):
            return False
        return True

    @property
    def settled(self) -> bool:
        """Whether there is nothing left to do."""
        return self.trained or self.failure is not None

    @cached_property
    def model(self) -> Any:
        """The trained generator, on the device."""
        return load_generator(self.folder / "generator").to(self.accelerator.device)

    def ensure(self, clips: Clips, emotion: torch.Tensor, accept_other_hardware: bool = False) -> None:
        """Train the generator and store its clips, unless that is done.

        If a red flag stops the training, the reason is stored: the arms that need no generator can go on.

        Args:
            clips: The clips to train on.
            emotion: The emotions of the test songs, `(N, 2)`, at which clips are stored.
            accept_other_hardware: See `TrainingLoop.train`.
        """
        if not is_whole(self.folder / "generator" / "config.json"):
            try:
                self._train(clips, accept_other_hardware)
            except RedFlagError as error:
                atomic_write(self.folder / "generator-failed.json", json.dumps({"error": str(error)}))
                return
        if self.configuration.ablation.measure_generator and not self._has_clips():
            decibels = denormalise(self.generate(emotion, TEST_SEED)[:, 0]).numpy().astype(np.float16)
            with atomic_path(self.made) as part, part.open("wb") as file:
                np.save(file, decibels)

    def _train(self, clips: Clips, accept_other_hardware: bool) -> None:
        started = time.perf_counter()
        run_dir = self.folder / self.kind
        trainer = create_trainer(self.kind, self.configuration, clips, run_dir, self.accelerator, self.seed)
        model = trainer.train(accept_other_hardware)
        once(
            self.folder / f"{self.kind}.json",
            lambda: {"seconds": time.perf_counter() - started, "steps": trainer.step, "n_clips": len(clips)},
        )
        save_generator(self.folder / "generator", model, trainer.objects.get("discriminator"))

    def generate(self, emotion: torch.Tensor, seed: int) -> torch.Tensor:
        """Generate normalised log-mels `(N, 1, n_mels, n_frames)` of emotions `(N, 2)`, on the CPU."""
        return sample_clips(self.model, emotion, seed)

    def vary(self, clips: Clips, emotion: torch.Tensor, strength: float, seed: int) -> Clips:
        """Make a variation of each clip towards an emotion, with labels between, see `MusemoFlowGenerator.vary`.

        Raises:
            ValueError: The generator is of a kind that offers no variations.
        """
        if not hasattr(self.model, "vary"):
            raise ValueError(f"expected a generator that makes variations, such as a flow, got {self.kind}")
        parts = [
            self.model.vary(
                clips.spectrogram[start : start + BATCH],
                clips.emotion[start : start + BATCH],
                emotion[start : start + BATCH],
                strength,
                seed=seed + VARIATION_SEED + start,
            )
            for start in range(0, len(clips), BATCH)
        ]
        made, labels = (torch.cat([value.float().cpu() for value in values]) for values in zip(*parts, strict=True))
        return Clips(made, labels)
