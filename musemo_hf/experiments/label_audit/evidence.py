"""Evidence, from the files alone, that DEAM's static labels of 2013 have valence and arousal swapped."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from musemo_hf.data.arrays import SongArrays, load_arrays
from musemo_hf.data.deam.annotations import LAST_SWAPPED_ID, read_annotations
from musemo_hf.data.deam.deam import DeamSpectrograms
from musemo_hf.data.deam.emomusic import EmoMusic, read_emomusic
from musemo_hf.data.deam.layout import find_deam
from musemo_hf.data.folds import artist_folds, artist_groups

DRAWS = 2000  # of the bootstrap
RIDGE = 300.0  # penalty on standardised features; no sign changes from 10 to 3,000


@dataclass(frozen=True)
class Correlation:
    """Pearson's r with a 95 % interval, by a bootstrap over artists."""

    r: float
    low: float
    high: float
    n: int

    def __str__(self) -> str:
        return f"{self.r:.2f} [{self.low:.2f}, {self.high:.2f}]"


@dataclass(frozen=True)
class EmoMusicEvidence:
    """The comparison with emoMusic, the publication of 2013 that DEAM's first part comes from.

    Attributes:
        n: The number of songs in both.
        equal_same: The share of songs whose published (valence_mean, arousal_mean) equal emoMusic's of the same names.
        equal_opposite: The share of songs where they equal emoMusic's of the opposite names.
        correlations: The correlations by (published column, measure of emoMusic). The measures are its second-by-second
            "valence" and "arousal", and the deviations of its static file, "valence_std" and "arousal_std".
        dynamic_arousal: The second-by-second arousal in [-1, 1], averaged over each song, of shape (n,).
        valence_mean: The column as DEAM published it, 1-9, of shape (n,).
        arousal_mean: The column as DEAM published it, 1-9, of shape (n,).
    """

    n: int
    equal_same: float
    equal_opposite: float
    correlations: dict[tuple[str, str], Correlation]
    dynamic_arousal: np.ndarray
    valence_mean: np.ndarray
    arousal_mean: np.ndarray


@dataclass(frozen=True)
class LabelAudit:
    """The evidence, each part of it from the published columns `valence_mean` and `arousal_mean`.

    Attributes:
        n_2013: The number of songs with an id up to 1000.
        n_later: The number of songs of 2014 and 2015.
        n_artists: The number of artists of all songs.
        loudness: The correlation of a column with the mean dB of a song, by ("2013" or "later", column).
        transfer: The correlation, over the songs of 2013, of a column with the predictions of a ridge regression
            trained on the later songs, by (predicted dimension, column).
        difference: The correlation of the published valence_mean - arousal_mean with the predicted valence - arousal,
            which is free of the part that both share, by "2013" or "later"; the later songs are predicted out of fold.
        folds: The correlation of labels with out-of-fold predictions over all songs, in the same artist-disjoint folds,
            by ("published" or "corrected", "valence" or "arousal").
        emomusic: The comparison with emoMusic; None where its files were not given.
    """

    n_2013: int
    n_later: int
    n_artists: int
    loudness: dict[tuple[str, str], Correlation]
    transfer: dict[tuple[str, str], Correlation]
    difference: dict[str, Correlation]
    folds: dict[tuple[str, str], Correlation]
    emomusic: EmoMusicEvidence | None


COLUMNS = ("valence_mean", "arousal_mean")
DIMENSIONS = ("valence", "arousal")


