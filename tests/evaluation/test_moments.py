import numpy as np
import pytest
from scipy import stats

from musemo_hf.evaluation.score.moments import (
    LAG,
    ROW_CORRELATION,
    SetMoments,
    clip_row,
    flipped_rows,
    mel_statistics,
    shuffled_rows,
)
from musemo_hf.evaluation.spaces.embedders import get_embedder
from musemo_hf.evaluation.surrogates.transforms import transform_clips


def _rows(clips, **kwargs):
    return np.stack([clip_row(clip, **kwargs) for clip in clips])


def test_a_set_from_rows_is_the_set_in_memory(musical):
    clips = musical(12)
    moments, x = SetMoments.of(_rows(clips)), np.clip(clips, -60, 40).astype(np.float64)
    assert moments.mean == pytest.approx(x.mean(), abs=1e-9)
    assert moments.deviation == pytest.approx(x.std(), abs=1e-9)
    assert (moments.minimum, moments.maximum) == (x.min(), x.max())
    assert np.allclose(moments.profile, x.mean(axis=(0, 2)), atol=1e-9)
    grouped = x.reshape(12, 32, 4, -1).mean(axis=2)
    features = np.concatenate([grouped.mean(axis=2), grouped.std(axis=2)], axis=1)
    assert np.allclose(moments.features_mean, features.mean(axis=0), atol=1e-9)
    assert np.allclose(moments.features_covariance, np.cov(features, rowvar=False), atol=1e-9)


def test_standardising_before_is_standardising_after(musical):
    """The features of standardised cells are the affine image of those in dB, so the scale can come last."""
    clips = np.clip(musical(8), -60, 40).astype(np.float64)
    mean, deviation = clips.mean(), clips.std()
    grouped = ((clips - mean) / deviation).reshape(8, 32, 4, -1).mean(axis=2)
    features = mel_statistics(_rows(clips))
    assert np.allclose(grouped.mean(axis=2), (features[:, :32] - mean) / deviation)
    assert np.allclose(grouped.std(axis=2), features[:, 32:] / deviation)


def test_mel_statistics_are_those_of_the_embedder(musical):
    clips = musical(5)
    assert np.allclose(mel_statistics(_rows(clips)), get_embedder("mel-statistics-v1").embed(clips), atol=1e-4)


def test_lag_is_the_pearson_correlation_about_the_whole_clip(musical):
    clip = np.clip(musical(1)[0], -60, 40).astype(np.float64)
    centred = clip - clip.mean()
    before, after = centred[:, :-1].ravel(), centred[:, 1:].ravel()
    expected = (before * after).sum() / np.sqrt((before**2).sum() * (after**2).sum())
    assert clip_row(clip)[LAG] == pytest.approx(expected, abs=1e-9)
    assert clip_row(clip)[LAG] == pytest.approx(stats.pearsonr(before, after).statistic, abs=5e-3)


def test_published_row_correlation_is_numpys(musical):
    x = np.clip(musical(1)[0], -60, 40)
    assert clip_row(x)[ROW_CORRELATION] == pytest.approx(np.corrcoef(x[:, :-1], x[:, 1:])[0, 1], abs=1e-6)


def test_shuffled_rows_are_the_mean_over_real_shuffles(musical):
    clips = musical(3)
    expected = shuffled_rows(_rows(clips))
    drawn = np.mean([_rows(transform_clips("time-shuffle", clips, seed=seed)) for seed in range(60)], axis=0)
    others = [column for column in range(expected.shape[1]) if column != ROW_CORRELATION]
    assert np.allclose(drawn[:, others], expected[:, others], atol=5e-3)
    assert (expected[:, LAG] < _rows(clips)[:, LAG] - 0.05).all()


def test_flipped_rows_are_the_rows_of_flipped_clips(musical):
    clips = musical(3)
    columns = [column for column in range(_rows(clips).shape[1]) if column != ROW_CORRELATION]
    flipped = _rows(transform_clips("flip", clips))
    assert np.allclose(flipped_rows(_rows(clips))[:, columns], flipped[:, columns], atol=1e-9)


def test_weights_are_repetitions(musical):
    rows, counts = _rows(musical(6)), np.array([0, 1, 3, 0, 2, 1])
    weighted, repeated = SetMoments.of(rows, counts), SetMoments.of(np.repeat(rows, counts, axis=0))
    for name, value in vars(weighted).items():
        assert np.allclose(value, getattr(repeated, name)), name


def test_a_constant_clip_has_no_lag_and_is_left_out():
    flat = np.full((128, 50), -12.3, np.float32)
    assert np.isnan(clip_row(flat)[[LAG, ROW_CORRELATION]]).all()
    rough = np.random.default_rng(0).normal(0, 9, (128, 50))
    both = SetMoments.of(_rows([flat, rough]))
    assert both.smoothness == clip_row(rough)[LAG]
    assert np.isnan(SetMoments.of(_rows([flat])).smoothness)


def test_clamping_is_on_unless_asked_away():
    clip = np.linspace(-100, 60, 128 * 20, dtype=np.float32).reshape(128, 20)
    assert SetMoments.of(_rows([clip])).range == 100
    assert SetMoments.of(_rows([clip], clamp=False)).range == pytest.approx(160)


def test_one_clip_has_no_covariance_and_none_is_an_error():
    assert np.isnan(SetMoments.of(_rows([np.eye(128)])).features_covariance).all()
    with pytest.raises(ValueError, match="at least one clip"):
        SetMoments.of(np.empty((0, 167)))
