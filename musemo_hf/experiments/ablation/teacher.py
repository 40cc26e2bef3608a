"""A teacher: kernel ridge regression that labels clips, learnt from the training songs alone."""

from collections.abc import Callable
from functools import cached_property

import numpy as np
import torch
from sklearn.kernel_ridge import KernelRidge
from torch import Tensor

from musemo_hf.models.vit.texture import texture_statistics
from musemo_hf.training.clips import Clips

FARTHEST = 4.0  # limit of standardised features, as in `KernelHead`
RIDGE = 1.0  # of the kernel matrix, whose diagonal is 1
CHUNK = 32

Features = Callable[[Tensor], np.ndarray]


def texture_features(spectrogram: Tensor) -> np.ndarray:
    """Compute the recogniser's texture statistics `(N, D)` of normalised log-mels `(N, 1, n_mels, n_frames)`."""
    with torch.no_grad():
        return torch.cat([texture_statistics(part.cpu()) for part in spectrogram.split(CHUNK)]).double().numpy()


class Teacher:
    """Predicts emotion by kernel ridge regression on texture statistics, and on other features where they are given.

    The kernel is Gaussian; each kind of features counts equally, however many numbers it has. Ridge regression shrinks
    its predictions, so they are rescaled to the deviation of the labels, by the cross-fitted predictions of the songs.

    Args:
        clips: The training songs.
        folds: The artist-disjoint fold of each song `(N,)`, at least two.
        external: A function that computes external features `(N, D)` of normalised log-mels; None for none.
    """

    def __init__(self, clips: Clips, folds: np.ndarray, external: Features | None = None) -> None:
        self.folds, self.labels = folds, clips.emotion.double().numpy()
        self.kinds: list[Features] = [texture_features, *([] if external is None else [external])]
        self.features = [features(clips.spectrogram) for features in self.kinds]

    def label(self, spectrogram: Tensor) -> Tensor:
        """Predict emotions `(M, 2)` in [-1, 1] of normalised log-mels `(M, 1, n_mels, n_frames)`."""
        features = [kind(spectrogram) for kind in self.kinds]
        return self._rescaled(_predict(self.features, self.labels, features))

    def cross_fitted(self) -> Tensor:
        """Predict emotions `(N, 2)` in [-1, 1] of the training songs, each by a fit without the songs of its artist."""
        return self._rescaled(self._inner)

    @cached_property
    def _inner(self) -> np.ndarray:
        inner = np.empty_like(self.labels)
        for fold in np.unique(self.folds):
            held_out = self.folds == fold
            known = [each[~held_out] for each in self.features]
            inner[held_out] = _predict(known, self.labels[~held_out], [each[held_out] for each in self.features])
        return inner

    def _rescaled(self, predicted: np.ndarray) -> Tensor:
        mean, spread = self.labels.mean(axis=0), self.labels.std(axis=0) / np.maximum(self._inner.std(axis=0), 1e-6)
        return torch.from_numpy((predicted - mean) * spread + mean).float().clamp(-1, 1)


def _predict(known: list[np.ndarray], labels: np.ndarray, asked: list[np.ndarray]) -> np.ndarray:
    """Fit to known features, each kind `(N, D)`, with labels `(N, 2)`, and predict others `(M, 2)`."""
    fitted, wanted = zip(*(_standardised(*pair) for pair in zip(known, asked, strict=True)), strict=True)
    mean = labels.mean(axis=0)
    # gamma 0.5, as in `KernelHead`: the mean square difference of a standardised feature
    model = KernelRidge(alpha=RIDGE, kernel="rbf", gamma=0.5 / len(known))
    model.fit(np.concatenate(fitted, axis=1), labels - mean)
    return model.predict(np.concatenate(wanted, axis=1)) + mean


def _standardised(known: np.ndarray, asked: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Standardise by the known songs, such that squared distances are means over the features of a kind."""
    mean, deviation = known.mean(axis=0), np.maximum(known.std(axis=0), 1e-3)
    known, asked = (np.clip((each - mean) / deviation, -FARTHEST, FARTHEST) for each in (known, asked))
    return known / np.sqrt(known.shape[1]), asked / np.sqrt(known.shape[1])
