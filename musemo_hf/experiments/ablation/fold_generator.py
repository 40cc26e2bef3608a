"""The generator of one split: trained on its songs, kept with its clips, and told apart where its training failed."""

import json
import time
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator

from musemo_hf.audio.feature_extraction_musemo import MusemoFeatureExtractor
from musemo_hf.audio.mel import denormalise
from musemo_hf.models.flow import MusemoFlowGenerator
from musemo_hf.models.gan import MusemoGanConfig, MusemoGanGenerator
from musemo_hf.training.checkpoint import once, save_model, write_text
from musemo_hf.training.clips import Clips
from musemo_hf.training.configuration import Configuration
from musemo_hf.training.flow.trainer import FlowTrainer
from musemo_hf.training.gan.red_flags import RedFlagError
from musemo_hf.training.gan.trainer import GanTrainer

GENERATORS = ("gan", "flow")
TEST_SEED = 10_000_000  # apart from the seeds of the training part's synthetic clips
BATCH = 32


class FoldGenerator:
    """A generator in the folder of its split.

    Args:
        configuration: of the ablation.
        folder: of the split.
        accelerator: of the launch.
    """

    def __init__(self, configuration: Configuration, folder: Path, accelerator: Accelerator) -> None:
        self.configuration, self.folder, self.accelerator = configuration, folder, accelerator
        self.kind, self.seed = configuration.ablation.generator, configuration.ablation.seeds[0]

    @property
    def made(self) -> Path:
        """Clips at the test songs' emotions, dB float16 `(N, n_mels, n_frames)`."""
        return self.folder / "generated.npy"

    @property
    def failure(self) -> str | None:
        """Why there is no generator and will be none; deleting `generator-failed.json` has it tried again."""
        path = self.folder / "generator-failed.json"
        return json.loads(path.read_text())["error"] if path.is_file() else None

    @property
    def trained(self) -> bool:
        """Whether generator and clips are there."""
        return (self.folder / "generator" / "config.json").is_file() and self.made.is_file()

    @property
    def settled(self) -> bool:
        """Whether there is nothing left to do."""
        return self.trained or self.failure is not None

    @cached_property
    def model(self) -> Any:
        """The trained generator, on the device."""
        kind = MusemoFlowGenerator if self.kind == "flow" else MusemoGanGenerator
        return kind.from_pretrained(self.folder / "generator").to(self.accelerator.device)

    def ensure(self, clips: Clips, emotion: torch.Tensor) -> None:
        """Train it, and keep its clips, unless that is done.

        Training that a red flag or a loss that is not finite has stopped is written down as failed: the arms that need
        no generator go on.

        Args:
            clips: to train on.
            emotion: `(N, 2)` of the test songs, for which clips are kept.
        """
        if not (self.folder / "generator" / "config.json").is_file():
            try:
                self._train(clips)
            except (RedFlagError, FloatingPointError) as error:
                write_text(self.folder / "generator-failed.json", json.dumps({"error": str(error)}))
                return
        if not self.made.is_file():
            decibels = denormalise(self.generate(emotion, TEST_SEED)[:, 0]).numpy().astype(np.float16)
            partial = self.made.with_suffix(".part.npy")
            np.save(partial, decibels)
            partial.rename(self.made)

    def _train(self, clips: Clips) -> None:
        started = time.perf_counter()
        trainer = self._trainer(clips)
        model = trainer.train()
        once(
            self.folder / f"{self.kind}.json",
            lambda: {"seconds": time.perf_counter() - started, "steps": trainer.step, "n_clips": len(clips)},
        )
        partial = self.folder / "generator.part"  # `config.json` is written first: a kill then leaves no generator
        MusemoFeatureExtractor(n_frames=clips.spectrogram.shape[-1]).save_pretrained(partial)
        save_model(model, partial)
        if self.kind == "gan":
            save_model(trainer.discriminator, partial / "discriminator")
        partial.rename(self.folder / "generator")

    def _trainer(self, clips: Clips) -> Any:
        settings, n_frames = self.configuration, clips.spectrogram.shape[-1]
        place = (clips, self.folder / self.kind, self.accelerator)
        if self.kind == "flow":
            training = replace(settings.flow_training, seed=self.seed)
            return FlowTrainer({"n_frames": n_frames, **settings.flow}, training, *place, data_parallel=False)
        config = MusemoGanConfig(n_frames=n_frames, **settings.generator)
        return GanTrainer(config, replace(settings.gan_training, seed=self.seed), *place, data_parallel=False)

    def generate(self, emotion: torch.Tensor, seed: int) -> torch.Tensor:
        """Normalised log-mels `(N, 1, n_mels, n_frames)` of emotions `(N, 2)`, on the CPU."""
        parts = [
            self.model.generate(emotion[start : start + BATCH], seed=seed + start).float().cpu()
            for start in range(0, len(emotion), BATCH)
        ]
        return torch.cat(parts)
