"""How wide a recogniser's intervals must be, from songs that it did not learn from."""

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

SHARE = 0.1  # of the training songs that a recogniser is calibrated on instead of learning from them
PARTS = 5  # artist-disjoint, of the songs of a calibration: its coverage is of each with the scale of the others


@dataclass(frozen=True)
class Calibration:
    """A width for each dimension, and how often intervals of it hold the label on songs that it did not come from.

    Attributes:
        scale: of (valence, arousal): factors of the predicted deviations, or constant errors where there are none.
        predicted_deviation: which of the two.
        coverage: level -> share of the songs of held-out artists whose label lies in the interval, (valence, arousal).
        width: level -> mean width of those intervals, (valence, arousal).
        n_songs: that it came from.
        deviation: `(n_songs, 2)` of their labels about the predictions, each scaled by what the others gave.
    """

    scale: tuple[float, float]
    predicted_deviation: bool
    coverage: dict[float, tuple[float, float]]
    width: dict[float, tuple[float, float]]
    n_songs: int
    deviation: np.ndarray = field(default_factory=lambda: np.empty((0, 2)), repr=False, compare=False)

    def apply(self, config: Any) -> None:
        """Write it into a `MusemoViTConfig`: `deviation_scale`, on top of one that is there, or `emotion_error`."""
        if self.predicted_deviation:
            before = config.deviation_scale or [1.0, 1.0]
            config.deviation_scale = [b * s for b, s in zip(before, self.scale, strict=True)]
        else:
            config.emotion_error = list(self.scale)


def calibration_split(songs: SongArrays, seed: int = 0) -> tuple[SongArrays, SongArrays]:
    """Training songs to learn from, and a tenth of them, by artists of their own, to calibrate on.

    Args:
        songs: of the training part; no song of a fold that is held out.
        seed: of the split.

    Raises:
        ValueError: too few artists to calibrate on a tenth of them.
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
    """The scale of normal intervals about predictions, by maximum likelihood: the root mean square of the ratios of
    error to deviation (Laves et al. 2020, eq. 8), or the root mean square error itself.

    The coverage is of songs whose artists the scale did not come from: each of `n_folds` parts is covered with the
    scale of the others; the scale returned is of all.

    Args:
        predicted: `(N, 2)` of songs that the recogniser did not learn from.
        labels: `(N, 2)`.
        artists: (N,) names, "" where unknown.
        deviation: `(N, 2)` predicted, positive; None for a constant error.
        n_folds: artist-disjoint parts.
        levels: of the intervals whose coverage is measured.

    Raises:
        ValueError: other shapes, values that are not finite, deviations that are not positive, or fewer artists than
            parts.
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
    """Calibrate a recogniser on clips that it did not learn from, and write the result into its configuration.

    Args:
        model: with `uncertainty` its deviations are scaled; without, it gets a constant `emotion_error`.
        clips: of other artists than those trained on.
        artists: of the clips.
        n_folds: artist-disjoint parts in which the coverage is measured.
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
