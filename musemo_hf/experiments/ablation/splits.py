"""How songs are parted into those learnt from and those tested on."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from musemo_hf.data.arrays import SongArrays
from musemo_hf.data.folds import artist_folds, folds_hash, random_split
from musemo_hf.training.configuration import AblationPlan

PROTOCOLS = ("folds", "random", "as-run")


@dataclass(frozen=True)
class Split:
    """Indices of the songs trained on and tested on.

    Attributes:
        name: of its folder.
        train: the recogniser's training songs.
        test: songs that are tested.
        generator_train: the generator's training songs; `train`, but in "as-run" every song there is.
        n_synthetic_train: "as-run" only: synthetic songs that fell into the training part of the mixture.
        n_synthetic_test: "as-run" only: synthetic songs that fell into its test part.
    """

    name: str
    train: np.ndarray
    test: np.ndarray
    generator_train: np.ndarray
    n_synthetic_train: int = 0
    n_synthetic_test: int = 0

    @property
    def mixed(self) -> bool:
        """Whether synthetic songs are tested too."""
        return self.n_synthetic_test > 0


def make_splits(plan: AblationPlan, songs: SongArrays) -> list[Split]:
    """All splits of a protocol, also those that `plan.folds` leaves out.

    Raises:
        ValueError: no such protocol.
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
    """The mixture of all real and all synthetic songs, split 80/10/10 at random as the study's notebooks did.

    Nothing is chosen on the validation part here, so that it is not touched.
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
    """SHA-256 of which song is tested in which split."""
    tested = np.concatenate([split.test for split in splits])
    numbers = np.repeat(np.arange(len(splits)), [len(split.test) for split in splits])
    return folds_hash(songs.song_id[tested], numbers)
