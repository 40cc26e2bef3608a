"""Reduction of spectrograms to short rows, which hold all that the quality report needs of a clip."""

from __future__ import annotations

from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray

from musemo_hf.evaluation.arrays import N_MELS, as_clips, looks_normalised, to_decibels
from musemo_hf.evaluation.spaces.embedders import Embedder, get_embedder
from musemo_hf.evaluation.spaces.modulation import N_OCTAVES, clamp_decibels
from musemo_hf.evaluation.surrogates.reference_statistics import ReferenceStatistics, clip_statistics
from musemo_hf.evaluation.surrogates.transforms import transform_clips
from musemo_hf.evaluation.threads import over_clips

from .moments import ROW_LENGTH, clip_row

Array = NDArray[np.float64]

DISTANCE_SPACE = "modulation-v1"
SKILL_SPACE = "modulation-v3"
MIN_FRAMES = 2**N_OCTAVES  # the slowest modulation octave needs them
BATCH = 32  # clips reduced, and handed to an embedder, at once

# The values of the first column of a row.
DECIBELS, NORMALISED, STATE = 0.0, 1.0, -1.0
MOMENTS = slice(1, 1 + ROW_LENGTH)


class ClipReducer:
    """Reduces clips to rows, and accumulates the statistics of the references that surrogates are drawn from.

    A row is float64: the unit of the clip, its moments, its features in modulation-v1, modulation-v3 and the embedder's
    space (two float32 in the place of one float64) and, for a reference, the moments of the blurred clip. It takes
    2.5 kB for a prediction and 3.9 kB for a reference, whatever the number of frames; an embedder of D dimensions adds
    4 D bytes. The size of `statistics` does not grow with the number of clips.

    Args:
        embedder: The feature space of KID, precision, recall, density, coverage and authenticity, or its name.

    Attributes:
        embedder: The feature space.
        spaces: All feature spaces of the rows, by name.
        statistics: The statistics of the references; None before the first, and if they have under 256 frames.
        unfitted: The reason why references are missing from `statistics`; None if none is missing.
    """

    def __init__(self, embedder: str | Embedder = DISTANCE_SPACE) -> None:
        self.embedder = get_embedder(embedder) if isinstance(embedder, str) else embedder
        self.spaces = {name: get_embedder(name) for name in (DISTANCE_SPACE, SKILL_SPACE)}
        self.spaces |= {self.embedder.name: self.embedder}
        self.statistics: ReferenceStatistics | None = None
        self.unfitted: str | None = None
        self._columns: dict[str, slice] = {}
        stop = MOMENTS.stop
        for name, space in self.spaces.items():
            self._columns[name] = slice(stop, stop + -(-space.dimension // 2))
            stop = self._columns[name].stop
        self._blurred = slice(stop, stop + ROW_LENGTH)

    def moments(self, rows: Array) -> Array:
        """Return the moments of the clips `(N, ROW_LENGTH)`."""
        return rows[:, MOMENTS]

    def blurred(self, rows: Array) -> Array:
        """Return the moments of the blurred references `(N, ROW_LENGTH)`."""
        return rows[:, self._blurred]

    def features(self, rows: Array, space: str | None = None) -> Array:
        """Return the features `(N, D)` in a space, the embedder's if None; NaN if a clip is too short for it."""
        space = space or self.embedder.name
        packed = np.ascontiguousarray(rows[:, self._columns[space]])
        return packed.view(np.float32)[:, : self.spaces[space].dimension].astype(np.float64)

    def predictions(self, clips: Any) -> Array:
        """Reduce generated clips to rows.

        Args:
            clips: The clips in any form that `arrays.as_clips` accepts, in dB or normalised.

        Returns:
            The rows `(B, columns)`; modulation features are NaN for clips under 256 frames.

        Raises:
            ValueError: A clip has a wrong shape, NaN or infinity.
        """
        return self._rows(as_clips(clips, "predictions"), self._blurred.start)

    def references(self, clips: Any) -> Array:
        """Reduce real clips to rows, as `predictions` does, and add them to `statistics`."""
        return self._rows(as_clips(clips, "references"), self._blurred.stop)

    def embed(self, clips: Any, side: str) -> Array:
        """Compute the embedder's features `(B, D)` of training or held-out clips."""
        return self._embed([to_decibels(clip) for clip in as_clips(clips, side)])

    def _rows(self, clips: list[NDArray], width: int) -> Array:
        rows = np.full((len(clips), width), np.nan)
        for start in range(0, len(clips), BATCH):  # the summands of the statistics are large
            batch = rows[start : start + BATCH]
            decibels = [to_decibels(clip) for clip in clips[start : start + BATCH]]
            batch[:, 0] = [NORMALISED if looks_normalised(clip) else DECIBELS for clip in clips[start : start + BATCH]]
            sums = over_clips(lambda pair: self._fill(*pair), zip(decibels, batch, strict=True))
            if width == self._blurred.stop:
                for clip, added in zip(decibels, sums, strict=True):
                    self._fit(clip, added)
            if self.embedder.name not in (DISTANCE_SPACE, SKILL_SPACE):
                self._pack(batch, self.embedder.name, self._embed(decibels))
        return rows

    def _fill(self, clip: NDArray, row: Array) -> dict[str, NDArray]:
        """Fill one row; return the summands of the statistics if it is that of a reference of enough frames."""
        clip = clamp_decibels(clip)
        row[MOMENTS] = clip_row(clip, clamp=False)
        long, features = clip.shape[1] >= MIN_FRAMES, np.full((1, 1), np.nan)
        for name in (SKILL_SPACE, DISTANCE_SPACE):
            features = self.spaces[name].embed(clip[None]) if long else features
            self._pack(row[None], name, features)
        if len(row) < self._blurred.stop:
            return {}
        row[self._blurred] = clip_row(transform_clips("blur", clip[None])[0])
        return clip_statistics(clip, features) if long else {}

    def _pack(self, rows: Array, space: str, features: Array) -> None:
        columns = self._columns[space]
        packed = np.zeros((len(rows), 2 * (columns.stop - columns.start)), np.float32)
        packed[:, : self.spaces[space].dimension] = features
        rows[:, columns] = packed.view(np.float64)

    def _embed(self, decibels: list[NDArray]) -> Array:
        """Embed in batches of clips of one length, as a network needs them."""
        features = [np.empty((0, self.embedder.dimension))]
        for _, run in groupby(decibels, key=lambda clip: clip.shape):
            same = list(run)
            features += [self.embedder.embed(np.stack(same[i : i + BATCH])) for i in range(0, len(same), BATCH)]
        return np.concatenate(features)

    def _fit(self, clip: NDArray, sums: dict[str, NDArray]) -> None:
        n_frames = clip.shape[1]
        if not sums:
            self.unfitted = f"surrogates are fitted to clips of at least {MIN_FRAMES} frames, got {n_frames}"
            return
        if self.statistics is None:
            self.statistics = ReferenceStatistics.empty(N_MELS, n_frames)
        if n_frames == self.statistics.n_frames:
            self.statistics.add(clamp_decibels(clip), sums)
        else:
            self.unfitted = f"references differ in length: {self.statistics.n_frames} and {n_frames} frames"


def state_row(statistics: ReferenceStatistics) -> Array:
    """Convert statistics to one row, marked by `STATE`, to be sent between processes."""
    header = [STATE, statistics.n_mels, statistics.n_frames]
    return np.concatenate([header, *(np.ravel(array) for array in statistics.arrays().values())])


def statistics_of(row: Array) -> ReferenceStatistics:
    """Invert `state_row`."""
    empty = ReferenceStatistics.empty(int(row[1]), int(row[2])).arrays()
    arrays, start = {}, 3
    for name, shaped in empty.items():
        arrays[name] = np.asarray(row[start : start + shaped.size]).reshape(shaped.shape)
        start += shaped.size
    return ReferenceStatistics.from_arrays(arrays)


def merge_statistics(
    states: list[ReferenceStatistics], unfitted: str | None = None
) -> tuple[ReferenceStatistics | None, str | None]:
    """Merge the statistics of all processes, and give the reason why some references are missing from them.

    Args:
        states: The statistics of each process.
        unfitted: The reason why a process omitted some, or None.
    """
    merged: ReferenceStatistics | None = None
    for state in states:
        if merged is not None and merged.n_frames != state.n_frames:
            return merged, f"references differ in length: {merged.n_frames} and {state.n_frames} frames"
        merged = state if merged is None else merged.merge(state)
    return merged, unfitted
