"""Distances of several sets from one reference, also after whole groups of clips were drawn again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
from scipy.linalg import eigh

from musemo_hf.evaluation.distances.frechet import features_frechet
from musemo_hf.evaluation.distances.kernel import cubic_kernel
from musemo_hf.evaluation.statistics.bootstrap import group_indices, multinomial_weights

N_COMPONENTS = 32
CONSTANT = 1e-6  # deviation, relative to the mean, up to which a dimension counts as constant
# Largest standardised value. A dimension that is 0 in all but a few reference clips would otherwise decide alone: one
# song, 339 deviations away, gave real songs of other artists six times the distance of noise.
LIMIT = 4.0


class ResampledDistances(Protocol):
    """Measures the distance of sides from a reference, for any number of times that each clip counts."""

    def distances(self, weights: Mapping[str, np.ndarray] | None = None) -> dict[str, float]:
        """Return the distance of every side from the reference.

        Args:
            weights: How often each clip of each side counts, with the side "reference"; None for once each. Only the
                sides that are named are measured.
        """
        ...


def varying(reference: np.ndarray) -> np.ndarray:
    """Return which dimensions are not constant in the reference, bool `(D,)`.

    Raises:
        ValueError: All are constant.
    """
    deviation = reference.std(axis=0)
    kept = deviation > CONSTANT * np.maximum(np.abs(reference.mean(axis=0)), 1.0)
    if not kept.any():
        raise ValueError(f"expected reference features that differ, got {len(reference)} clips with equal features")
    return kept


def scaled(reference: np.ndarray, sides: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Standardise all sides by the reference, without the dimensions that are constant in it, limited to `LIMIT`.

    Args:
        reference: The features of the reference `(N, D)`.
        sides: The features of each side `(M, D)`, among them the reference's own.
    """
    kept = varying(reference)
    mean, deviation = reference[:, kept].mean(axis=0), reference[:, kept].std(axis=0)
    return {name: np.clip((features[:, kept] - mean) / deviation, -LIMIT, LIMIT) for name, features in sides.items()}


class KernelDistances:
    """Unbiased cubic kernel distances (KID, Binkowski et al. 2018) from the reference.

    A bootstrap draw counts pairs of different clips only: a clip that is drawn twice is no pair with itself, which
    would raise every distance within a side.

    Args:
        sides: The features of each side by its name, standardised by the side "reference" `(N, D)`.
    """

    def __init__(self, sides: Mapping[str, np.ndarray]) -> None:
        self._within = {name: _without_diagonal(cubic_kernel(rows, rows)) for name, rows in sides.items()}
        self._across = {
            name: cubic_kernel(sides["reference"], rows) for name, rows in sides.items() if name != "reference"
        }

    def distances(self, weights: Mapping[str, np.ndarray] | None = None) -> dict[str, float]:
        """See `ResampledDistances`."""
        weights = {name: np.ones(len(kernel)) for name, kernel in self._within.items()} if weights is None else weights
        reference, within = weights["reference"], self._mean_within("reference", weights["reference"])
        return {
            name: within + self._mean_within(name, counts) - 2 * self._mean_across(name, reference, counts)
            for name, counts in weights.items()
            if name != "reference"
        }

    def _mean_within(self, name: str, counts: np.ndarray) -> float:
        return float(counts @ self._within[name] @ counts / (counts.sum() ** 2 - np.square(counts).sum()))

    def _mean_across(self, name: str, reference: np.ndarray, counts: np.ndarray) -> float:
        return float(reference @ self._across[name] @ counts / (reference.sum() * counts.sum()))


class ComponentDistances:
    """Frechet distances from the reference in its first principal components (Heusel et al. 2017, eq. 6).

    The components are those of the reference as it is; a bootstrap draw does not compute them again.

    Args:
        sides: The features of each side by its name, standardised by the side "reference" `(N, D)`, equally many.
        n_components: The number of components.
    """

    def __init__(self, sides: Mapping[str, np.ndarray], n_components: int = N_COMPONENTS) -> None:
        components = principal_components(sides["reference"], n_components)
        self._rows = {name: rows @ components for name, rows in sides.items()}

    def distances(self, weights: Mapping[str, np.ndarray] | None = None) -> dict[str, float]:
        """See `ResampledDistances`."""
        weights = {name: np.ones(len(rows)) for name, rows in self._rows.items()} if weights is None else weights
        base, counts = self._rows["reference"], weights["reference"]
        return {
            name: features_frechet(base, self._rows[name], counts, own)
            for name, own in weights.items()
            if name != "reference"
        }


def principal_components(reference: np.ndarray, n_components: int) -> np.ndarray:
    """Return the directions in which the reference varies most, `(D, n_components)`.

    Args:
        reference: The centred features `(N, D)`; with fewer clips than dimensions the problem of the clips is solved.
        n_components: The number of directions; fewer are returned where the reference has fewer.
    """
    n_clips, n_dimensions = reference.shape
    n_components = min(n_components, n_clips - 1, n_dimensions)
    if n_dimensions <= n_clips:
        return eigh(reference.T @ reference)[1][:, ::-1][:, :n_components]
    values, vectors = eigh(reference @ reference.T)
    largest = slice(n_clips - n_components, None)
    return (reference.T @ (vectors[:, largest] / np.sqrt(np.maximum(values[largest], 1e-12))))[:, ::-1]


def group_labels(groups: Mapping[str, Sequence], sides: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the group of each clip, for sides that have groups.

    Args:
        groups: The group labels of some sides.
        sides: The features of each side.

    Raises:
        ValueError: The labels of a side are not as many as its clips.
    """
    labels = {side: np.asarray(own) for side, own in groups.items()}
    for side, own in labels.items():
        if own.shape != (len(sides[side]),):
            raise ValueError(
                f"expected one group label for each of {len(sides[side])} clips of {side}, got {own.shape}"
            )
    return labels


def drawn_weights(
    lengths: Mapping[str, int], groups: Mapping[str, Sequence | np.ndarray], n_resamples: int, seed: int
) -> list[dict[str, np.ndarray]]:
    """Draw how often each clip of each side counts, whole groups at once where a side has groups.

    Args:
        lengths: The number of clips of each side.
        groups: The group (artist) of each clip, for sides that have groups.
        n_resamples: The number of draws.
        seed: The seed.
    """
    by_side = {}
    for order, (name, length) in enumerate(lengths.items()):
        members, n_groups = group_indices(length, groups.get(name))
        drawn = np.concatenate(list(multinomial_weights(n_groups, n_resamples, seed + 1000 * order)))
        by_side[name] = drawn[:, members]
    return [{name: counts[draw] for name, counts in by_side.items()} for draw in range(n_resamples)]


def _without_diagonal(kernel: np.ndarray) -> np.ndarray:
    np.fill_diagonal(kernel, 0)
    return kernel
