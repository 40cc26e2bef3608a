"""Splits of the songs into training and test parts."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from musemo_hf.data.arrays import SongArrays
from musemo_hf.data.folds import artist_folds, folds_hash, random_split
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
    """

    name: str
    train: np.ndarray
    test: np.ndarray
    generator_train: np.ndarray
    n_synthetic_train: int = 0
    n_synthetic_test: int = 0

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
