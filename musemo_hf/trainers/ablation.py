"""Does synthetic music help a recogniser on real songs? Everything learnt is learnt inside the training part."""

import logging
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator

from musemo_hf.audio.feature_extraction_musemo import MusemoFeatureExtractor
from musemo_hf.audio.mel import denormalise, normalise
from musemo_hf.data.arrays import SongArrays
from musemo_hf.data.folds import artist_folds, folds_hash, random_split
from musemo_hf.models.gan import MusemoGanConfig, MusemoGanGenerator
from musemo_hf.models.vit import MusemoViTConfig, MusemoViTForEmotionRegression

from .arms import ARMS, Material, draw_emotions
from .checkpoint import checkpoints, once, save_model, write_text
from .clips import Clips
from .configuration import Configuration
from .gan import GanTrainer
from .recogniser import RecogniserTrainer, predict

logger = logging.getLogger(__name__)
RESCALING_CLIPS = 400  # training songs whose predictions give the constants of rescaling
TEST_SEED = 10_000_000  # apart from the seeds of the training part's synthetic clips


@dataclass(frozen=True)
class Split:
    """Indices of the songs trained on and tested on."""

    name: str
    train: np.ndarray
    test: np.ndarray


class Ablation:
    """Trains a generator inside each training part, then a recogniser for each arm and seed.

    Every piece is a file in `run_dir`; a finished piece is never computed again, and the processes of a launch share
    the pieces out among them.

    Args:
        configuration: the plan and all settings.
        songs: the corpus.
        run_dir: results.
        accelerator: of the launch.

    Raises:
        ValueError: an unknown arm or protocol, or a `run_dir` that holds another configuration's or corpus's pieces.
    """

    def __init__(
        self, configuration: Configuration, songs: SongArrays, run_dir: str | Path, accelerator: Accelerator
    ) -> None:
        self.configuration, self.songs = configuration, songs
        self.run_dir, self.accelerator = Path(run_dir), accelerator
        self.plan = configuration.ablation
        unknown = sorted(set(self.plan.arms) - set(ARMS))
        if unknown or not {"real", "synthetic"} <= set(self.plan.arms):
            raise ValueError(
                f"expected arms out of {', '.join(ARMS)}, 'real' and 'synthetic' included, got {self.plan.arms}"
            )
        self.clips = Clips.of_songs(songs)
        self.splits = list(self._splits())
        self._claim_run_dir()

    def _splits(self) -> Iterator[Split]:
        plan, songs = self.plan, self.songs
        if plan.protocol == "random":
            train, _, test = random_split(len(songs), seed=0)
            yield Split("random", train, test)
            return
        if plan.protocol != "folds":
            raise ValueError(f"expected protocol to be 'folds' or 'random', got {plan.protocol!r}")
        folds = artist_folds(songs.artist, songs.emotion, songs.year.tolist(), plan.n_folds)
        for fold in range(plan.n_folds) if plan.folds is None else plan.folds:
            yield Split(f"fold{fold}", np.flatnonzero(folds != fold), np.flatnonzero(folds == fold))

    def _claim_run_dir(self) -> None:
        """Write what this run is, or refuse a folder that another run has begun."""
        tested = [index for split in self.splits for index in split.test]
        numbers = [number for number, split in enumerate(self.splits) for _ in split.test]
        identity = f"# splits {folds_hash(self.songs.song_id[tested], np.array(numbers, dtype=np.int8))}\n"
        identity += self.configuration.to_yaml()
        path = self.run_dir / "configuration.yaml"
        if path.is_file() and path.read_text() != identity:
            raise ValueError(
                f"{self.run_dir} holds the pieces of another configuration or corpus: choose another folder"
            )
        if self.accelerator.is_main_process:
            self.run_dir.mkdir(parents=True, exist_ok=True)
            write_text(path, identity)
        self.accelerator.wait_for_everyone()

    def run(self) -> None:
        """Compute every missing piece."""
        rank, world = self.accelerator.process_index, self.accelerator.num_processes
        works = [SplitWork(self, split) for split in self.splits]
        for number, work in enumerate(works):
            if number % world == rank:
                work.ensure_generator()
        self.accelerator.wait_for_everyone()
        pieces = [(work, arm, seed) for work in works for arm in self.plan.arms for seed in self.plan.seeds]
        for number, (work, arm, seed) in enumerate(pieces):
            if number % world == rank:
                logger.info("piece %d of %d: %s, %s, seed %d", number + 1, len(pieces), work.split.name, arm, seed)
                work.predictions(arm, seed)
        self.accelerator.wait_for_everyone()

    def tested(self) -> np.ndarray:
        """Indices of all songs that are tested, in the order of `predictions`."""
        return np.concatenate([split.test for split in self.splits])

    def predictions(self, kind: str = "predictions") -> dict[str, np.ndarray]:
        """Arm -> float64 `(seeds, N, 2)` over all tested songs; `kind` "rescaled" for those after rescaling."""
        return {
            arm: np.stack(
                [
                    np.concatenate([SplitWork(self, split).predictions(arm, seed)[kind] for split in self.splits])
                    for seed in self.plan.seeds
                ]
            )
            for arm in self.plan.arms
        }

    def pieces(self, arm: str) -> list[dict[str, Any]]:
        """All finished pieces of an arm."""
        return [SplitWork(self, split).predictions(arm, seed) for split in self.splits for seed in self.plan.seeds]


