from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import sqrtm

from musemo_hf.evaluation.score.composite import WEIGHTS, frequency_correlation, quality_score, smoothness_score, tier
from musemo_hf.evaluation.score.moments import SetMoments, clip_row
from musemo_hf.evaluation.score.published import published_score


def _moments(clips, **kwargs):
    return SetMoments.of(np.stack([clip_row(clip, **kwargs) for clip in clips]))


def _by_hand(real, fake):
    """PROTOCOL, section 2, on arrays in memory, with scipy and numpy."""
    real, fake = np.clip(real, -60, 40).astype(np.float64), np.clip(fake, -60, 40).astype(np.float64)
    mean, deviation = real.mean(), real.std()
    real, fake = (real - mean) / deviation, (fake - mean) / deviation

    def features(x):
        grouped = x.reshape(len(x), 32, 4, -1).mean(axis=2)
        return np.concatenate([grouped.mean(axis=2), grouped.std(axis=2)], axis=1)

    def lag(x):
        x = x - x.mean()
        a, b = x[:, :-1].ravel(), x[:, 1:].ravel()
        return (a @ b) / np.sqrt((a @ a) * (b @ b))

    a, b = features(real), features(fake)
    covariances = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    root = sqrtm(covariances[0] @ covariances[1]).real
    distance = np.square(a.mean(0) - b.mean(0)).sum() + np.trace(covariances[0] + covariances[1] - 2 * root)
    smooth_real, smooth_fake = np.mean([lag(x) for x in real]), np.mean([lag(x) for x in fake])
    profiles = np.corrcoef(real.mean(axis=(0, 2)), fake.mean(axis=(0, 2)))[0, 1]
    parts = {
        "frechet_score": 100 - 100 * distance / np.trace(covariances[0]),
        "moment_score": 100 * (1 - (abs(fake.mean()) + abs(fake.std() - 1)) / 2),
        "smoothness_score": 100 * min(smooth_fake / smooth_real, smooth_real / smooth_fake),
        "frequency_score": 100 * max(0, profiles),
        "range_score": 100 * (1 - abs(np.ptp(fake) - np.ptp(real)) / np.ptp(real)),
    }
    return {name: float(np.clip(value, 0, 100)) for name, value in parts.items()}


def test_equals_the_formulas_in_memory(musical):
    real, fake = musical(90), musical(80, seed=1) * 0.8 - 3
    score, expected = quality_score(_moments(real), _moments(fake)), _by_hand(real, fake)
    for name, value in expected.items():
        assert getattr(score, name) == pytest.approx(value, abs=1e-4), name
    weighted = 0.3 * score.frechet_score + 0.2 * score.moment_score + 0.2 * score.smoothness_score
    weighted += 0.15 * score.frequency_score + 0.15 * score.range_score
    assert score.quality_score == pytest.approx(weighted)
    assert sum(WEIGHTS.values()) == 100


@pytest.mark.parametrize("n", [2, 10, 80])
def test_identical_sets_score_100(musical, n):
    moments = _moments(musical(n))
    score = quality_score(moments, moments)
    assert score.quality_score == pytest.approx(100, abs=1e-6)
    assert score.tier == "excellent"
    assert all(score.targets.values())


def test_identical_noise_scores_100_whatever_the_sign_of_its_lag():
    for seed in range(6):
        moments = _moments(np.random.default_rng(seed).normal(-20, 9, (5, 128, 30)))
        assert quality_score(moments, moments).quality_score == pytest.approx(100, abs=1e-6)


@pytest.mark.parametrize(
    ("real", "fake", "expected"),
    [
        (0.9, 0.45, 50),
        (0.45, 0.9, 50),
        (0.9, -0.1, 0),
        (0.9, 0, 0),
        (0.9, np.nan, 0),
        (-0.1, 0.9, 0),
        (np.nan, 0.9, np.nan),
    ],
)
def test_smoothness_falls_both_ways_from_the_references(real, fake, expected):
    moments = _random_moments(np.random.default_rng(0), extreme=False)
    score = smoothness_score(replace(moments, smoothness=real), replace(moments, smoothness=fake))
    assert score == pytest.approx(expected, nan_ok=True)


def test_noise_never_raises_the_score(musical):
    """Candidate = reference + sigma x noise, sigma in units of the reference's deviation."""
    clips = musical(60)
    reference, rng = _moments(clips), np.random.default_rng(0)
    noise = rng.standard_normal(clips.shape) * reference.deviation
    totals = [quality_score(reference, _moments(clips + sigma * noise)).quality_score for sigma in (0, 0.25, 0.5, 1, 2)]
    assert totals[0] == pytest.approx(100, abs=1e-6)
    assert (np.diff(totals) < 0).all()


