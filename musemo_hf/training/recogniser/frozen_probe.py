"""Emotion from the frozen features of any Hugging Face audio model (wav2vec2, AST, CLAP, ...).

embedder = audio_model_embedder(AutoModel.from_pretrained(name), AutoFeatureExtractor.from_pretrained(name))
probe = FrozenProbe("svr").fit(frozen_features(embedder, audio, 44100), emotion, artists)
predicted = probe.predict(frozen_features(embedder, other_audio, 44100))
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.linear_model import Ridge
from sklearn.metrics import make_scorer
from sklearn.model_selection import GridSearchCV, PredefinedSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVR

from musemo_hf.data.folds import artist_folds
from musemo_hf.evaluation.spaces.embedders import Embedder
from musemo_hf.evaluation.statistics.concordance import concordance_correlation

METHODS: dict[str, tuple[Any, dict[str, list[float]]]] = {
    "ridge": (Ridge(), {"ridge__alpha": [1.0, 10.0, 100.0, 1e3, 1e4, 1e5]}),
    "svr": (SVR(epsilon=0.05), {"svr__C": [0.1, 0.3, 1.0, 3.0, 10.0]}),
}


def frozen_features(embedder: Embedder, inputs: np.ndarray, sampling_rate: int | None = None) -> np.ndarray:
    """Features of audio, or of log-mels.

    Args:
        embedder: of `musemo_hf.pipelines.embedders`.
        inputs: audio `(N, samples)` where a sampling rate is given, log-mels in dB `(N, n_mels, n_frames)` where not.
        sampling_rate: of audio, Hz.

    Returns:
        float64 `(N, D)`.

    Raises:
        ValueError: audio for an embedder of log-mels alone.
    """
    if sampling_rate is None:
        return embedder.embed(inputs)
    embed_audio = getattr(embedder, "embed_audio", None)
    if embed_audio is None:
        raise ValueError(f"expected log-mels for {embedder.name}, which has no features of audio, got a sampling rate")
    return embed_audio(inputs, sampling_rate)


class FrozenProbe:
    """Ridge or support vector regression of standardised features, one for valence and one for arousal.

    Its regularisation is chosen inside the training songs, by the mean CCC of artist-disjoint inner folds.

    Args:
        method: "ridge" or "svr" (radial basis functions).
        n_folds: inner folds.

    Raises:
        ValueError: an unknown method.
    """

    def __init__(self, method: str = "ridge", n_folds: int = 5) -> None:
        if method not in METHODS:
            raise ValueError(f"expected method to be one of {sorted(METHODS)}, got {method!r}")
        self.method, self.n_folds = method, n_folds
        self.searches: list[GridSearchCV] = []

    @property
    def selected(self) -> list[dict[str, float]]:
        """What was chosen, for valence and for arousal."""
        return [search.best_params_ for search in self.searches]

    def fit(self, features: ArrayLike, emotion: ArrayLike, artists: Sequence[str]) -> "FrozenProbe":
        """Choose and fit.

        Args:
            features: `(N, D)`, finite.
            emotion: `(N, 2)` in [-1, 1].
            artists: (N,) names, "" where unknown.

        Raises:
            ValueError: other shapes, values that are not finite, or fewer artists than inner folds.
        """
        x, y = _finite(features), np.asarray(emotion, dtype=np.float64)
        if y.shape != (len(x), 2) or len(artists) != len(x):
            raise ValueError(f"expected {len(x)} emotions (N, 2) and artists, got {y.shape} and {len(artists)}")
        folds = PredefinedSplit(artist_folds(artists, y, [0] * len(x), self.n_folds))
        self.searches = [self._search(folds).fit(x, labels) for labels in y.T]
        return self

    def predict(self, features: ArrayLike) -> np.ndarray:
        """(valence, arousal), float64 `(N, 2)`, of features `(N, D)`.

        Raises:
            ValueError: nothing was fitted, or features of another size.
        """
        if not self.searches:
            raise ValueError("expected a probe that was fitted, got one that was not: call fit first")
        return np.stack([search.predict(_finite(features)) for search in self.searches], axis=1)

    def _search(self, folds: PredefinedSplit) -> GridSearchCV:
        regressor, grid = METHODS[self.method]
        scoring = make_scorer(lambda labels, predicted: concordance_correlation(predicted, labels))
        return GridSearchCV(make_pipeline(StandardScaler(), regressor), grid, scoring=scoring, cv=folds)


def _finite(features: ArrayLike) -> np.ndarray:
    array = np.asarray(features, dtype=np.float64)
    if array.ndim != 2 or not np.isfinite(array).all():
        raise ValueError(f"expected finite features (N, D), got {array.shape} or NaN or infinity")
    return array
