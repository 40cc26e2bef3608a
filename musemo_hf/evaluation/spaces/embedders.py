"""The registry of embedders: functions from clips to feature vectors, under versioned names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from musemo_hf.evaluation.arrays import all_finite

from .embedder_factories import FACTORIES as _FACTORIES
from .embedder_factories import SHORT_NAMES
from .feature_groups import FEATURE_GROUPS, grouped_features
from .modulation import N_BANDS, N_OCTAVES, clamp_decibels, modulation_spectrum
from .novelty import NOVELTY_DIMENSION, novelty_features

EmbedFunction = Callable[[np.ndarray], np.ndarray]
N_GROUPS = 32  # of 4 mel bands


@dataclass(frozen=True)
class Embedder:
    """A named feature space of log-mel clips.

    Attributes:
        name: The name with its version, such as "modulation-v1"; features of different names are not comparable.
        dimension: The number of features D.
        function: A function from clips `(B, n_mels, n_frames)` in dB to features `(B, D)`.
        feature_groups: The columns of each group of features that is compared separately, by name; may be empty.
    """

    name: str
    dimension: int
    function: EmbedFunction = field(repr=False)
    feature_groups: Mapping[str, slice] = field(default_factory=dict, repr=False)

    def embed(self, clips_db: np.ndarray) -> np.ndarray:
        """Compute the features of clips.

        Args:
            clips_db: The clips `(B, n_mels, n_frames)` in dB.

        Returns:
            The features, float64 `(B, dimension)`.

        Raises:
            ValueError: The clips have another rank, contain NaN or infinity, or `function` returns another shape.
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
    name: str, dimension: int, feature_groups: Mapping[str, slice] | None = None
) -> Callable[[EmbedFunction], EmbedFunction]:
    """Return a decorator that registers a feature space under a new, versioned name.

        @register_embedder("loudness-v1", dimension=2)
        def loudness(clips_db):
            return np.stack([clips_db.mean(axis=(1, 2)), clips_db.std(axis=(1, 2))], axis=1)

    Args:
        name: The name; it ends in `-v` and a number.
        dimension: The number of features D.
        feature_groups: The columns of each group of features that is compared separately, by name.

    Returns:
        The decorator, which returns the function unchanged.

    Raises:
        ValueError: The name has no version or is registered already.
    """
    _check_new(name)

    def register(function: EmbedFunction) -> EmbedFunction:
        _REGISTRY[name] = Embedder(name, dimension, function, dict(feature_groups or {}))
        return function

    return register


def register_embedder_factory(name: str, factory: Callable[[], Embedder]) -> None:
    """Register a function that makes an embedder, such as one whose model is loaded when it is first asked for.

    Args:
        name: The name of the embedder that the function returns; it ends in `-v` and a number.
        factory: A function without arguments. It is called once, unless it raises an error.

    Raises:
        ValueError: The name has no version or is registered already.
    """
    _check_new(name)
    _FACTORIES[name] = factory


def _check_new(name: str) -> None:
    if not name.rpartition("-v")[2].isdigit():
        raise ValueError(f"expected an embedder name with a version, such as 'loudness-v1', got {name!r}")
    if name in embedder_names():
        raise ValueError(f"expected a new embedder name, got {name!r}, which is registered; raise its version")


def embedder_names() -> list[str]:
    """Return the names of all registered embedders, sorted."""
    return sorted({*_REGISTRY, *_FACTORIES})


def get_embedder(name: str) -> Embedder:
    """Return the embedder registered as `name`, or under a short name such as "yamnet".

    Raises:
        ValueError: There is no such embedder.
        OSError: Its model is missing, which the message says how to get.
    """
    name = SHORT_NAMES.get(name, name)
    if name not in _REGISTRY:
        if name not in _FACTORIES:
            known = ", ".join(sorted({*embedder_names(), *SHORT_NAMES}))
            raise ValueError(
                f"expected an embedder out of {known}, got {name!r}; `find_embedder` of musemo_hf.pipelines.embedders "
                f"also takes the repository or folder of an audio model"
            )
        _REGISTRY[name] = _FACTORIES[name]()
    return _REGISTRY[name]


def standardise(reference: np.ndarray, *others: np.ndarray) -> tuple[np.ndarray, ...]:
    """Subtract the reference's mean and divide by its deviation, dimension by dimension.

    Args:
        reference: The features `(N, D)` that set the scale.
        others: Further features `(M, D)`.

    Returns:
        The reference and the others, standardised; a dimension in which the reference is constant is only centred.
    """
    mean, deviation = reference.mean(axis=0), reference.std(axis=0)
    scale = np.where(deviation > 1e-9 * np.maximum(np.abs(mean), 1.0), deviation, 1.0)
    return tuple((features - mean) / scale for features in (reference, *others))


@register_embedder("mel-statistics-v1", dimension=2 * N_GROUPS)
def mel_statistics(clips_db: np.ndarray) -> np.ndarray:
    """Compute 32 temporal means and 32 temporal deviations (dB) of 4-band averages, `(B, 64)`."""
    features = np.empty((len(clips_db), 2 * N_GROUPS))
    for row, clip in enumerate(clips_db):
        groups = clamp_decibels(clip).reshape(N_GROUPS, -1, clip.shape[-1]).mean(axis=1, dtype=np.float64)
        features[row] = np.concatenate([groups.mean(axis=1), groups.std(axis=1)])
    return features


@register_embedder("modulation-v1", dimension=N_OCTAVES * N_BANDS)
def modulation(clips_db: np.ndarray) -> np.ndarray:
    """Compute the mean log power in 8 octave modulation bands by 16 mel bands, `(B, 128)`."""
    return modulation_spectrum(clips_db).reshape(len(clips_db), -1)


register_embedder("modulation-v3", dimension=FEATURE_GROUPS["events"].stop, feature_groups=FEATURE_GROUPS)(
    grouped_features
)
register_embedder("novelty-v1", dimension=NOVELTY_DIMENSION)(novelty_features)
