"""The work of one split of an ablation: a generator, and what recognisers and baselines predict for the test songs."""

import json
import shutil
import time
from dataclasses import replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from musemo_hf.audio.mel import denormalise, normalise
from musemo_hf.data.folds import artist_folds, artist_groups
from musemo_hf.experiments.ablation.baselines.kernel import fit_kernel
from musemo_hf.experiments.ablation.baselines.regressors import INNER_FOLDS, SEEDED, Fitted, Songs, fit_baseline
from musemo_hf.experiments.ablation.baselines.small_cnn import SmallCnnTrainer, fit_cnn
from musemo_hf.models.vit import MusemoViTForEmotionRegression
from musemo_hf.pipelines.embedders.sound_features import sound_features
from musemo_hf.runner.task import SkipTask
from musemo_hf.training.checkpoint import checkpoints
from musemo_hf.training.clips import Clips
from musemo_hf.training.recogniser.prediction import predict
from musemo_hf.training.recogniser.settings import RecogniserTraining

from .ablation import Ablation
from .arm_training import ArmTraining
from .arms import ARMS, arm_and_share, needs_generator
from .fold_generator import FoldGenerator
from .material import Arm, Material, draw_emotions
from .splits import Split
from .teacher import Teacher

RESCALING_CLIPS = 400  # training songs whose predictions give the constants of rescaling
TEACHER_FOLDS = 5  # artist-disjoint, inside the training part
EXTERNAL_EMBEDDER = "yamnet"