def audit_labels(
    deam_dir: str | Path,
    emomusic_dir: str | Path | None = None,
    cache_dir: str | Path | None = None,
    num_proc: int | None = None,
) -> LabelAudit:
    """Gather the evidence from the files of DEAM, and of emoMusic where they are given.

    Args:
        deam_dir: The folder of DEAM, of which ten-second excerpts are read.
        emomusic_dir: The folder of `static_annotations.csv`, `valence_cont_average.csv` and
            `arousal_cont_average.csv`.
        cache_dir: The folder of prepared data sets.
        num_proc: The number of processes that decode.

    Raises:
        ValueError: There are fewer than 30 songs of 2013 or of the later years.
    """
    builder = DeamSpectrograms(cache_dir=cache_dir, config_name="excerpt_10s", data_dir=deam_dir)
    builder.download_and_prepare(num_proc=num_proc)
    songs = load_arrays(builder.as_dataset("train"))
    labels = read_annotations(find_deam(deam_dir).annotations, "published")
    published = np.array([labels[number].emotion for number in songs.song_id.tolist()])
    early = songs.song_id <= LAST_SWAPPED_ID
    if min(early.sum(), (~early).sum()) < 30:
        raise ValueError(f"expected 30 songs of 2013 and 30 later ones, got {early.sum()} and {(~early).sum()}")
    artists = np.unique(artist_groups(songs.artist), return_inverse=True)[1]
    features = log_mel_statistics(songs.spectrogram)
    folds = artist_folds(songs.artist, songs.emotion, songs.year.tolist())
    transfer, difference = _transfer(features, published, early, artists, folds)
    return LabelAudit(
        n_2013=int(early.sum()),
        n_later=int((~early).sum()),
        n_artists=int(artists.max()) + 1,
        loudness=_loudness(songs, published, early, artists),
        transfer=transfer,
        difference=difference,
        folds=_folds(features, {"published": published, "corrected": songs.emotion.astype(float)}, artists, folds),
        emomusic=None if emomusic_dir is None else _emomusic(read_emomusic(emomusic_dir), songs, labels, artists),
    )


def log_mel_statistics(spectrogram: np.ndarray) -> np.ndarray:
    """Compute mean, deviation and mean absolute change from frame to frame of each band, `(N, 3 * 128)` in dB.

    Args:
        spectrogram: The log-mels in dB `(N, 128, n_frames)`, which are clipped to [-60, 40].
    """
    rows = []
    for song in spectrogram:
        clipped = np.clip(song, -60, 40)
        rows.append([clipped.mean(1), clipped.std(1), np.abs(np.diff(clipped, axis=1)).mean(1)])
    return np.array(rows, dtype=np.float64).reshape(len(spectrogram), -1)


