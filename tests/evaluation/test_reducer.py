import numpy as np
import pytest

from musemo_hf.evaluation.score.moments import SetMoments, clip_row
from musemo_hf.evaluation.score.reducer import (
    DISTANCE_SPACE,
    MOMENTS,
    NORMALISED,
    SKILL_SPACE,
    STATE,
    ClipReducer,
    merge_statistics,
    state_row,
    statistics_of,
)
from musemo_hf.evaluation.spaces.embedders import Embedder, get_embedder
from musemo_hf.evaluation.surrogates.transforms import transform_clips


def test_a_row_holds_the_clips_moments_features_and_blur(musical):
    clips, reducer = musical(3), ClipReducer("mel-statistics-v1")
    rows = reducer.references(clips)
    assert np.array_equal(reducer.moments(rows), np.stack([clip_row(clip) for clip in clips]))
    for space in (DISTANCE_SPACE, SKILL_SPACE, "mel-statistics-v1"):
        expected = get_embedder(space).embed(clips)
        assert np.array_equal(reducer.features(rows, space), expected.astype(np.float32)), space
    blurred = transform_clips("blur", clips)
    assert np.array_equal(reducer.blurred(rows), np.stack([clip_row(clip) for clip in blurred]))
    assert reducer.predictions(clips).tobytes() == np.ascontiguousarray(rows[:, : -clip_row(clips[0]).size]).tobytes()


def test_rows_do_not_depend_on_the_batch(musical):
    clips = musical(7)
    whole, pieces = ClipReducer(), ClipReducer()
    rows = whole.references(clips)
    parts = [pieces.references(clips[:1]), pieces.references(clips[1:3]), pieces.references(clips[3:])]
    assert rows.tobytes() == np.concatenate(parts).tobytes()
    for name, value in whole.statistics.arrays().items():
        assert np.allclose(value, pieces.statistics.arrays()[name], rtol=1e-12), name


@pytest.mark.parametrize("n_frames", [256, 1292])
def test_a_row_is_under_four_kilobytes_whatever_the_length(musical, n_frames):
    reducer = ClipReducer()
    assert reducer.references(musical(2, n_frames)).nbytes / 2 < 4000
    assert reducer.predictions(musical(2, n_frames)).nbytes / 2 < 4000


def test_normalised_clips_become_decibels(musical):
    clips = np.clip(musical(4), -60, 40)
    reducer = ClipReducer()
    normalised, decibels = reducer.references((clips + 10) / 50), reducer.references(clips)
    assert (normalised[:, 0] == NORMALISED).all()
    assert not (decibels[:, 0] == NORMALISED).any()
    assert np.allclose(reducer.moments(normalised), reducer.moments(decibels), atol=1e-3)
    assert np.allclose(reducer.features(normalised), reducer.features(decibels), atol=1e-2)


def test_half_precision_costs_little(musical):
    clips = musical(30)
    single, half = ClipReducer().predictions(clips), ClipReducer().predictions(clips.astype(np.float16))
    assert np.allclose(single[:, MOMENTS], half[:, MOMENTS], atol=2e-2, rtol=1e-3)


def test_own_embedder_is_called_in_batches_of_one_length(musical):
    seen = []

    def loudness(clips):
        seen.append(clips.shape)
        return clips.mean(axis=(1, 2))[:, None]

    reducer = ClipReducer(Embedder("loudness-v1", 1, loudness))
    rows = reducer.predictions([*musical(2), *musical(3, 300)])
    assert seen == [(2, 128, 256), (3, 128, 300)]
    assert np.allclose(reducer.features(rows)[0, 0], musical(1)[0].mean(), atol=1e-4)


def test_statistics_travel_as_a_row_and_merge(musical):
    clips = musical(9)
    whole, first, second = ClipReducer(), ClipReducer(), ClipReducer()
    whole.references(clips)
    first.references(clips[:2])
    second.references(clips[2:])
    rows = [state_row(reducer.statistics) for reducer in (first, second)]
    assert all(row[0] == STATE for row in rows)
    merged, reason = merge_statistics([statistics_of(row) for row in rows])
    assert reason is None
    for name, value in whole.statistics.arrays().items():
        assert np.allclose(value, merged.arrays()[name], rtol=1e-12), name


def test_short_and_uneven_references_are_counted_but_not_fitted(musical):
    short = ClipReducer()
    rows = short.references(np.random.default_rng(0).normal(-20, 9, (3, 128, 40)))
    assert short.statistics is None
    assert "at least 256 frames, got 40" in short.unfitted
    assert np.isnan(short.features(rows)).all()
    assert np.isfinite(short.moments(rows)).all()
    uneven = ClipReducer()
    assert len(uneven.references([*musical(2), *musical(1, 300)])) == 3
    assert uneven.statistics.n_clips == 2
    assert "256 and 300 frames" in uneven.unfitted
    other = ClipReducer()
    other.references(musical(2, 300))
    merged, reason = merge_statistics([uneven.statistics, other.statistics])
    assert merged.n_clips == 2
    assert "256 and 300" in reason


def test_moments_of_streamed_rows_are_those_of_the_set(musical):
    clips = musical(6)
    streamed = SetMoments.of(np.concatenate([ClipReducer().predictions(clip[None]) for clip in clips])[:, MOMENTS])
    at_once = SetMoments.of(np.stack([clip_row(clip) for clip in clips]))
    assert streamed.mean == at_once.mean
    assert np.array_equal(streamed.features_covariance, at_once.features_covariance)
