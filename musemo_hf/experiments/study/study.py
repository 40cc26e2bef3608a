"""Which part of a generator's recipe helps? Every rung trained at equal updates, and judged by songs none has seen."""

import json
import logging
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
import yaml
from accelerate import Accelerator

from musemo_hf.audio.feature_extraction_musemo import MusemoFeatureExtractor
from musemo_hf.data.arrays import SongArrays
from musemo_hf.data.folds import artist_groups, folds_hash
from musemo_hf.evaluation.score.reference_set import ReferenceSet
from musemo_hf.evaluation.statistics.concordance import concordance_report
from musemo_hf.experiments.runner.claims import claim
from musemo_hf.files import atomic_write, once
from musemo_hf.models.vit import MusemoViTConfig, MusemoViTForEmotionRegression
from musemo_hf.training.checkpoint import save_model
from musemo_hf.training.clips import Clips
from musemo_hf.training.corpus import hold_out, select
from musemo_hf.training.recogniser.prediction import predict
from musemo_hf.training.recogniser.trainer import RecogniserTrainer

from .networks import check_networks
from .plan import StudyConfiguration
from .variant import Rung

logger = logging.getLogger(__name__)
POLL = 2.0  # seconds until a process without work looks again whether others have finished what it needs


class Piece(Protocol):
    """A part of a study that is computed once, in a folder of its own."""

    folder: Path

    @property
    def done(self) -> bool:
        """Whether its result is there."""

    @property
    def ready(self) -> bool:
        """Whether the pieces that it needs are there."""

    def identity(self) -> dict[str, Any]:
        """What decides its result, as plain data."""

    def make(self) -> None:
        """Compute it; a piece that was interrupted goes on from its checkpoints."""


class Study:
    """The pieces of a study, shared out among all processes that work on its folder.

    Args:
        configuration: of all rungs.
        songs: the corpus; the plan's fold is judged on, the others are trained on.
        run_dir: a folder a piece.
        accelerator: of the launch.

    Raises:
        ValueError: see `StudyConfiguration.check`; no such fold.
    """

    def __init__(
        self, configuration: StudyConfiguration, songs: SongArrays, run_dir: str | Path, accelerator: Accelerator
    ) -> None:
        configuration.check()
        check_networks(configuration, int(songs.spectrogram.shape[-1]))
        self.configuration, self.plan = configuration, configuration.study
        self.run_dir, self.accelerator = Path(run_dir), accelerator
        self.n_frames = int(songs.spectrogram.shape[-1])
        self.training_songs = hold_out(songs, self.plan.fold)
        self.held_out = select(songs, np.flatnonzero(songs.fold == self.plan.fold))
        self.songs_hash = folds_hash(songs.song_id, songs.fold)
        self.judge = Listener(self, "judge", self.plan.judge_seed)
        self.teacher = Listener(self, "teacher", self.plan.teacher_seed)
        seeds = {name: configuration.seeds_of(name) for name in configuration.variants}
        self.rungs = [Rung(self, name, seed) for name in seeds for seed in seeds[name]]

    @cached_property
    def training(self) -> Clips:
        """What every rung is trained on."""
        return Clips.of_songs(self.training_songs)

    @cached_property
    def yardstick(self) -> ReferenceSet:
        """What every rung is judged by."""
        held_out, training = self.held_out.spectrogram, self.training_songs.spectrogram
        return ReferenceSet(held_out, training, n_resamples=self.plan.n_resamples)

    @property
    def pieces(self) -> Sequence[Piece]:
        """All of them, in the order in which they are begun: what others need comes first."""
        configuration = self.configuration
        first = [self.judge, *([self.teacher] if any(map(configuration.uses_teacher, configuration.variants)) else [])]
        return [*first, *sorted(self.rungs, key=lambda rung: rung.name != self.plan.baseline)]

    def run(self) -> bool:
        """Compute what is missing, until all is there or the plan's minutes are over; returns whether all is there."""
        started = time.monotonic()
        while missing := [piece for piece in self.pieces if not piece.done]:
            made = False
            for piece in missing:
                if self.plan.minutes is not None and time.monotonic() - started > 60 * self.plan.minutes:
                    logger.info("%g minutes are over: start again to go on", self.plan.minutes)
                    return False
                made = self._try(piece) or made
            if not made:
                time.sleep(POLL)
        return True

    def _try(self, piece: Piece) -> bool:
        """Compute a piece unless it is done, not ready, or another process has it."""
        if not piece.ready:
            return False
        with claim(piece.folder) as ours:
            if not ours or piece.done:
                return False
            logger.info("%s", piece.folder.name)
            _identify(piece.folder / "configuration.yaml", piece.identity())
            piece.make()
        return True

    def common_identity(self) -> dict[str, Any]:
        """What decides every piece: the songs and the fold."""
        return {"songs": self.songs_hash, "fold": self.plan.fold, "data": asdict(self.configuration.data)}

    def heard(self, spectrogram: torch.Tensor) -> np.ndarray:
        """What the judge hears in normalised log-mels `(N, 1, 128, n_frames)`: float64 `(N, 2)`."""
        return predict(self.judge.model, spectrogram).double().numpy()

    def agreement(self, heard: np.ndarray, index: Sequence[int] | np.ndarray) -> dict[str, Any]:
        """Concordance of what was heard with the emotions of held-out songs; intervals draw artists."""
        groups = artist_groups(self.held_out.artist)
        report = concordance_report(
            heard,
            self.held_out.emotion[index],
            [groups[i] for i in index],
            confidence=0.95,
            n_resamples=self.plan.n_resamples,
        )
        figures = {f"ccc_{name}": report["ccc"][i] for i, name in enumerate(("valence", "arousal"))}
        ends = {f"ccc_{name}_interval": report["ccc_interval"][i] for i, name in enumerate(("valence", "arousal"))}
        return figures | ends | {"n": report["n"]}

    def agreement_of_judge(self) -> dict[str, Any] | None:
        """The judge's agreement with the labels of held-out songs: what conditioning can at best be heard by."""
        path = self.judge.folder / "figures.json"
        return json.loads(path.read_text()) if path.is_file() else None