class SplitWork:
    """The files of one split, and how each is made.

    Args:
        ablation: The context.
        split: The split.
    """

    def __init__(self, ablation: Ablation, split: Split) -> None:
        self.ablation, self.split, self.dir = ablation, split, ablation.run_dir / split.name
        self.configuration, self.plan = ablation.configuration, ablation.plan
        self.generator = FoldGenerator(self.configuration, self.dir, ablation.accelerator)
        self._generated: torch.Tensor | None = None
        self._varied: Clips | None = None
        self._teachers: dict[bool, Teacher] = {}

    @cached_property
    def real(self) -> Clips:
        """The training songs."""
        return self.ablation.clips[torch.from_numpy(self.split.train)]

    @cached_property
    def test(self) -> Clips:
        """The test songs."""
        return self.ablation.clips[torch.from_numpy(self.split.test)]

    def path(self, arm: str, seed: int) -> Path:
        """Return the file of an arm and a seed."""
        return self.dir / f"{arm}-seed{seed}.json"

    def baseline_path(self, name: str, labels: str, seed: int) -> Path:
        """Return the file of a baseline."""
        return self.dir / "baselines" / f"{name}-{labels}-seed{seed if name in SEEDED else 0}.json"

    def predictions(self, arm: str, seed: int) -> dict[str, Any]:
        """Read what `train_arm` returned."""
        return json.loads(self.path(arm, seed).read_text())

    def baseline(self, name: str, labels: str, seed: int) -> dict[str, Any]:
        """Read what `fit` returned."""
        return json.loads(self.baseline_path(name, labels, seed).read_text())

    def train_generator(self) -> None:
        """Train the generator on its songs, and keep its clips at the emotions of the test songs."""
        songs = self.ablation.clips[torch.from_numpy(self.split.generator_train)]
        self.generator.ensure(songs, self.test.emotion, self.ablation.accept_other_hardware)

    def emotions(self, share: float | None) -> torch.Tensor:
        """Draw the emotions `(M, 2)` to generate; in "as-run" those of the training part come first."""
        plan, split = self.plan, self.split
        if split.mixed:
            n = split.n_synthetic_train + split.n_synthetic_test
        else:
            n = round((plan.synthetic_share if share is None else share) * len(self.real))
        return draw_emotions(self.real.emotion, n, plan.emotions, seed=plan.seeds[0])

    def generate(self, emotion: torch.Tensor) -> torch.Tensor:
        """Generate clips; the last ones are kept, as arms and seeds share them."""
        if self._generated is None or len(self._generated) != len(emotion):
            self._generated = self.generator.generate(emotion, self.plan.seeds[0])
        return self._generated

    def vary(self, clips: Clips, emotion: torch.Tensor) -> Clips:
        """Make variations of clips; the last ones are kept, as seeds share them."""
        if self._varied is None or len(self._varied) != len(emotion):
            self._varied = self.generator.vary(clips, emotion, self.plan.variation_strength, self.plan.seeds[0])
        return self._varied

    def teach(self, external: bool) -> Teacher:
        """Fit a teacher to the training songs, once; an external one also learns from a pretrained audio model.

        Raises:
            PretrainedModelError: The pretrained audio model is not there.
        """
        if external not in self._teachers:
            n_artists = len(set(artist_groups([self.ablation.songs.artist[i] for i in self.split.train])))
            folds = self._inner_folds(self.real.emotion.double().numpy(), min(TEACHER_FOLDS, n_artists))
            self._teachers[external] = Teacher(self.real, folds, _external_features if external else None)
        return self._teachers[external]

    def _inner_folds(self, emotion: np.ndarray, n_folds: int) -> np.ndarray:
        """Return artist-disjoint folds of the training songs, `(N,)`."""
        songs, train = self.ablation.songs, self.split.train
        return artist_folds([songs.artist[i] for i in train], emotion, songs.year[train].tolist(), n_folds)

    def make_arm(self, arm: str, seed: int) -> Arm:
        """Make the training set of an arm."""
        base, share = arm_and_share(arm)
        emotion, n = self.emotions(share), self.split.n_synthetic_train
        if not self.split.mixed:
            return ARMS[base](Material(self.real, emotion, self.generate, seed, self.vary, self.teach))
        made = lambda _: self.generate(emotion)[:n]  # noqa: E731
        return ARMS[base](Material(self.real, emotion[:n], made, seed, self.vary, self.teach))

    def train_arm(self, arm: str, seed: int) -> dict[str, Any]:
        """Train a recogniser on the training set of an arm, and predict the test songs.

        Raises:
            SkipTask: The arm needs a generator, and its training failed.
        """
        if needs_generator(arm) and self.generator.failure is not None:
            raise SkipTask(f"the generator of {self.split.name} failed: {self.generator.failure}")
        started = time.perf_counter()
        folder = self.path(arm, seed).with_suffix("")
        training = ArmTraining(self.configuration, self.make_arm(arm, seed), seed, folder, self.ablation.accelerator)
        model = training.train(self.ablation.accept_other_hardware)
        predicted = predict(model, self.test.spectrogram).double().numpy()
        result = {
            "song_id": self.ablation.songs.song_id[self.split.test].tolist(),
            "predictions": predicted.tolist(),
            "rescaled": self._rescale(model, predicted).tolist(),
            "heard": self._recognised(model).tolist() if arm == "real" and self.generator.measured else None,
            **training.exposures(),
            **self._mixed(model),
            "seconds": time.perf_counter() - started,
        }
        return result

    def _mixed(self, model: MusemoViTForEmotionRegression) -> dict[str, Any]:
        """In "as-run", predict the synthetic songs of the test part too."""
        if not (self.split.mixed and self.generator.trained):
            return {}
        emotion, n = self.emotions(None), self.split.n_synthetic_train
        predicted = predict(model, self.generate(emotion)[n:]).double()
        return {"synthetic_predictions": predicted.tolist(), "synthetic_emotion": emotion[n:].double().tolist()}

    def _recognised(self, model: MusemoViTForEmotionRegression) -> np.ndarray:
        """Predict the emotion `(N, 2)` of the clips that were generated at the test songs' emotions."""
        generated = np.load(self.generator.made).astype(np.float32)
        return predict(model, normalise(torch.from_numpy(generated))[:, None]).double().numpy()

    def _rescale(self, model: MusemoViTForEmotionRegression, predicted: np.ndarray) -> np.ndarray:
        """Match mean and spread of predictions to the labels, with constants of training songs alone."""
        chosen = np.random.default_rng(0).permutation(len(self.real))[:RESCALING_CLIPS]
        songs = self.real[torch.from_numpy(chosen)]
        fitted, labels = predict(model, songs.spectrogram).double().numpy(), self.real.emotion.double().numpy()
        spread = labels.std(axis=0) / np.maximum(fitted.std(axis=0), 1e-6)
        return (predicted - fitted.mean(axis=0)) * spread + labels.mean(axis=0)

    def fit(self, name: str, labels: str, seed: int) -> dict[str, Any]:
        """Fit a baseline to `labels` ("corrected" or "published"), and predict the test songs."""
        started = time.perf_counter()
        emotion = self.ablation.labels[labels]
        fitted = self._fit(name, labels, emotion, seed)
        return {
            "song_id": self.ablation.songs.song_id[self.split.test].tolist(),
            "predictions": fitted.predictions.tolist(),
            "rescaled": fitted.rescaled(emotion[self.split.train]).tolist(),
            "selected": json.loads(json.dumps(fitted.selected, default=float)),
            "seconds": time.perf_counter() - started,
        }

    def _fit_cnn(self, train: Clips, training: RecogniserTraining, labels: str) -> Fitted:
        folder = self.baseline_path("cnn", labels, training.seed).with_suffix("")
        trainer = SmallCnnTrainer(train, training, folder, self.ablation.accelerator)
        fitted = fit_cnn(trainer, self.test.spectrogram, self.ablation.accept_other_hardware)
        for checkpoint in checkpoints(folder):
            shutil.rmtree(checkpoint)
        return fitted

    def _fit(self, name: str, labels: str, emotion: np.ndarray, seed: int) -> Fitted:
        songs, split = self.ablation.songs, self.split
        if name in ("cnn", "kernel"):
            train = Clips(self.real.spectrogram, torch.from_numpy(emotion[split.train]).float())
            if name == "cnn":
                training = replace(self.configuration.recogniser_training, seed=seed)
                return self._fit_cnn(train, training, labels)
            return fit_kernel(train, self.test.spectrogram, self._inner_folds(emotion[split.train], INNER_FOLDS))
        all_songs = Songs(self.ablation.features, emotion, songs.artist, songs.year.tolist())
        return fit_baseline(name, all_songs[split.train], all_songs[split.test], seed)


def _external_features(spectrogram: torch.Tensor) -> np.ndarray:
    """Embed normalised log-mels by the pretrained audio model, through the inversion that all log-mels go through."""
    decibels = denormalise(spectrogram[:, 0]).cpu().numpy()
    return sound_features(decibels, EXTERNAL_EMBEDDER, n_frames=decibels.shape[-1], title="teacher").features


@lru_cache(maxsize=1)  # only the latest split's clips are held
def work_of(ablation: Ablation, split: str) -> SplitWork:
    """Return the work of a split by its name; the tasks of a split share its clips."""
    return SplitWork(ablation, next(each for each in ablation.splits if each.name == split))