class SplitWork:
    """The pieces of one split."""

    def __init__(self, ablation: Ablation, split: Split) -> None:
        self.ablation, self.split, self.dir = ablation, split, ablation.run_dir / split.name
        self.configuration = ablation.configuration
        self.seed = ablation.plan.seeds[0]

    @cached_property
    def real(self) -> Clips:
        """The training songs."""
        return self.ablation.clips[torch.from_numpy(self.split.train)]

    @cached_property
    def generator(self) -> MusemoGanGenerator:
        """Trained on the training songs; `ensure_generator` has finished it."""
        return MusemoGanGenerator.from_pretrained(self.dir / "generator").to(self.ablation.accelerator.device)

    def ensure_generator(self) -> None:
        """Train the generator, and keep its clips at the test songs' emotions, unless that is done."""
        folder, generated = self.dir / "generator", self.dir / "generated.npy"
        if not (folder / "config.json").is_file():
            n_frames = self.ablation.songs.spectrogram.shape[-1]
            config = MusemoGanConfig(n_frames=n_frames, **self.configuration.generator)
            training = replace(self.configuration.gan_training, seed=self.seed)
            started = time.perf_counter()
            trainer = GanTrainer(
                config, training, self.real, self.dir / "gan", self.ablation.accelerator, data_parallel=False
            )
            model = trainer.train()
            once(self.dir / "gan.json", lambda: {"seconds": time.perf_counter() - started, "steps": trainer.steps})
            partial = folder.with_suffix(".part")  # `config.json` is written first: a kill then leaves no generator
            MusemoFeatureExtractor(n_frames=n_frames).save_pretrained(partial)
            save_model(model, partial)
            save_model(trainer.discriminator, partial / "discriminator")
            partial.rename(folder)
        if not generated.is_file():
            emotion = self.ablation.clips.emotion[torch.from_numpy(self.split.test)]
            made = denormalise(self._generate(emotion, TEST_SEED)[:, 0]).numpy().astype(np.float16)
            np.save(generated.with_suffix(".part.npy"), made)
            generated.with_suffix(".part.npy").rename(generated)

    def _generate(self, emotion: torch.Tensor, seed: int) -> torch.Tensor:
        parts = [
            self.generator.generate(emotion[start : start + 32], seed=seed + start).float().cpu()
            for start in range(0, len(emotion), 32)
        ]
        return torch.cat(parts)

    @cached_property
    def synthetic(self) -> Clips:
        """Synthetic songs at the planned share, with the emotions that were asked for."""
        plan = self.ablation.plan
        emotion = draw_emotions(
            self.real.emotion, round(plan.synthetic_share * len(self.real)), plan.emotions, seed=self.seed
        )
        return Clips(self._generate(emotion, self.seed), emotion)

    def predictions(self, arm: str, seed: int) -> dict[str, Any]:
        """The piece of an arm and a seed: predictions of the test songs, computed where missing."""
        return once(self.dir / f"{arm}-seed{seed}.json", lambda: self._piece(arm, seed))

    def _piece(self, arm: str, seed: int) -> dict[str, Any]:
        started = time.perf_counter()
        made = ARMS[arm](Material(self.real, self.synthetic, seed))
        training = replace(self.configuration.recogniser_training, seed=seed)
        if made.augmentation != "none":
            training = replace(training, augmentation=made.augmentation)
        if training.epochs is None:
            training = replace(training, steps=round(training.steps * made.steps_factor))
        config = MusemoViTConfig(n_frames=self.real.spectrogram.shape[-1], **self.configuration.recogniser)
        trainer = RecogniserTrainer(
            config,
            training,
            made.clips,
            self.dir / f"{arm}-seed{seed}",
            self.ablation.accelerator,
            data_parallel=False,
        )
        model = trainer.train()
        tested = self.ablation.clips.spectrogram[torch.from_numpy(self.split.test)]
        predicted = self._predict(model, tested)
        for checkpoint in checkpoints(self.dir / f"{arm}-seed{seed}"):
            shutil.rmtree(checkpoint)  # finished: optimizer states of dozens of pieces would fill a disk
        drawn = trainer.steps * training.batch_size / len(made.clips)
        return {
            "song_id": self.ablation.songs.song_id[self.split.test].tolist(),
            "predictions": predicted.tolist(),
            "rescaled": self._rescale(model, predicted).tolist(),
            "heard": self._heard(model).tolist() if arm == "real" else None,
            "steps": trainer.steps,
            "n_clips": len(made.clips),
            "times_each_real_clip": drawn if made.n_real else 0.0,
            "times_each_synthetic_clip": drawn if len(made.clips) > made.n_real else 0.0,
            "seconds": time.perf_counter() - started,
        }

    def _heard(self, model: MusemoViTForEmotionRegression) -> np.ndarray:
        """What a recogniser of real songs hears in the clips generated at the test songs' emotions, `(N, 2)`."""
        generated = np.load(self.dir / "generated.npy").astype(np.float32)
        return self._predict(model, normalise(torch.from_numpy(generated))[:, None])

    def _predict(self, model: MusemoViTForEmotionRegression, spectrogram: torch.Tensor) -> np.ndarray:
        return predict(model, spectrogram, crops=self.configuration.recogniser_training.test_crops).double().numpy()

    def _rescale(self, model: MusemoViTForEmotionRegression, predicted: np.ndarray) -> np.ndarray:
        """Spread and mean matched to the labels with constants of training songs alone."""
        chosen = np.random.default_rng(0).permutation(len(self.real))[:RESCALING_CLIPS]
        songs = self.real[torch.from_numpy(chosen)]
        fitted, labels = self._predict(model, songs.spectrogram), self.real.emotion.double().numpy()
        spread = labels.std(axis=0) / np.maximum(fitted.std(axis=0), 1e-6)
        return (predicted - fitted.mean(axis=0)) * spread + labels.mean(axis=0)