class Listener:
    """A recogniser of the training songs: the judge, or the teacher of rungs that ask one.

    Args:
        study: that it belongs to.
        name: of its folder.
        seed: of its training, so that judge and teacher are not the same.
    """

    def __init__(self, study: Study, name: str, seed: int) -> None:
        self.study, self.seed, self.folder = study, seed, study.run_dir / name
        self.checkpoint = self.folder / "recogniser"

    @property
    def done(self) -> bool:
        """Whether its result is there."""
        return (self.folder / "figures.json").is_file()

    @property
    def ready(self) -> bool:
        """Always: it needs nothing."""
        return True

    def identity(self) -> dict[str, Any]:
        """What decides its result."""
        configuration = self.study.configuration
        training = replace(configuration.recogniser_training, seed=self.seed)
        return self.study.common_identity() | {"recogniser": configuration.recogniser, "training": asdict(training)}

    @cached_property
    def model(self) -> MusemoViTForEmotionRegression:
        """The trained recogniser."""
        model = MusemoViTForEmotionRegression.from_pretrained(self.checkpoint)
        return model.to(self.study.accelerator.device).eval()

    def make(self) -> None:
        """Train it, and test it on the held-out songs."""
        study = self.study
        config = MusemoViTConfig(n_frames=study.n_frames, **study.configuration.recogniser)
        training = replace(study.configuration.recogniser_training, seed=self.seed)
        trainer = RecogniserTrainer(
            config, training, study.training, self.folder / "run", study.accelerator, data_parallel=False
        )
        save_model(trainer.train(), self.checkpoint)
        MusemoFeatureExtractor(n_frames=study.n_frames).save_pretrained(self.checkpoint)
        heard = predict(self.model, Clips.of_songs(study.held_out).spectrogram).double().numpy()
        once(self.folder / "figures.json", lambda: study.agreement(heard, np.arange(len(heard))))


def _identify(path: Path, identity: dict[str, Any]) -> None:
    """Write what a piece is, or refuse a folder in which another one was begun.

    Raises:
        ValueError: the folder holds another piece.
    """
    text = yaml.safe_dump(json.loads(json.dumps(identity)))
    if path.is_file() and path.read_text() != text:
        raise ValueError(f"{path.parent} was begun with other settings or songs: choose another folder, or remove it")
    atomic_write(path, text)
