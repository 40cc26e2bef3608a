"""Plain regressors of emotion, which a recogniser has to beat: fitted in the same folds, scored in the same table."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from sklearn.ensemble import ExtraTreesRegressor
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVR

from musemo_hf.data.folds import artist_folds, artist_groups
from musemo_hf.evaluation.statistics.concordance import concordance_correlation

INNER_FOLDS = 3  # artist-disjoint, inside the training part


@dataclass(frozen=True)
class Songs:
    """Songs as a baseline sees them.

    Attributes:
        features: `band_statistics`, `(N, D)`.
        emotion: `(N, 2)` in [-1, 1].
        artist: N names.
        year: N years.
    """

    features: np.ndarray
    emotion: np.ndarray
    artist: Sequence[str]
    year: Sequence[int]

    def __getitem__(self, index: np.ndarray) -> "Songs":
        artist, year = [self.artist[i] for i in index], [self.year[i] for i in index]
        return Songs(self.features[index], self.emotion[index], artist, year)


@dataclass(frozen=True)
class Fitted:
    """A baseline's answer.

    Attributes:
        predictions: of the test songs `(M, 2)`.
        inner: of the training songs `(N, 2)`, each by a fit that did not see its artist.
        selected: values chosen inside the training part, for valence and for arousal.
    """

    predictions: np.ndarray
    inner: np.ndarray
    selected: list[dict[str, Any]]

    def rescaled(self, labels: np.ndarray) -> np.ndarray:
        """Predictions with mean and spread matched to the labels by constants of the training songs alone."""
        spread = labels.std(axis=0) / np.maximum(self.inner.std(axis=0), 1e-6)
        matched = (self.predictions - self.inner.mean(axis=0)) * spread + labels.mean(axis=0)
        # without any spread (the mean) there is nothing to stretch
        return np.where(self.inner.std(axis=0) > 1e-6, matched, self.predictions)


class MeanOfTraining:
    """The mean emotion of the training songs."""

    def fit(self, songs: Songs) -> "MeanOfTraining":
        """Learn it."""
        self.mean = songs.emotion.mean(axis=0)
        return self

    def predict(self, songs: Songs) -> np.ndarray:
        """`(M, 2)`."""
        return np.tile(self.mean, (len(songs.artist), 1))


class ArtistLookup(MeanOfTraining):
    """The mean emotion of the artist's training songs, the mean of all where there are none: no audio at all.

    In artist-disjoint folds it knows nothing; what it scores in a random split is the leak through artists.
    """

    def fit(self, songs: Songs) -> "ArtistLookup":
        """Learn the artists' means."""
        super().fit(songs)
        keys = np.array(artist_groups(songs.artist))
        self.known = {key: songs.emotion[keys == key].mean(axis=0) for key in set(keys) if not key.startswith("\t")}
        return self

    def predict(self, songs: Songs) -> np.ndarray:
        """`(M, 2)`."""
        return np.stack([self.known.get(key, self.mean) for key in artist_groups(songs.artist)])


class OnStatistics:
    """A scikit-learn regressor on band statistics, one for valence and one for arousal.

    Args:
        regressors: for each dimension.
    """

    def __init__(self, regressors: Sequence[Any]) -> None:
        self.regressors = regressors

    def fit(self, songs: Songs) -> "OnStatistics":
        """Fit both."""
        for regressor, labels in zip(self.regressors, songs.emotion.T, strict=True):
            regressor.fit(songs.features, labels)
        return self

    def predict(self, songs: Songs) -> np.ndarray:
        """`(M, 2)`."""
        return np.stack([regressor.predict(songs.features) for regressor in self.regressors], axis=1)


def _ridge(seed: int, n_features: int, alpha: float) -> Any:
    return make_pipeline(StandardScaler(), Ridge(alpha))


def _svr(seed: int, n_features: int, penalty: float, width: float) -> Any:
    return make_pipeline(StandardScaler(), SVR(C=penalty, epsilon=0.05, gamma=width / n_features))


def _extra_trees(seed: int, n_features: int, leaf: int) -> Any:
    # a tenth of the features a split: neighbouring bands say the same
    return ExtraTreesRegressor(100, min_samples_leaf=leaf, max_features=0.1, random_state=seed)


@dataclass(frozen=True)
class Family:
    """A regressor and the values that are chosen among inside the training part."""

    make: Callable[..., Any]
    grid: tuple[dict[str, Any], ...]


FAMILIES = {
    "ridge": Family(_ridge, tuple({"alpha": a} for a in (30.0, 100.0, 300.0, 1000.0))),
    "svr": Family(_svr, tuple({"penalty": c, "width": w} for c in (0.3, 1.0, 3.0) for w in (0.25, 1.0))),
    "extra_trees": Family(_extra_trees, ({"leaf": 3},)),
}
LOOKUPS: dict[str, Callable[[], MeanOfTraining]] = {"mean": MeanOfTraining, "artist": ArtistLookup}
BASELINES = (*LOOKUPS, *FAMILIES, "kernel", "cnn")  # see `kernel_baseline` and `small_cnn`
SEEDED = frozenset({"extra_trees", "cnn"})


def fit_baseline(name: str, train: Songs, test: Songs, seed: int = 0) -> Fitted:
    """Fit a baseline on training songs, its own values chosen inside them, and predict the test songs.

    Args:
        name: out of `LOOKUPS` or `FAMILIES`.
        train: songs to learn from; their inner folds are artist-disjoint.
        test: songs to predict; their labels are not read.
        seed: of the random ones.

    Raises:
        ValueError: no such baseline.
    """
    if name in LOOKUPS:
        predictions = LOOKUPS[name]().fit(train).predict(test)
        return Fitted(predictions, _inner(LOOKUPS[name], train), [{}, {}])
    if name not in FAMILIES:
        raise ValueError(f"expected a baseline out of {', '.join((*LOOKUPS, *FAMILIES))}, got {name!r}")
    family = FAMILIES[name]
    make = partial(family.make, seed, train.features.shape[1])

    def both(values: Sequence[dict[str, Any]]) -> OnStatistics:
        return OnStatistics([make(**value) for value in values])

    tried = [_inner(partial(both, [values, values]), train) for values in family.grid]
    scores = np.stack([np.asarray(concordance_correlation(one, train.emotion)) for one in tried])
    best = scores.argmax(axis=0)
    chosen = both([family.grid[i] for i in best]).fit(train)
    inner = np.stack([tried[i][:, dimension] for dimension, i in enumerate(best)], axis=1)
    return Fitted(chosen.predict(test), inner, [dict(family.grid[i]) for i in best])


def _inner(make: Callable[[], Any], train: Songs) -> np.ndarray:
    """Predictions of the training songs by fits on the other inner folds."""
    folds = artist_folds(train.artist, train.emotion, train.year, INNER_FOLDS)
    predicted = np.empty_like(train.emotion, dtype=np.float64)
    for fold in range(INNER_FOLDS):
        fitted = make().fit(train[np.flatnonzero(folds != fold)])
        held_out = np.flatnonzero(folds == fold)
        predicted[held_out] = fitted.predict(train[held_out])
    return predicted
