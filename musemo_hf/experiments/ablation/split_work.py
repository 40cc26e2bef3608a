"""The pieces of one split of an ablation, each a file in its folder."""

import json
import shutil
import time
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from musemo_hf.audio.mel import normalise
from musemo_hf.data.folds import artist_folds
from musemo_hf.experiments.ablation.baselines.kernel import fit_kernel
from musemo_hf.experiments.ablation.baselines.regressors import INNER_FOLDS, SEEDED, Fitted, Songs, fit_baseline
from musemo_hf.experiments.ablation.baselines.small_cnn import fit_cnn
from musemo_hf.files import once
from musemo_hf.models.vit import MusemoViTConfig, MusemoViTForEmotionRegression
from musemo_hf.training.checkpoint import checkpoints
from musemo_hf.training.clips import Clips
from musemo_hf.training.recogniser.prediction import predict
from musemo_hf.training.recogniser.trainer import RecogniserTrainer

from .arms import ARMS, GENERATIVE, Arm, Material, arm_and_share, draw_emotions
from .fold_generator import FoldGenerator
from .splits import Split

if TYPE_CHECKING:
    from .ablation import Ablation

RESCALING_CLIPS = 400  # training songs whose predictions give the constants of rescaling


class SplitWork:
    """The pieces of one split.

    Args:
        ablation: it belongs to.
        split: which songs.
    """

    def __init__(self, ablation: "Ablation", split: Split) -> None:
        self.ablation, self.split, self.dir = ablation, split, ablation.run_dir / split.name
        self.configuration, self.plan = ablation.configuration, ablation.plan
        self.generator = FoldGenerator(self.configuration, self.dir, ablation.accelerator)
        self._made: tuple[int, torch.Tensor] | None = None

    @cached_property
    def real(self) -> Clips:
        """The training songs."""
        return self.ablation.clips[torch.from_numpy(self.split.train)]

    def path(self, arm: str, seed: int) -> Path:
        """Where the piece of an arm and a seed is."""
        return self.dir / f"{arm}-seed{seed}.json"

    def ensure_generator(self) -> None:
        """Train the generator on its songs, unless that is done."""
        clips = self.ablation.clips
        songs = clips[torch.from_numpy(self.split.generator_train)]
        self.generator.ensure(songs, clips.emotion[torch.from_numpy(self.split.test)])

    def emotions(self, share: float | None) -> torch.Tensor:
        """What is asked of the generator, `(M, 2)`; in "as-run" first what falls into the training part."""
        plan, split = self.plan, self.split
        seed = plan.seeds[0]
        if split.mixed:
            n = split.n_synthetic_train + split.n_synthetic_test
            return draw_emotions(self.real.emotion, n, plan.emotions, seed=seed)
        n = round((plan.synthetic_share if share is None else share) * len(self.real))
        return draw_emotions(self.real.emotion, n, plan.emotions, seed=seed)

    def generate(self, emotion: torch.Tensor) -> torch.Tensor:
        """The generator's clips; the last ones made are kept, as arms and seeds share them."""
        if self._made is None or self._made[0] != len(emotion):
            self._made = len(emotion), self.generator.generate(emotion, self.plan.seeds[0])
        return self._made[1]

    def predictions(self, arm: str, seed: int) -> dict[str, Any]:
        """The piece of an arm and a seed: predictions of the test songs, computed where missing."""
        return once(self.path(arm, seed), lambda: self._piece(arm, seed))

    def needs_generator(self, arm: str) -> bool:
        """Whether an arm cannot do without a generator."""
        return arm_and_share(arm)[0] in GENERATIVE

    def make_arm(self, arm: str, seed: int) -> Arm:
        """The training set of an arm."""
        base, share = arm_and_share(arm)
        emotion, n = self.emotions(share), self.split.n_synthetic_train
        if not self.split.mixed:
            return ARMS[base](Material(self.real, emotion, self.generate, seed))
        return ARMS[base](Material(self.real, emotion[:n], lambda _: self.generate(emotion)[:n], seed))

    def _piece(self, arm: str, seed: int) -> dict[str, Any]:
        started = time.perf_counter()
        made = self.make_arm(arm, seed)
        training = replace(self.configuration.recogniser_training, seed=seed)
        if made.augmentation not in ("none", *training.augmentation.split("+")):  # on top of what every arm gets
            both = [name for name in (training.augmentation, made.augmentation) if name != "none"]
            training = replace(training, augmentation="+".join(both))
        if training.epochs is None:
            training = replace(training, steps=round(training.steps * made.steps_factor))
        config = MusemoViTConfig(n_frames=self.real.spectrogram.shape[-1], **self.configuration.recogniser)
        folder = self.path(arm, seed).with_suffix("")
        trainer = RecogniserTrainer(
            config, training, made.clips, folder, self.ablation.accelerator, data_parallel=False
        )
        model = trainer.train()
        tested = self.ablation.clips.spectrogram[torch.from_numpy(self.split.test)]
        predicted = predict(model, tested).double().numpy()
        for checkpoint in checkpoints(folder):
            shutil.rmtree(checkpoint)  # finished: optimizer states of dozens of pieces would fill a disk
        return {
            "song_id": self.ablation.songs.song_id[self.split.test].tolist(),
            "predictions": predicted.tolist(),
            "rescaled": self._rescale(model, predicted).tolist(),
            "heard": self._heard(model).tolist() if arm == "real" and self.generator.trained else None,
            **self._exposures(made, trainer.steps, training.batch_size),
            **self._mixed(model),
            "seconds": time.perf_counter() - started,
        }

    def _exposures(self, made: Arm, steps: int, batch_size: int) -> dict[str, float]:
        drawn = steps * batch_size / len(made.clips)
        return {
            "steps": steps,
            "n_clips": len(made.clips),
            "times_each_real_clip": drawn if made.n_real else 0.0,
            "times_each_synthetic_clip": drawn if len(made.clips) > made.n_real else 0.0,
        }

    def _mixed(self, model: MusemoViTForEmotionRegression) -> dict[str, Any]:
        """In "as-run": predictions of the synthetic songs of the test part, and what was asked for."""
        if not (self.split.mixed and self.generator.trained):
            return {}
        emotion, n = self.emotions(None), self.split.n_synthetic_train
        predicted = predict(model, self.generate(emotion)[n:]).double()
        return {"synthetic_predictions": predicted.tolist(), "synthetic_emotion": emotion[n:].double().tolist()}

    def _heard(self, model: MusemoViTForEmotionRegression) -> np.ndarray:
        """What a recogniser of real songs hears in the clips generated at the test songs' emotions, `(N, 2)`."""
        generated = np.load(self.generator.made).astype(np.float32)
        return predict(model, normalise(torch.from_numpy(generated))[:, None]).double().numpy()

    def _rescale(self, model: MusemoViTForEmotionRegression, predicted: np.ndarray) -> np.ndarray:
        """Spread and mean matched to the labels with constants of training songs alone."""
        chosen = np.random.default_rng(0).permutation(len(self.real))[:RESCALING_CLIPS]
        songs = self.real[torch.from_numpy(chosen)]
        fitted, labels = predict(model, songs.spectrogram).double().numpy(), self.real.emotion.double().numpy()
        spread = labels.std(axis=0) / np.maximum(fitted.std(axis=0), 1e-6)
        return (predicted - fitted.mean(axis=0)) * spread + labels.mean(axis=0)

    def baseline_path(self, name: str, labels: str, seed: int) -> Path:
        """Where the piece of a baseline is."""
        return self.dir / "baselines" / f"{name}-{labels}-seed{seed if name in SEEDED else 0}.json"

    def baseline(self, name: str, labels: str, seed: int) -> dict[str, Any]:
        """A baseline's predictions of the test songs, trained on `labels` ("corrected" or "published")."""
        return once(self.baseline_path(name, labels, seed), lambda: self._baseline(name, labels, seed))

    def _baseline(self, name: str, labels: str, seed: int) -> dict[str, Any]:
        started = time.perf_counter()
        fitted, emotion = self._fit(name, labels, seed), self.ablation.labels[labels]
        return {
            "song_id": self.ablation.songs.song_id[self.split.test].tolist(),
            "predictions": fitted.predictions.tolist(),
            "rescaled": fitted.rescaled(emotion[self.split.train]).tolist(),
            "selected": json.loads(json.dumps(fitted.selected, default=float)),
            "seconds": time.perf_counter() - started,
        }

    def _inner_folds(self, emotion: np.ndarray) -> np.ndarray:
        songs, train = self.ablation.songs, self.split.train
        return artist_folds([songs.artist[i] for i in train], emotion[train], songs.year[train].tolist(), INNER_FOLDS)

    def _fit(self, name: str, labels: str, seed: int) -> Fitted:
        ablation, split = self.ablation, self.split
        emotion = ablation.labels[labels]
        if name in ("cnn", "kernel"):
            train = Clips(self.real.spectrogram, torch.from_numpy(emotion[split.train]).float())
            test = ablation.clips.spectrogram[torch.from_numpy(split.test)]
            if name == "kernel":
                return fit_kernel(train, test, self._inner_folds(emotion))
            training = replace(self.configuration.recogniser_training, seed=seed)
            return fit_cnn(train, test, training, ablation.accelerator.device)
        songs = Songs(ablation.features, emotion, ablation.songs.artist, ablation.songs.year.tolist())
        return fit_baseline(name, songs[split.train], songs[split.test], seed)
