"""Plain regressors of emotion, the baselines of the recogniser: fitted in the same folds, scored in the same table."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from sklearn.ensemble import ExtraTreesRegressor
from sklearn.linear_model import Ridge
from sklearn.model_selection import PredefinedSplit, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVR

from musemo_hf.data.folds import artist_folds, artist_groups
from musemo_hf.evaluation.statistics.concordance import concordance_correlation

INNER_FOLDS = 3  # artist-disjoint, inside the training part


@dataclass(frozen=True)
class Songs:
    """The input of the baselines.

    Attributes:
        features: The `band_statistics` of the songs `(N, D)`.
        emotion: The labels `(N, 2)` in [-1, 1].
        artist: The name of each song's artist.
        year: The year of each song.
    """

    features: np.ndarray
    emotion: np.ndarray
    artist: Sequence[str]
    year: Sequence[int]

    def __getitem__(self, index: np.ndarray) -> "Songs":
        artist, year = [self.artist[i] for i in index], [self.year[i] for i in index]
        return Songs(self.features[index], self.emotion[index], artist, year)

    @cached_property
    def inner_folds(self) -> np.ndarray:
        """The artist-disjoint inner fold of each song `(N,)`."""
        return artist_folds(self.artist, self.emotion, self.year, INNER_FOLDS)


@dataclass(frozen=True)
class Fitted:
    """The predictions of a baseline.

    Attributes:
        predictions: The predictions of the test songs `(M, 2)`.
        inner: The predictions of the training songs `(N, 2)`, each by a fit without the songs of its artist.
        selected: The hyperparameters chosen inside the training part, for valence and for arousal.
    """

    predictions: np.ndarray
    inner: np.ndarray
    selected: list[dict[str, Any]]

    def rescaled(self, labels: np.ndarray) -> np.ndarray:
        """Match the mean and spread of the predictions to the labels, with constants of the training songs alone."""
        spread = labels.std(axis=0) / np.maximum(self.inner.std(axis=0), 1e-6)
        matched = (self.predictions - self.inner.mean(axis=0)) * spread + labels.mean(axis=0)
        # predictions without any spread (the mean) cannot be stretched
        return np.where(self.inner.std(axis=0) > 1e-6, matched, self.predictions)


class MeanOfTraining:
    """Predicts the mean emotion of the training songs."""

    def fit(self, songs: Songs) -> "MeanOfTraining":
        """Compute the mean."""
        self.mean = songs.emotion.mean(axis=0)
        return self

    def predict(self, songs: Songs) -> np.ndarray:
        """Predict the emotion of songs `(M, 2)`."""
        return np.tile(self.mean, (len(songs.artist), 1))


class ArtistLookup(MeanOfTraining):
    """Predicts the mean emotion of the artist's training songs, without audio; the mean of all for a new artist.

    In artist-disjoint folds it knows no artist; its score in a random split measures the leak through artists.
    """

    def fit(self, songs: Songs) -> "ArtistLookup":
        """Compute the mean of each artist."""
        super().fit(songs)
        keys = np.array(artist_groups(songs.artist))
        self.known = {key: songs.emotion[keys == key].mean(axis=0) for key in set(keys) if not key.startswith("\t")}
        return self

    def predict(self, songs: Songs) -> np.ndarray:
        """Predict the emotion of songs `(M, 2)`."""
        return np.stack([self.known.get(key, self.mean) for key in artist_groups(songs.artist)])


def _ridge(seed: int, n_features: int, alpha: float) -> Any:
    return make_pipeline(StandardScaler(), Ridge(alpha))


def _svr(seed: int, n_features: int, penalty: float, width: float) -> Any:
    return make_pipeline(StandardScaler(), SVR(C=penalty, epsilon=0.05, gamma=width / n_features))


def _extra_trees(seed: int, n_features: int, leaf: int) -> Any:
    # each split considers a tenth of the features, as neighbouring bands are alike
    return ExtraTreesRegressor(100, min_samples_leaf=leaf, max_features=0.1, random_state=seed)


@dataclass(frozen=True)
class Family:
    """A scikit-learn regressor and the hyperparameters that are tried inside the training part."""

    make: Callable[..., Any]
    grid: tuple[dict[str, Any], ...]


FAMILIES = {
    "ridge": Family(_ridge, tuple({"alpha": a} for a in (30.0, 100.0, 300.0, 1000.0))),
    "svr": Family(_svr, tuple({"penalty": c, "width": w} for c in (0.3, 1.0, 3.0) for w in (0.25, 1.0))),
    "extra_trees": Family(_extra_trees, ({"leaf": 3},)),
}
LOOKUPS: dict[str, Callable[[], MeanOfTraining]] = {"mean": MeanOfTraining, "artist": ArtistLookup}
BASELINES = (*LOOKUPS, *FAMILIES, "kernel", "cnn")  # the last two are in modules of their own
SEEDED = frozenset({"extra_trees", "cnn"})


def fit_baseline(name: str, train: Songs, test: Songs, seed: int = 0) -> Fitted:
    """Fit a baseline on training songs, choose its hyperparameters inside them, and predict the test songs.

    Args:
        name: The name of the baseline, in `LOOKUPS` or `FAMILIES`.
        train: The training songs; their inner folds are artist-disjoint.
        test: The songs to predict; their labels are not used.
        seed: The seed of random regressors.

    Raises:
        ValueError: There is no such baseline.
    """
    if name in LOOKUPS:
        make = LOOKUPS[name]
        inner = np.empty_like(train.emotion, dtype=np.float64)
        for fold in range(INNER_FOLDS):
            held_out = train.inner_folds == fold
            known = train[np.flatnonzero(~held_out)]
            inner[held_out] = make().fit(known).predict(train[np.flatnonzero(held_out)])
        return Fitted(make().fit(train).predict(test), inner, [{}, {}])
    if name not in FAMILIES:
        raise ValueError(f"expected a baseline out of {', '.join((*LOOKUPS, *FAMILIES))}, got {name!r}")
    columns = [_fit_dimension(FAMILIES[name], train, test, labels, seed) for labels in train.emotion.T]
    predictions, inner, selected = zip(*columns, strict=True)
    return Fitted(np.stack(predictions, axis=1), np.stack(inner, axis=1), list(selected))


def _fit_dimension(
    family: Family, train: Songs, test: Songs, labels: np.ndarray, seed: int
) -> tuple[np.ndarray, np.ndarray, dict[str, Any]]:
    """Predict one dimension of the test songs and of the training songs, with the chosen hyperparameters.

    They are chosen by the CCC of the pooled predictions of all inner folds, which `GridSearchCV` cannot score: it
    averages the scores of folds, and the CCC of a fold depends on the spread of its labels.
    """
    candidates = [family.make(seed, train.features.shape[1], **values) for values in family.grid]
    folds = PredefinedSplit(train.inner_folds)
    tried = [cross_val_predict(candidate, train.features, labels, cv=folds) for candidate in candidates]
    agreements = [float(concordance_correlation(inner, labels)) for inner in tried]
    best = int(np.argmax(np.nan_to_num(agreements)))  # NaN: a candidate that predicts a constant
    predictions = candidates[best].fit(train.features, labels).predict(test.features)
    return predictions, tried[best], dict(family.grid[best])
