"""Calibration of a recogniser's intervals on songs that it was not trained on."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from musemo_hf.data.arrays import SongArrays
from musemo_hf.data.folds import artist_folds, artist_groups, inner_split
from musemo_hf.evaluation.statistics.interval_coverage import LEVELS, errors_and_deviations, interval_scores
from musemo_hf.models.vit import MusemoViTForEmotionRegression
from musemo_hf.training.clips import Clips
from musemo_hf.training.corpus import select

from .prediction import predict_with_deviation

SHARE = 0.1  # share of the training songs that are used for calibration instead of training
PARTS = 5  # artist-disjoint parts of the calibration songs; each is covered with the scale of the others


@dataclass(frozen=True)
class Calibration:
    """The scale of a recogniser's intervals, and their coverage of songs that did not determine it.

    Each pair of values is of (valence, arousal).

    Attributes:
        scale: The factors of the predicted deviations, or constant errors if none are predicted.
        predicted_deviation: Whether `scale` holds factors.
        coverage: The share of the songs of held-out artists whose label lies in the interval, for each level.
        width: The mean width of these intervals, for each level.
        n_songs: The number of songs that determined the scale.
        deviation: The deviation of each song, with the scale of the other parts, `(n_songs, 2)`.
    """

    scale: tuple[float, float]
    predicted_deviation: bool
    coverage: dict[float, tuple[float, float]]
    width: dict[float, tuple[float, float]]
    n_songs: int
    deviation: np.ndarray = field(default_factory=lambda: np.empty((0, 2)), repr=False, compare=False)

    def apply(self, config: Any) -> None:
        """Write the scale into a `MusemoViTConfig`: `deviation_scale`, times the present one, or `emotion_error`."""
        if self.predicted_deviation:
            before = config.deviation_scale or [1.0, 1.0]
            config.deviation_scale = [b * s for b, s in zip(before, self.scale, strict=True)]
        else:
            config.emotion_error = list(self.scale)


def calibration_split(songs: SongArrays, seed: int = 0) -> tuple[SongArrays, SongArrays]:
    """Split songs into those to train on, and a tenth, by artists of its own, to calibrate on.

    Args:
        songs: The training songs, without those of a held-out fold.
        seed: The seed of the split.

    Raises:
        ValueError: There are too few artists.
    """
    groups = artist_groups(songs.artist)
    if len(set(groups)) >= PARTS / SHARE:
        learnt, left = inner_split(songs.artist, songs.emotion, songs.year.tolist(), SHARE, seed)
        if len({groups[i] for i in left}) >= PARTS:
            return select(songs, learnt), select(songs, left)
    raise ValueError(
        f"expected training songs of at least {PARTS / SHARE:g} artists, {PARTS} of them in the tenth that predicted "
        f"deviations are calibrated on, got {len(songs)} songs of {len(set(groups))}: train on more, or without them"
    )


def calibrate(
    predicted: ArrayLike,
    labels: ArrayLike,
    artists: Sequence[str],
    deviation: ArrayLike | None = None,
    n_folds: int = PARTS,
    levels: Sequence[float] = LEVELS,
) -> Calibration:
    """Find the scale of normal intervals about predictions by maximum likelihood.

    It is the root mean square of the ratios of error to deviation (Laves et al. 2020, eq. 8), or the root mean square
    error itself. The coverage is measured on each of `n_folds` artist-disjoint parts with the scale of the others; the
    returned scale is that of all songs.

    Args:
        predicted: The predictions for songs that the recogniser was not trained on, `(N, 2)`.
        labels: The labels of the songs, `(N, 2)`.
        artists: The artists of the songs, "" where unknown.
        deviation: The predicted deviations, positive, `(N, 2)`; None for a constant error.
        n_folds: The number of artist-disjoint parts.
        levels: The levels of the intervals whose coverage is measured.

    Raises:
        ValueError: A shape is wrong, a value is not finite, a deviation is not positive, or there are fewer artists
            than parts.
    """
    error, spread = errors_and_deviations(predicted, labels, deviation)
    folds = artist_folds(artists, np.asarray(labels), [0] * len(error), n_folds)
    ratio = error / spread
    held_out = np.stack([_root_mean_square(ratio[folds != fold]) for fold in folds])  # (N, 2)
    scores = interval_scores(error, held_out * spread, levels)
    return Calibration(
        scale=_pair(_root_mean_square(ratio)),
        predicted_deviation=deviation is not None,
        coverage={level: _pair(scores[f"inside {level:g}"].mean(axis=0)) for level in levels},
        width={level: _pair(scores[f"width {level:g}"].mean(axis=0)) for level in levels},
        n_songs=len(error),
        deviation=held_out * spread,
    )


def calibrate_recogniser(
    model: MusemoViTForEmotionRegression, clips: Clips, artists: Sequence[str], n_folds: int = PARTS
) -> Calibration:
    """Calibrate a recogniser on clips that it was not trained on, and write the result into its configuration.

    Args:
        model: The recogniser; with `uncertainty` its deviations are scaled, otherwise it gets a constant
            `emotion_error`.
        clips: Clips of other artists than those of the training songs.
        artists: The artists of the clips.
        n_folds: The number of artist-disjoint parts in which the coverage is measured.
    """
    emotion, deviation = predict_with_deviation(model, clips.spectrogram)
    spread = None if deviation is None else deviation.numpy()
    found = calibrate(emotion.numpy(), clips.emotion.cpu().numpy(), artists, spread, n_folds)
    found.apply(model.config)
    return found


def _root_mean_square(values: np.ndarray) -> np.ndarray:
    return np.sqrt(np.mean(values**2, axis=0))


def _pair(values: np.ndarray) -> tuple[float, float]:
    return float(values[0]), float(values[1])
