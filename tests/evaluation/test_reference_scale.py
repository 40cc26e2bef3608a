import numpy as np
import pytest

from musemo_hf.evaluation.score.composite import quality_score
from musemo_hf.evaluation.score.moments import SetMoments, clip_row
from musemo_hf.evaluation.score.reducer import DISTANCE_SPACE, MOMENTS, SKILL_SPACE, ClipReducer
from musemo_hf.evaluation.score.reference_scale import (
    UNCLAMPED,
    draw_surrogates,
    mixed_order,
    scale_scores,
    scale_steps,
    shuffled_halves,
)
from musemo_hf.evaluation.spaces.embedders import get_embedder
from musemo_hf.evaluation.surrogates.samplers import SURROGATES, sample_surrogate
from musemo_hf.evaluation.surrogates.transforms import transform_clips


@pytest.fixture(scope="module")
def reduced(musical):
    clips, reducer = musical(60), ClipReducer()
    rows = reducer.references(clips)
    return clips, reducer, rows


def test_every_surrogate_is_scored_clamped_and_not(reduced):
    _, reducer, rows = reduced
    surrogates = draw_surrogates(reducer.statistics, 20, seed=1)
    scores = scale_scores(scale_steps(rows[:, MOMENTS], reducer.blurred(rows), surrogates))
    expected = {
        "copies",
        "real",
        "blur",
        "time-shuffle",
        "flip",
        *SURROGATES,
        *(name + UNCLAMPED for name in SURROGATES),
    }
    assert set(scores) == expected
    assert all(0 <= score <= 100 for score in scores.values())
    assert list(scores.values()) == sorted(scores.values(), reverse=True)
    assert scores["copies"] == pytest.approx(100, abs=1e-6)
    assert scores["white"] < scores["gaussian-levels"]


def test_a_step_is_the_score_of_its_clips(reduced):
    """Streamed rows against clips taken apart in memory."""
    clips, reducer, rows = reduced
    surrogates = draw_surrogates(reducer.statistics, 12, seed=3)
    steps = scale_steps(rows[:, MOMENTS], reducer.blurred(rows), surrogates)
    scores = scale_scores(steps)
    first, second = shuffled_halves(rows[:, MOMENTS])
    cases = {
        "real": (clips[first], clips[second], True, 1e-9),
        "blur": (clips[first], transform_clips("blur", clips[second]), True, 1e-9),
        "flip": (clips[first], transform_clips("flip", clips[second]), True, 1e-9),
        "time-shuffle": (clips[first], transform_clips("time-shuffle", clips[second]), True, 0.3),
        "band-ar1": (clips, _drawn("band-ar1", reducer, clamp=True), True, 1e-6),
        "band-ar1" + UNCLAMPED: (clips, _drawn("band-ar1", reducer, clamp=False), False, 1e-6),
    }
    for name, (reference, candidate, clamp, tolerance) in cases.items():
        real = SetMoments.of(np.stack([clip_row(clip) for clip in reference]))
        fake = SetMoments.of(np.stack([clip_row(clip, clamp=clamp) for clip in candidate]))
        assert scores[name] == pytest.approx(quality_score(real, fake).quality_score, abs=tolerance), name


def _drawn(name, reducer, clamp):
    return np.concatenate(list(sample_surrogate(name, reducer.statistics, 12, seed=3, clamp=clamp)))


def test_surrogates_carry_their_modulation(reduced):
    _, reducer, _ = reduced
    drawn = draw_surrogates(reducer.statistics, 4, seed=3)["white"].features
    clips = np.concatenate(list(sample_surrogate("white", reducer.statistics, 4, seed=3)))
    for space in (DISTANCE_SPACE, SKILL_SPACE):
        assert np.allclose(drawn[space], get_embedder(space).embed(clips))


@pytest.mark.parametrize("n_frames", [300, 1292])
def test_every_surrogate_can_be_drawn_at_any_length(musical, n_frames):
    """1292 frames have modulations slower than the slowest octave, 431 and fewer have none."""
    reducer = ClipReducer()
    reducer.references(musical(4, n_frames))
    for name, clips in draw_surrogates(reducer.statistics, 2).items():
        assert np.isfinite(clips.rows[:, :5]).all(), name


def test_halves_are_disjoint_and_do_not_depend_on_the_order():
    rows = np.random.default_rng(0).standard_normal((21, 5))
    first, second = shuffled_halves(rows)
    assert sorted([*first, *second]) == list(range(21))
    order = np.random.default_rng(1).permutation(21)
    again, _ = shuffled_halves(rows[order])
    assert {tuple(row) for row in rows[first]} == {tuple(row) for row in rows[order][again]}
    assert list(first) != list(range(0, 21, 2))


@pytest.mark.parametrize("change", ["last digit up", "last digit down", "float32"])
def test_the_order_does_not_depend_on_the_rounding_of_a_processor(change):
    rows = np.random.default_rng(0).normal(-20, 5, (300, 40))
    rounded = {
        "last digit up": np.nextafter(rows, np.inf),
        "last digit down": np.nextafter(rows, -np.inf),
        "float32": rows.astype(np.float32),
    }[change]
    np.testing.assert_array_equal(mixed_order(rounded), mixed_order(rows))
    assert sorted(mixed_order(rows)) == list(range(300))


@pytest.mark.parametrize("sizes", [[5, 5], [9, 1, 1, 1, 1, 1, 4], [1] * 12 + [6]])
def test_halves_share_no_artist_and_are_about_equal(sizes):
    artists = np.repeat([f"artist {index}" for index in range(len(sizes))], sizes)
    rows = np.random.default_rng(0).normal(size=(len(artists), 5))
    first, second = shuffled_halves(rows, artists)
    assert sorted([*first, *second]) == list(range(len(artists)))
    assert not set(artists[first]) & set(artists[second])
    assert abs(len(first) - len(second)) <= 1
