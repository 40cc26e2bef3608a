"""Probes for leaks from training to test songs: shared artists, duplicate recordings, and close songs."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from musemo_hf.data.arrays import SongArrays
from musemo_hf.data.folds import artist_groups, random_split
from musemo_hf.evaluation.distances.neighbours import nearest_distances
from musemo_hf.evaluation.statistics.concordance import concordance_report
from musemo_hf.experiments.ablation.baselines.regressors import ArtistLookup, Songs

from .splits import Split

RANDOM_FOLDS = 10
N_RANDOM_SPLITS = 20
SAME = 1e-3  # standard deviations of a feature; two clips that are closer are the same recording


def leak_probes(songs: SongArrays, splits: Sequence[Split], features: np.ndarray) -> dict[str, Any]:
    """Probe the splits of a run for leaks, and random splits for comparison.

    Args:
        songs: The corpus.
        splits: The splits of the run.
        features: The band statistics of all songs `(N, D)`.

    Returns:
        `artist_lookup`: `these_splits` and `random_folds`, each with `ccc` and `ccc_interval`; `shared_artists`: the
        share of test songs whose artist is in the training part, for both kinds of splits; `duplicates`: the number of
        `pairs` of songs with one spectrogram, of those `across_splits`, and `near_across_splits`; `nearest`: the median
        distances `test_to_train`, `train_to_train` and `random_test_to_train`, in standard deviations of a feature.
    """
    pairs = [(split.train, split.test) for split in splits]
    random = _random_folds(len(songs))
    standardised = (features - features.mean(axis=0)) / (features.std(axis=0) + 1e-9)
    standardised /= np.sqrt(features.shape[1])  # distances in standard deviations of a feature
    return {
        "artist_lookup": {"these_splits": _lookup(songs, pairs), "random_folds": _lookup(songs, random)},
        "shared_artists": {
            "these_splits": _shared(songs.artist, pairs),
            "random_80_10_10": _shared(songs.artist, [_published(len(songs), seed) for seed in range(N_RANDOM_SPLITS)]),
        },
        "duplicates": _duplicates(songs, pairs, standardised),
        "nearest": {
            "test_to_train": _nearest(standardised, pairs),
            "train_to_train": float(np.median([_within(standardised, train) for train, _ in pairs])),
            "random_test_to_train": _nearest(standardised, [_published(len(songs), 0)]),
        },
    }


def _published(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    train, _, test = random_split(n, seed=seed)
    return train, test


def _random_folds(n: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return random folds, which do not keep artists apart."""
    folds = np.random.default_rng((0, n)).permutation(n) % min(RANDOM_FOLDS, n)
    return [(np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)) for fold in np.unique(folds)]


def _lookup(songs: SongArrays, pairs: Sequence[tuple[np.ndarray, np.ndarray]]) -> dict[str, Any]:
    """Return the concordance of emotions that are predicted from the artist's name alone."""
    known = Songs(np.empty((len(songs), 0)), songs.emotion.astype(np.float64), songs.artist, songs.year.tolist())
    predicted = np.concatenate([ArtistLookup().fit(known[train]).predict(known[test]) for train, test in pairs])
    tested = np.concatenate([test for _, test in pairs])
    keys = artist_groups(songs.artist)
    report = concordance_report(predicted, known.emotion[tested], [keys[i] for i in tested], 0.95, n_resamples=2000)
    return {name: report[name] for name in ("ccc", "ccc_interval", "ccc_mean", "ccc_mean_interval", "n")}


def _shared(artists: Sequence[str], pairs: Sequence[tuple[np.ndarray, np.ndarray]]) -> float:
    """Return the share of test songs whose artist is in the training part."""
    keys = np.array(artist_groups(artists))
    return float(np.mean(np.concatenate([np.isin(keys[test], keys[train]) for train, test in pairs])))


def _duplicates(
    songs: SongArrays, pairs: Sequence[tuple[np.ndarray, np.ndarray]], standardised: np.ndarray
) -> dict[str, int]:
    """Count songs with identical spectrograms, and test songs that are as close to a training song as a copy."""
    hashes = np.array([hashlib.sha256(np.round(one, 1).tobytes()).hexdigest() for one in songs.spectrogram])
    near = sum(int((nearest_distances(standardised[test], standardised[train]) < SAME).sum()) for train, test in pairs)
    return {
        "pairs": sum(count * (count - 1) // 2 for count in Counter(hashes).values()),
        "across_splits": sum(int(np.isin(hashes[test], hashes[train]).sum()) for train, test in pairs),
        "near_across_splits": near,
    }


def _nearest(standardised: np.ndarray, pairs: Sequence[tuple[np.ndarray, np.ndarray]]) -> float:
    """Return the median distance from a test song to its nearest training song."""
    return float(
        np.median(np.concatenate([nearest_distances(standardised[test], standardised[train]) for train, test in pairs]))
    )


def _within(standardised: np.ndarray, train: np.ndarray) -> float:
    rows = standardised[train]
    return float(np.median(nearest_distances(rows, rows)))