def ridge_predictions(features: np.ndarray, targets: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Fit a ridge regression on standardised features, and predict.

    Args:
        features: The training features (N, F), which also give the standardisation.
        targets: The training targets (N, T).
        others: The features to predict for (M, F).

    Returns:
        The predictions (M, T).
    """
    mean, deviation = features.mean(axis=0), features.std(axis=0) + 1e-9
    design = (features - mean) / deviation
    gram = design.T @ design + RIDGE * np.eye(design.shape[1])
    weights = np.linalg.solve(gram, design.T @ (targets - targets.mean(axis=0)))
    return (others - mean) / deviation @ weights + targets.mean(axis=0)


def correlate(first: np.ndarray, second: np.ndarray, artists: np.ndarray) -> Correlation:
    """Correlate two measures of N songs, with an interval from resampled artists (seed 0).

    Args:
        first: The first measure (N,).
        second: The second measure (N,).
        artists: The artists as whole numbers (N,).

    Raises:
        ValueError: One of the measures does not vary.
    """
    if np.ptp(first) == 0 or np.ptp(second) == 0:
        raise ValueError(f"expected two measures that vary over {len(first)} songs, got a constant")
    _, group = np.unique(artists, return_inverse=True)
    n_artists = int(group.max()) + 1
    draws = np.random.default_rng(0).multinomial(n_artists, np.full(n_artists, 1 / n_artists), size=DRAWS)
    weights = np.vstack([np.ones(len(group)), draws[:, group]])
    a, b = first - first.mean(), second - second.mean()
    total = weights.sum(axis=1)
    mean_a, mean_b, aa, bb, ab = (weights @ moment / total for moment in (a, b, a * a, b * b, a * b))
    r = (ab - mean_a * mean_b) / np.sqrt((aa - mean_a**2) * (bb - mean_b**2))
    low, high = np.quantile(r[1:], [0.025, 0.975])
    return Correlation(float(r[0]), float(low), float(high), len(group))


def _loudness(
    songs: SongArrays, published: np.ndarray, early: np.ndarray, artists: np.ndarray
) -> dict[tuple[str, str], Correlation]:
    loudness = songs.spectrogram.mean(axis=(1, 2), dtype=np.float64)
    return {
        (years, column): correlate(loudness[part], published[part, index], artists[part])
        for years, part in (("2013", early), ("later", ~early))
        for index, column in enumerate(COLUMNS)
    }


def _out_of_fold(features: np.ndarray, labels: np.ndarray, folds: np.ndarray) -> np.ndarray:
    predicted = np.empty_like(labels)
    for fold in range(folds.max() + 1):
        learn = folds != fold
        predicted[~learn] = ridge_predictions(features[learn], labels[learn], features[~learn])
    return predicted


def _transfer(
    features: np.ndarray, published: np.ndarray, early: np.ndarray, artists: np.ndarray, folds: np.ndarray
) -> tuple[dict[tuple[str, str], Correlation], dict[str, Correlation]]:
    # artists of both parts are left out of the training, so that no voice is known beforehand
    learn = ~early & ~np.isin(artists, artists[early])
    predicted = ridge_predictions(features[learn], published[learn], features[early])
    transfer = {
        (dimension, column): correlate(predicted[:, i], published[early, j], artists[early])
        for i, dimension in enumerate(DIMENSIONS)
        for j, column in enumerate(COLUMNS)
    }
    later = _out_of_fold(features[~early], published[~early], folds[~early])
    difference = {
        "2013": correlate(-np.diff(predicted)[:, 0], -np.diff(published[early])[:, 0], artists[early]),
        "later": correlate(-np.diff(later)[:, 0], -np.diff(published[~early])[:, 0], artists[~early]),
    }
    return transfer, difference


def _folds(
    features: np.ndarray, labels: dict[str, np.ndarray], artists: np.ndarray, folds: np.ndarray
) -> dict[tuple[str, str], Correlation]:
    predicted = {name: _out_of_fold(features, emotion, folds) for name, emotion in labels.items()}
    return {
        (name, dimension): correlate(predicted[name][:, index], labels[name][:, index], artists)
        for name in labels
        for index, dimension in enumerate(DIMENSIONS)
    }


def _emomusic(emomusic: dict[int, EmoMusic], songs: SongArrays, labels: dict, artists: np.ndarray) -> EmoMusicEvidence:
    both = np.array([number in emomusic for number in songs.song_id.tolist()])
    if both.sum() < 30:
        raise ValueError(f"expected 30 songs of emoMusic among DEAM's, got {both.sum()}")
    theirs = [emomusic[number] for number in songs.song_id[both].tolist()]
    ours = [labels[number] for number in songs.song_id[both].tolist()]
    means = 5 + 4 * np.array([label.emotion for label in ours])
    deviations = 4 * np.array([label.emotion_std for label in ours])
    static = np.array([(song.valence, song.arousal) for song in theirs])
    correlations = {}
    for index, column in enumerate(COLUMNS):
        for measure in DIMENSIONS:
            dynamic = np.array([getattr(song, f"dynamic_{measure}") for song in theirs])
            correlations[column, measure] = correlate(means[:, index], dynamic, artists[both])
            spread = np.array([getattr(song, f"{measure}_std") for song in theirs])
            pair = column.replace("mean", "std"), f"{measure}_std"
            correlations[pair] = correlate(deviations[:, index], spread, artists[both])
    return EmoMusicEvidence(
        n=int(both.sum()),
        equal_same=float(np.isclose(means, static, atol=0.051).all(axis=1).mean()),  # DEAM's have one decimal
        equal_opposite=float(np.isclose(means, static[:, ::-1], atol=0.051).all(axis=1).mean()),
        correlations=correlations,
        dynamic_arousal=np.array([song.dynamic_arousal for song in theirs]),
        valence_mean=means[:, 0],
        arousal_mean=means[:, 1],
    )
