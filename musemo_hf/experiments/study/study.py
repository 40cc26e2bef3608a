"""The context of a study: which part of a generator's recipe helps, at equal updates and on songs none has seen?"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from accelerate import Accelerator

from musemo_hf.data.arrays import SongArrays
from musemo_hf.data.folds import artist_groups, folds_hash
from musemo_hf.evaluation.score.reference_set import ReferenceSet
from musemo_hf.evaluation.statistics.concordance import concordance_report
from musemo_hf.files import atomic_write
from musemo_hf.pipelines.embedders.find import find_audio_embedder
from musemo_hf.training.clips import Clips
from musemo_hf.training.corpus import hold_out, select
from musemo_hf.training.identity import data_identity

from .networks import check_networks
from .plan import StudyConfiguration, StudyPlan


@dataclass(frozen=True, eq=False)
class Study:
    """What all tasks of a study share. It does not change, and is sent to the processes that run tasks.

    Attributes:
        configuration: The plan, the variants and all settings.
        songs: The corpus; variants are measured against the songs of the plan's fold, and trained on the others.
        run_dir: The folder of the results.
        accelerator: The accelerator of the launch; a process that receives the context makes one of its own.
        accept_other_hardware: Whether trainings that were begun on another device may go on, see `TrainingLoop.train`.
        data_dir: The folder with the audio of the songs, which variants of the kind "wavegan" learn from; None for
            none.
        embedder: The name of the embedder of audio that measures variants through sound, for `find_embedder`, of a
            model that takes no part in any training; None leaves out the figures through sound.

    Raises:
        ValueError: The comparison is not a fair one (see `StudyConfiguration.check`), there is no such fold, or the
            embedder reads no audio.
        PretrainedModelError: The model of the embedder is missing.
    """

    configuration: StudyConfiguration
    songs: SongArrays
    run_dir: Path
    accelerator: Accelerator
    accept_other_hardware: bool = False
    data_dir: Path | None = None
    embedder: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "run_dir", Path(self.run_dir).absolute())  # workers have another current folder
        if self.data_dir is not None:
            object.__setattr__(self, "data_dir", Path(self.data_dir).absolute())
        self.configuration.check()
        check_networks(self.configuration, self.n_frames)
        hold_out(self.songs, self.plan.fold)
        if self.embedder is not None:
            find_audio_embedder(self.embedder)  # a model that is missing is told before anything is trained

    def __getstate__(self) -> dict[str, Any]:
        names = ("configuration", "songs", "run_dir", "accept_other_hardware", "data_dir", "embedder")
        return {name: getattr(self, name) for name in names}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, accelerator=Accelerator())

    @property
    def plan(self) -> StudyPlan:
        """The plan."""
        return self.configuration.study

    @property
    def n_frames(self) -> int:
        """The number of frames of a clip."""
        return int(self.songs.spectrogram.shape[-1])

    @cached_property
    def training_songs(self) -> SongArrays:
        """The songs that variants are trained on."""
        return hold_out(self.songs, self.plan.fold)

    @cached_property
    def held_out(self) -> SongArrays:
        """The songs that variants are measured against."""
        return select(self.songs, np.flatnonzero(self.songs.fold == self.plan.fold))

    @cached_property
    def training(self) -> Clips:
        """The clips that variants are trained on."""
        return Clips.of_songs(self.training_songs)

    @cached_property
    def reference(self) -> ReferenceSet:
        """The reference set that variants are measured against."""
        held_out, training = self.held_out.spectrogram, self.training_songs.spectrogram
        return ReferenceSet(held_out, training, n_resamples=self.plan.n_resamples)

    def agreement(self, predicted: np.ndarray, index: Sequence[int] | np.ndarray) -> dict[str, Any]:
        """Return the concordance of predictions with the emotions of held-out songs; intervals resample artists."""
        groups = artist_groups(self.held_out.artist)
        report = concordance_report(
            predicted,
            self.held_out.emotion[index],
            [groups[i] for i in index],
            confidence=0.95,
            n_resamples=self.plan.n_resamples,
        )
        figures = {f"ccc_{name}": report["ccc"][i] for i, name in enumerate(("valence", "arousal"))}
        ends = {f"ccc_{name}_interval": report["ccc_interval"][i] for i, name in enumerate(("valence", "arousal"))}
        return figures | ends | {"n": report["n"]}

    def identify(self, folder: Path, settings: dict[str, Any]) -> None:
        """Write what decides the results in a folder, or refuse a folder that was begun with other settings.

        Raises:
            ValueError: The folder was begun with other settings or songs.
        """
        common = {
            "songs": folds_hash(self.songs.song_id, self.songs.fold),
            "fold": self.plan.fold,
            "data": asdict(self.configuration.data),
        }
        wanted = json.loads(json.dumps(common | settings | {"hashes": self._data}))
        path = folder / "configuration.yaml"
        made = yaml.safe_load(path.read_text(encoding="utf-8")) if path.is_file() else wanted
        if {"hashes": self._data, **made} != wanted:  # an earlier version wrote no hashes
            raise ValueError(f"{folder} was begun with other settings or songs: choose another folder, or remove it")
        atomic_write(path, yaml.safe_dump(wanted))

    @cached_property
    def _data(self) -> dict[str, Any]:
        """The identity of the training and of the held-out songs."""
        return {"training": data_identity(self.training), "held_out": data_identity(Clips.of_songs(self.held_out))}
