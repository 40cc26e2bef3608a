"""The context of the comparison: songs, embedding and folds; and its tasks, one for each fold and seed."""

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch

from musemo_hf.data.arrays import SongArrays
from musemo_hf.data.deam.layout import find_deam
from musemo_hf.data.folds import artist_folds, artist_groups, folds_hash
from musemo_hf.files import atomic_write, is_whole
from musemo_hf.pipelines.embedders.sound_features import sound_features
from musemo_hf.runner.engines import Engine
from musemo_hf.runner.scheduler import Outcome, run_tasks
from musemo_hf.runner.task import Task
from musemo_hf.training.clips import Clips

from .recipes import RECIPES, Part, fit_recipes

N_FOLDS = 5


@dataclass(frozen=True, eq=False)
class RecogniserComparison:
    """What all tasks share.

    Attributes:
        songs: The corpus.
        embedding: The external embedding of each song `(N, D)`; None for recipes of log-mels alone.
        embedder: The name of the embedder; None without one.
        run_dir: The folder of the results.
        seeds: The seeds of the recipes that have one.

    Raises:
        ValueError: `run_dir` holds the results of other songs or of another embedder.
    """

    songs: SongArrays
    embedding: np.ndarray | None
    embedder: str | None
    run_dir: Path
    seeds: tuple[int, ...] = (0, 1, 2)

    def __post_init__(self) -> None:
        identity: dict[str, Any] = {"folds": folds_hash(self.songs.song_id, self.folds), "embedder": self.embedder}
        identity["labels"] = float(np.abs(self.songs.emotion).sum())
        path = self.run_dir / "comparison.json"
        if is_whole(path) and json.loads(path.read_text()) != identity:
            raise ValueError(f"{self.run_dir} holds the results of other songs or embedders: choose another folder")
        atomic_write(path, json.dumps(identity))

    @cached_property
    def folds(self) -> np.ndarray:
        """The artist-disjoint fold of each song."""
        return artist_folds(self.songs.artist, self.songs.emotion, self.songs.year.tolist(), N_FOLDS)

    @cached_property
    def everything(self) -> Part:
        """All songs."""
        clips = Clips.of_songs(self.songs)
        embedding = None if self.embedding is None else torch.from_numpy(self.embedding).float()
        artists = np.unique(artist_groups(self.songs.artist), return_inverse=True)[1]
        return Part(clips.spectrogram, clips.emotion, embedding, artists)

    def path(self, fold: int, seed: int) -> Path:
        """Return the file of the predictions of a fold and a seed."""
        return self.run_dir / f"fold{fold}-seed{seed}.json"

    def predictions(self, recipe: str) -> np.ndarray:
        """Return the out-of-fold predictions of a recipe, `(seeds, N, 2)`."""
        seeds = self.seeds if RECIPES[recipe].seeded else self.seeds[:1]
        found = np.empty((len(seeds), len(self.songs), 2))
        for row, seed in enumerate(seeds):
            for fold in range(N_FOLDS):
                values = json.loads(self.path(fold, seed).read_text())[recipe]["predictions"]
                found[row, self.folds == fold] = values
        return found

    def recipes(self) -> list[str]:
        """Return the names of the recipes that were fitted."""
        fitted = json.loads(self.path(0, self.seeds[0]).read_text())
        return [name for name in RECIPES if name in fitted]


def run_comparison(comparison: RecogniserComparison, engine: Engine | None = None) -> Outcome:
    """Compute every result that is missing, together with other processes that were given the folder."""
    tasks = [
        Task(f"fold{fold}-seed{seed}", fit_fold, (fold, seed), result=comparison.path(fold, seed))
        for seed in comparison.seeds
        for fold in range(N_FOLDS)
    ]
    return run_tasks(tasks, comparison, comparison.run_dir / "locks", engine)


def fit_fold(comparison: RecogniserComparison, fold: int, seed: int) -> dict[str, Any]:
    """Fit all recipes without a fold, and predict it."""
    train, test = (np.flatnonzero(comparison.folds != fold), np.flatnonzero(comparison.folds == fold))
    songs = comparison.everything
    return fit_recipes(songs[train], songs[test], seed, unseeded=seed == comparison.seeds[0])


def embed_songs(songs: SongArrays, data_dir: str | Path, embedder: str) -> np.ndarray:
    """Embed the audio of the songs of a DEAM folder, of the duration of their log-mels, `(N, D)`.

    Raises:
        ValueError: A song has no audio that can be read.
    """
    files = {path.stem: path for path in find_deam(data_dir).audio_files()}
    missing = [str(song) for song in songs.song_id if str(song) not in files]
    if missing:
        raise ValueError(f"{data_dir}: expected the audio of all songs, found none of {', '.join(missing[:5])}")
    wanted = [files[str(song)] for song in songs.song_id]
    found = sound_features(wanted, embedder, n_frames=songs.spectrogram.shape[-1], title=embedder)
    if found.left_out:
        name, reason = next(iter(found.left_out.items()))
        raise ValueError(f"expected audio that can be read for all songs, got {name}: {reason}")
    return found.features
