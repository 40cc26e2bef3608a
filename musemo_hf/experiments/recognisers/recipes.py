"""The recipes that are compared, and their predictions of the test songs of one fold."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from musemo_hf.models.vit.kernel_head import FARTHEST, RIDGE, KernelHead
from musemo_hf.models.vit.kernel_mixture import STATISTICS, KernelMixture
from musemo_hf.models.vit.texture import texture_statistics

ALONE = "log-mels alone"
TAUGHT = "log-mels alone, taught with external data"
EXTERNAL = "with external data"
TEACHERS_SHARE = 0.7  # of the student's targets; the labels are the rest
BATCH = 64


@dataclass(frozen=True)
class Recipe:
    """How a recogniser is made.

    Attributes:
        kind: What it reads and learns from: `ALONE`, `TAUGHT` or `EXTERNAL`.
        title: The name in tables.
        seeded: Whether its predictions depend on a seed.
    """

    kind: str
    title: str
    seeded: bool = False


RECIPES = {
    "texture": Recipe(ALONE, "kernel ridge on the 228 texture statistics"),
    "texture_tonal": Recipe(ALONE, "kernels of texture and tonal statistics"),
    "statistics": Recipe(ALONE, "kernels of texture, tonal and pattern statistics", seeded=True),
    "taught": Recipe(TAUGHT, "the same, taught by the last row on the training songs", seeded=True),
    "embedding": Recipe(EXTERNAL, "kernel of the external embedding"),
    "texture_embedding": Recipe(EXTERNAL, "kernel ridge on the 228 statistics and the embedding, one kernel"),
    "external": Recipe(EXTERNAL, "kernels of texture, tonal and pattern statistics and of the embedding", seeded=True),
}


@dataclass(frozen=True)
class Part:
    """Songs of a training or test part.

    Attributes:
        spectrogram: The normalised log-mels `(N, 1, n_mels, n_frames)`.
        emotion: The labels `(N, 2)`.
        embedding: The external embedding `(N, D)`, float32; None without one.
        artists: A number for each song, equal for songs of one artist.
    """

    spectrogram: Tensor
    emotion: Tensor
    embedding: Tensor | None
    artists: np.ndarray

    def __getitem__(self, index: np.ndarray) -> "Part":
        rows = torch.from_numpy(index)
        embedding = None if self.embedding is None else self.embedding[rows]
        return Part(self.spectrogram[rows], self.emotion[rows], embedding, self.artists[index])


def fit_recipes(train: Part, test: Part, seed: int, unseeded: bool) -> dict[str, dict[str, Any]]:
    """Fit the recipes to training songs, and predict the test songs, whose labels are not used.

    The teacher's predictions of a training song are by fits without the songs of its artist.

    Args:
        train: The training songs.
        test: The test songs.
        seed: The seed of the learnt patterns.
        unseeded: Whether to fit the recipes without a seed too.

    Returns:
        Recipe -> `predictions` `(M, 2)`. Recipes with an embedding, and the student of one, are left out where songs
        have none.
    """
    found: dict[str, dict[str, Any]] = {}
    own = _Mixture(train, test, STATISTICS, with_embedding=False)
    found["statistics"] = own.fit(seed)
    if unseeded:
        found["texture"] = {"predictions": _texture(train, test)}
        found["texture_tonal"] = _Mixture(train, test, STATISTICS[:2], with_embedding=False).fit(seed)
    if train.embedding is None or test.embedding is None:
        return found
    teacher = _Mixture(train, test, STATISTICS, with_embedding=True)
    found["external"] = teacher.fit(seed)
    found["taught"] = own.fit(seed, torch.lerp(train.emotion.double(), teacher.left_out, TEACHERS_SHARE))
    if unseeded:
        found["embedding"] = _Mixture(train, test, (), with_embedding=True).fit(seed)
        predicted = kernel_ridge(_with_texture(train), _with_texture(test), train.emotion.numpy())
        found["texture_embedding"] = {"predictions": predicted.tolist()}
    return found


class _Mixture:
    """A `KernelMixture` of some statistics, fitted to training songs."""

    def __init__(self, train: Part, test: Part, statistics: tuple[str, ...], with_embedding: bool) -> None:
        self.train, self.test, self.statistics = train, test, statistics
        self.embeddings = (train.embedding, test.embedding) if with_embedding else (None, None)

    @torch.no_grad()
    def fit(self, seed: int, taught: Tensor | None = None) -> dict[str, Any]:
        """Fit, keep the predictions of left-out artists, and return those of the test songs."""
        known, new = self.embeddings
        head = KernelMixture(
            self.train.spectrogram.shape[-1], 0, self.statistics, 0 if known is None else known.shape[1]
        )
        self.left_out = head.fit(
            self.train.spectrogram, self.train.emotion, self.train.artists.tolist(), known, taught, seed
        )
        parts = self.test.spectrogram.split(BATCH)
        added = [None] * len(parts) if new is None else new.split(BATCH)
        predicted = torch.cat([head(part, one) for part, one in zip(parts, added, strict=True)])
        return {"predictions": predicted.tolist()}


@torch.no_grad()
def _texture(train: Part, test: Part) -> list[list[float]]:
    head = KernelHead(train.spectrogram.shape[-1], 0)
    head.fit(train.spectrogram, train.emotion)
    return torch.cat([head(part) for part in test.spectrogram.split(BATCH)]).tolist()


def _with_texture(part: Part) -> np.ndarray:
    texture = torch.cat([texture_statistics(songs) for songs in part.spectrogram.split(BATCH)])
    return np.concatenate([texture.numpy(), np.asarray(part.embedding)], axis=1).astype(np.float64)


def kernel_ridge(known: np.ndarray, new: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Predict `(M, 2)` as the kernel head does, from any features.

    Args:
        known: The features of the training songs `(N, D)`.
        new: The features of the test songs `(M, D)`.
        labels: The labels of the training songs `(N, 2)`.
    """
    mean, scale = known.mean(axis=0), np.maximum(known.std(axis=0), 1e-3)
    known, new = (np.clip((features - mean) / scale, -FARTHEST, FARTHEST) for features in (known, new))

    def kernel(features: np.ndarray) -> np.ndarray:
        squared = (features**2).sum(axis=1)[:, None] + (known**2).sum(axis=1) - 2 * features @ known.T
        return np.exp(-0.5 * np.maximum(squared, 0) / known.shape[1])

    inverse = np.linalg.inv(kernel(known) + RIDGE * np.eye(len(known)))
    weight = inverse @ (labels - labels.mean(axis=0))
    alone = labels - weight / inverse.diagonal()[:, None]
    return labels.mean(axis=0) + kernel(new) @ weight * (labels.std(axis=0) / alone.std(axis=0))
