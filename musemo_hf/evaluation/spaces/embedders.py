"""Clips -> feature vectors, by a versioned name that is part of every result."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from musemo_hf.evaluation.arrays import all_finite

from .feature_groups import ASPECTS, aspect_features
from .modulation import N_BANDS, N_OCTAVES, clamp_decibels, modulation_spectrum
from .novelty import NOVELTY_DIMENSION, novelty_features

EmbedFunction = Callable[[np.ndarray], np.ndarray]
N_GROUPS = 32  # of 4 mel bands


@dataclass(frozen=True)
class Embedder:
    """A named feature space of log-mel clips.

    Attributes:
        name: with its version, such as "modulation-v1": features of another name are not comparable.
        dimension: D of the features.
        function: `(B, n_mels, n_frames)` in dB -> `(B, D)`.
        aspects: columns that are compared apart, by name, where the space has such parts.
    """

    name: str
    dimension: int
    function: EmbedFunction = field(repr=False)
    aspects: Mapping[str, slice] = field(default_factory=dict, repr=False)

    def embed(self, clips_db: np.ndarray) -> np.ndarray:
        """Features of clips.

        Args:
            clips_db: `(B, n_mels, n_frames)`, dB.

        Returns:
            float64 `(B, dimension)`.

        Raises:
            ValueError: another rank, NaN or infinity, or an embedder that does not keep its word on D.
        """
        clips_db = np.asarray(clips_db)
        if clips_db.ndim != 3:
            raise ValueError(f"expected clips (B, n_mels, n_frames) in dB for {self.name}, got {clips_db.shape}")
        if not all_finite(clips_db):
            raise ValueError(f"expected finite clips in dB for {self.name}, got NaN or infinity")
        if len(clips_db) == 0:
            return np.empty((0, self.dimension))
        features = np.asarray(self.function(clips_db), dtype=np.float64)
        if features.shape != (len(clips_db), self.dimension):
            expected = (len(clips_db), self.dimension)
            raise ValueError(f"expected features {expected} of embedder {self.name}, got {features.shape}")
        return features


_REGISTRY: dict[str, Embedder] = {}


def register_embedder(
    name: str, dimension: int, aspects: Mapping[str, slice] | None = None
) -> Callable[[EmbedFunction], EmbedFunction]:
    """Decorator that adds a feature space under a new, versioned name.

        @register_embedder("loudness-v1", dimension=2)
        def loudness(clips_db):
            return np.stack([clips_db.mean(axis=(1, 2)), clips_db.std(axis=(1, 2))], axis=1)

    Args:
        name: ends in `-v` and a number.
        dimension: D of the features.
        aspects: columns that are compared apart, by name.

    Returns:
        The decorator, which hands the function back unchanged.

    Raises:
        ValueError: a name without a version, or one that is taken.
    """
    if not name.rpartition("-v")[2].isdigit():
        raise ValueError(f"expected an embedder name with a version, such as 'loudness-v1', got {name!r}")
    if name in _REGISTRY:
        raise ValueError(f"expected a new embedder name, got {name!r}, which is registered; raise its version")

    def register(function: EmbedFunction) -> EmbedFunction:
        _REGISTRY[name] = Embedder(name, dimension, function, dict(aspects or {}))
        return function

    return register


def get_embedder(name: str) -> Embedder:
    """The embedder registered as `name`.

    Raises:
        ValueError: no such embedder.
    """
    if name not in _REGISTRY:
        raise ValueError(f"expected an embedder out of {', '.join(sorted(_REGISTRY))}, got {name!r}")
    return _REGISTRY[name]


def standardise(reference: np.ndarray, *others: np.ndarray) -> tuple[np.ndarray, ...]:
    """Features on the reference's scale: less its mean, over its deviation, dimension by dimension.

    Args:
        reference: `(N, D)`.
        others: `(M, D)` each.

    Returns:
        The reference and the others, standardised; a dimension in which the reference is constant is only centred.
    """
    mean, deviation = reference.mean(axis=0), reference.std(axis=0)
    scale = np.where(deviation > 1e-9 * np.maximum(np.abs(mean), 1.0), deviation, 1.0)
    return tuple((features - mean) / scale for features in (reference, *others))


@register_embedder("mel-statistics-v1", dimension=2 * N_GROUPS)
def mel_statistics(clips_db: np.ndarray) -> np.ndarray:
    """32 temporal means and 32 temporal deviations (dB) of 4-band averages, `(B, 64)`."""
    features = np.empty((len(clips_db), 2 * N_GROUPS))
    for row, clip in enumerate(clips_db):
        groups = clamp_decibels(clip).reshape(N_GROUPS, -1, clip.shape[-1]).mean(axis=1, dtype=np.float64)
        features[row] = np.concatenate([groups.mean(axis=1), groups.std(axis=1)])
    return features


@register_embedder("modulation-v1", dimension=N_OCTAVES * N_BANDS)
def modulation(clips_db: np.ndarray) -> np.ndarray:
    """Mean log power in 8 octave modulation bands by 16 mel bands, `(B, 128)`."""
    return modulation_spectrum(clips_db).reshape(len(clips_db), -1)


register_embedder("modulation-v3", dimension=ASPECTS["events"].stop, aspects=ASPECTS)(aspect_features)
register_embedder("novelty-v1", dimension=NOVELTY_DIMENSION)(novelty_features)
