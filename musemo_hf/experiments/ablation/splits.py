"""Splits of the songs into training and test parts."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from musemo_hf.data.arrays import SongArrays
from musemo_hf.data.folds import artist_folds, folds_hash, random_split, song_order
from musemo_hf.training.configuration import AblationPlan

PROTOCOLS = ("folds", "random", "as-run")


@dataclass(frozen=True)
class Split:
    """The indices of the songs in each part.

    Attributes:
        name: The name of the split's folder.
        train: The training songs of the recogniser.
        test: The test songs.
        generator_train: The training songs of the generator: `train`, except in "as-run", where they are all songs.
        n_synthetic_train: The number of synthetic songs in the training part; 0 except in "as-run".
        n_synthetic_test: The number of synthetic songs in the test part; 0 except in "as-run".
        n_real: The number of training songs, if they are a draw of `few_songs`.
    """

    name: str
    train: np.ndarray
    test: np.ndarray
    generator_train: np.ndarray
    n_synthetic_train: int = 0
    n_synthetic_test: int = 0
    n_real: int | None = None

    @property
    def mixed(self) -> bool:
        """Whether the test part has synthetic songs too."""
        return self.n_synthetic_test > 0


def make_splits(plan: AblationPlan, songs: SongArrays) -> list[Split]:
    """Make all splits of a protocol, including those that `plan.folds` leaves out.

    Raises:
        ValueError: The protocol is unknown.
    """
    if plan.protocol == "folds":
        return list(_folds(plan, songs))
    if plan.protocol == "random":
        train, _, test = random_split(len(songs), seed=0)
        return [Split("random", train, test, train)]
    if plan.protocol == "as-run":
        return [_as_run(len(songs), plan.synthetic_share)]
    raise ValueError(f"expected protocol to be one of {', '.join(PROTOCOLS)}, got {plan.protocol!r}")


def _folds(plan: AblationPlan, songs: SongArrays) -> Iterator[Split]:
    folds = artist_folds(songs.artist, songs.emotion, songs.year.tolist(), plan.n_folds)
    for fold in range(plan.n_folds):
        train = np.flatnonzero(folds != fold)
        yield Split(f"fold{fold}", train, np.flatnonzero(folds == fold), train)


def few_songs(split: Split, songs: SongArrays, n: int) -> Split:
    """Draw n songs of the training part, by artist and stratified (see `song_order`); the test part stays.

    Raises:
        ValueError: The training part has fewer songs, or generator and recogniser do not train on the same songs.
    """
    if split.mixed or not np.array_equal(split.generator_train, split.train):
        raise ValueError("expected a protocol other than 'as-run' with n_real_songs")
    if not 2 <= n <= len(split.train):
        raise ValueError(f"expected n_real_songs from 2 to the {len(split.train)} songs of {split.name}, got {n}")
    artists, emotion = [songs.artist[i] for i in split.train], songs.emotion[split.train]
    drawn = np.sort(split.train[song_order(artists, emotion, songs.year[split.train].tolist())[:n]])
    return replace(split, name=f"{split.name}-{n}songs", train=drawn, generator_train=drawn, n_real=n)


def _as_run(n_songs: int, synthetic_share: float) -> Split:
    """Split the mixture of all real and synthetic songs 80/10/10 at random, as the study's notebooks did.

    The validation part is not used, since nothing is selected on it here.
    """
    n_synthetic = round(synthetic_share * n_songs)
    train, _, test = random_split(n_songs + n_synthetic, seed=0)
    real_train, real_test = train[train < n_songs], test[test < n_songs]
    return Split(
        "as-run",
        real_train,
        real_test,
        np.arange(n_songs),
        len(train) - len(real_train),
        len(test) - len(real_test),
    )


def splits_hash(splits: list[Split], songs: SongArrays) -> str:
    """Return the SHA-256 of which song is tested in which split."""
    tested = np.concatenate([split.test for split in splits])
    numbers = np.repeat(np.arange(len(splits)), [len(split.test) for split in splits])
    return folds_hash(songs.song_id[tested], numbers)
