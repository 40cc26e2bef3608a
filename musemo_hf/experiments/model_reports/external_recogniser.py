"""A recogniser that reads other features than those of log-mels: kernel ridge regression on those of an audio model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from musemo_hf.evaluation.external.resampled_distances import scaled

RIDGE = 1.0  # of a kernel matrix whose diagonal is 1, as in the packaged recogniser's kernel head
N_FOLDS = 5


@dataclass(frozen=True)
class ExternalRecogniser:
    """Predicts emotion from features of sound.

    Attributes:
        training: The features of the training songs `(N, D)`, which set the scale.
        fitted: The kernel ridge regression of scikit-learn.
        mean: The mean emotion of the training songs `(2,)`.
        stretch: The factor of (valence, arousal) by which predictions are stretched about the mean.
    """

    training: np.ndarray
    fitted: Any
    mean: np.ndarray
    stretch: np.ndarray

    def predict(self, features: np.ndarray) -> np.ndarray:
        """Predict (valence, arousal) `(M, 2)` from features `(M, D)`."""
        rows = scaled(self.training, {"rows": features})["rows"]
        return self.mean + self.stretch * self.fitted.predict(rows)


def fit_external_recogniser(features: np.ndarray, emotion: np.ndarray, groups: list[str]) -> ExternalRecogniser:
    """Fit kernel ridge regression (Saunders et al. 1998) with a Gaussian kernel on standardised features.

    A ridge shrinks predictions towards the mean, which concordance punishes; they are stretched such that predictions
    of training songs by fits without their artists have the deviation of the labels.

    Args:
        features: The features of the training songs `(N, D)`.
        emotion: Their (valence, arousal) `(N, 2)`.
        groups: Their artists.

    Raises:
        ValueError: There are fewer artists than folds.
    """
    from sklearn.kernel_ridge import KernelRidge
    from sklearn.model_selection import GroupKFold, cross_val_predict

    n_artists = len(set(groups))
    if n_artists < N_FOLDS:
        raise ValueError(f"expected songs of at least {N_FOLDS} artists to fit a recogniser to, got {n_artists}")
    rows = scaled(features, {"rows": features})["rows"]
    labels = np.asarray(emotion, dtype=np.float64)
    regression = KernelRidge(alpha=RIDGE, kernel="rbf", gamma=0.5 / rows.shape[1])
    centred = labels - labels.mean(axis=0)
    without = cross_val_predict(regression, rows, centred, groups=groups, cv=GroupKFold(N_FOLDS))
    stretch = labels.std(axis=0) / np.maximum(without.std(axis=0), 1e-6)
    return ExternalRecogniser(features, regression.fit(rows, centred), labels.mean(axis=0), stretch)