def _random_moments(rng, extreme):
    """Moments of anything; few dimensions, so that ten thousand pairs are quick."""
    dimension, scale = 8, 10 ** rng.uniform(-4, 4 if extreme else 1)
    rank = rng.integers(1, dimension + 1)
    factor = rng.standard_normal((dimension, rank)) * scale
    low, high = np.sort(rng.uniform(-60, 40, 2))
    return SetMoments(
        n_clips=rng.integers(2, 500),
        mean=rng.uniform(low, high),
        deviation=rng.uniform(1e-3, 50),
        minimum=low,
        maximum=high,
        smoothness=rng.choice([rng.uniform(-1, 1), 0.0, np.nan, 1.0]),
        row_correlation=rng.uniform(-1, 1),
        profile=rng.uniform(-60, 40, 128) if rng.random() > 0.05 else np.full(128, -20.0),
        features_mean=rng.standard_normal(dimension) * scale,
        features_covariance=factor @ factor.T,
    )


def test_ten_thousand_random_pairs_stay_within_bounds():
    rng = np.random.default_rng(0)
    pool = [_random_moments(rng, extreme=index % 2 == 0) for index in range(200)]
    pairs = rng.integers(0, len(pool), (10_000, 2))
    for reference, candidate in pairs:
        score = quality_score(pool[reference], pool[candidate])
        values = np.array([score.quality_score, *(getattr(score, name) for name in WEIGHTS)])
        defined = values[~np.isnan(values)]
        assert ((defined >= 0) & (defined <= 100)).all(), values
        if not np.isnan(pool[reference].smoothness) and np.ptp(pool[reference].profile) > 0:
            assert not np.isnan(values).any()


@given(st.integers(0, 2**32 - 1), st.floats(1e-3, 30), st.floats(-60, 40), st.integers(2, 4))
@settings(max_examples=50, deadline=None)
def test_real_arrays_stay_within_bounds_too(seed, spread, level, n):
    rng = np.random.default_rng(seed)
    real, fake = rng.normal(-20, 10, (3, 128, 8)), rng.normal(level, spread, (n, 128, 8))
    score = quality_score(_moments(real), _moments(fake))
    values = [score.quality_score, *(getattr(score, name) for name in WEIGHTS if name != "smoothness_score")]
    assert all(0 <= value <= 100 or np.isnan(score.smoothness_score) for value in values)


def test_tiers_and_targets():
    assert [tier(value) for value in (0, 49.99, 50, 69.99, 70, 100)] == ["poor", "poor", "good", "good"] + [
        "excellent"
    ] * 2
    assert tier(float("nan")) is None


def test_a_constant_candidate_is_judged_and_a_constant_reference_refused(musical):
    flat, real = np.full((4, 128, 256), -20.0), _moments(musical(20))
    score = quality_score(real, _moments(flat))
    assert score.smoothness_score == score.range_score == score.frequency_score == 0
    assert score.targets["smoothness_above_0.7"] is None
    with pytest.raises(ValueError, match=r"references that vary, got 4 clips of constant -20\.0 dB"):
        quality_score(_moments(flat), real)


def test_one_clip_leaves_the_frechet_part_undefined(musical):
    score = quality_score(_moments(musical(20)), _moments(musical(1, seed=2)))
    assert np.isnan([score.frechet_score, score.quality_score]).all()
    assert score.tier is None
    assert score.moment_score > 0


def test_frequency_correlation_is_numpys(musical):
    real, fake = _moments(musical(5)), _moments(musical(5, seed=3))
    assert frequency_correlation(real, fake) == pytest.approx(np.corrcoef(real.profile, fake.profile)[0, 1])


def test_published_score_is_the_published_code(musical):
    """`compute_quality_score` as printed, one clip a side, on cells standardised by the reference."""
    real, fake = np.clip(musical(1)[0], -60, 40), np.clip(musical(1, seed=5)[0] * 0.7, -60, 40)
    mean, deviation = real.mean(dtype=np.float64), real.std(dtype=np.float64)
    a, b = (real - mean) / deviation, (fake - mean) / deviation
    moments = 100 * (1 - (abs(a.mean() - b.mean()) + abs(a.std() - b.std())) / 2)
    smooth = [np.corrcoef(x[:, :-1], x[:, 1:])[0, 1] for x in (a, b)]
    frequency = 100 * np.corrcoef(a.mean(axis=1), b.mean(axis=1))[0, 1]
    ranges = 100 * (1 - abs(np.ptp(a) - np.ptp(b)) / np.ptp(a))
    # two copies of the one clip: its distance is then that of the means of mel-statistics-v1
    one, two = _moments([real, real]), _moments([fake, fake])
    distance = np.square(one.features_mean - two.features_mean).sum() / deviation**2
    expected = 0.3 * max(0, 100 - distance) + 0.2 * moments + 20 * abs(smooth[1] / smooth[0])
    expected += 0.15 * frequency + 0.15 * ranges
    assert published_score(one, two) == pytest.approx(expected, abs=1e-3)


def test_published_score_keeps_its_slips():
    """Its ratio knows no bound: bands that move together earn more than the reference itself."""
    rng = np.random.default_rng(0)
    real = rng.normal(-10, 10, (20, 128, 64))
    together = rng.normal(-10, 10, (20, 1, 64)) + 0.01 * rng.standard_normal((128, 1))
    assert published_score(_moments(real), _moments(together)) > 150
    assert quality_score(_moments(real), _moments(together)).quality_score < 100
