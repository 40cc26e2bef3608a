import numpy as np
import pytest

from musemo_hf.evaluation.distances.frechet import features_frechet, frechet_distance, mean_and_covariance
from musemo_hf.evaluation.spaces.embedders import standardise
from musemo_hf.evaluation.surrogates.skill import skill


@pytest.fixture(scope="module")
def features():
    rng = np.random.default_rng(0)
    mixing = rng.normal(size=(6, 6))
    real = rng.normal(size=(900, 6)) @ mixing
    noises = {"far": real[:300] + 4, "near": real[300:600] * 1.5 + 1.5}
    return real[:300], real[300:600], real[600:], {name: rows[rng.permutation(300)] for name, rows in noises.items()}


def test_distances_are_frechets_at_equal_n(features):
    reference, held_out, candidate, noises = features
    result = skill(reference, held_out, candidate[:100], noises, n_resamples=20)
    thin = np.linspace(0, 299, 100).round().astype(int)
    reference = reference[thin]
    scale = reference.std(axis=0)

    def distance(rows):
        return frechet_distance(*mean_and_covariance(reference / scale), *mean_and_covariance(rows / scale))

    assert result.n_clips == 100
    assert result.best_noise == "near"
    assert result.distance == pytest.approx(distance(candidate[:100]), rel=1e-8)
    assert result.distance_real == pytest.approx(distance(held_out[thin]), rel=1e-8)
    assert result.distance_noise == pytest.approx(distance(noises["near"][thin]), rel=1e-8)
    room = result.distance_noise - result.distance_real
    assert result.skill == pytest.approx((result.distance_noise - result.distance) / room)
    assert result.noise_skills["near"] == 0
    assert result.noise_skills["far"] < 0


def test_real_is_one_noise_is_nought_worse_is_below(features):
    reference, held_out, candidate, noises = features
    other = skill(reference, held_out, candidate, noises)
    assert other.skill == pytest.approx(1, abs=0.05)
    assert other.low <= other.skill <= other.high
    assert other.reason is None
    assert skill(reference, held_out, noises["near"], noises).skill == 0
    worse = skill(reference, held_out, noises["far"], noises)
    assert worse.high < 0
    assert skill(reference, held_out, candidate, noises) == other  # a function of its seed


def test_nan_with_a_reason(features):
    reference, held_out, candidate, noises = features
    short = skill(reference, held_out, candidate[:9], noises)
    assert np.isnan(short.skill)
    assert "at least 10 clips on every side for a skill, got 9" in short.reason
    indistinct = skill(reference, held_out, candidate, {"music itself": candidate})
    assert np.isnan(indistinct.skill)
    assert np.isnan([indistinct.low, indistinct.high]).all()
    assert "under 3 standard errors" in indistinct.reason


def test_the_weakest_feature_group_decides(features):
    reference, held_out, candidate, noises = features
    groups = {"first": slice(0, 3), "last": slice(3, 6)}
    broken = candidate.copy()
    broken[:, 3:] = noises["near"][:, 3:]
    result = skill(reference, held_out, broken, noises, groups)
    assert result.group == "last"
    assert result.skill == result.group_skills["last"] == pytest.approx(0, abs=0.05)
    assert result.group_skills["first"] == pytest.approx(1, abs=0.05)
    assert result.low <= result.skill <= result.high
    assert max(result.noise_skills.values()) <= 0
    one = skill(reference[:, 3:], held_out[:, 3:], broken[:, 3:], {n: rows[:, 3:] for n, rows in noises.items()})
    assert result.skill == pytest.approx(one.skill, rel=1e-9)
    deaf = {name: np.hstack([rows[:, :3], candidate[:, 3:]]) for name, rows in noises.items()}
    unresolved = skill(reference, held_out, candidate, deaf, groups)
    assert np.isnan(unresolved.skill)
    assert "in feature group 'last', under 3 standard errors" in unresolved.reason


def test_errors(features):
    reference, held_out, candidate, noises = features
    with pytest.raises(ValueError, match="at least one noise"):
        skill(reference, held_out, candidate, {})
    with pytest.raises(ValueError, match=r"\(N, 6\) of candidate, got \(300, 5\)"):
        skill(reference, held_out, candidate[:, :5], noises)
    with pytest.raises(ValueError, match="finite features of held_out"):
        skill(reference, held_out * np.nan, candidate, noises)


def test_a_skill_needs_three_standard_errors():
    """Noise comes nearer to music step by step; the skill is a number exactly where its own figures say so."""
    rng = np.random.default_rng(1)
    reference, held_out, candidate, noise = rng.normal(size=(4, 60, 2))
    ratios = []
    for shift in np.linspace(0.2, 1.4, 25):
        result = skill(reference, held_out, candidate, {"noise": noise + shift}, n_resamples=60)
        ratios.append((result.distance_noise - result.distance_real) / result.standard_error)
        assert np.isnan(result.skill) == (ratios[-1] <= 3)
        assert (result.reason is None) == (ratios[-1] > 3)
        assert np.isnan([result.low, result.high]).all() == (ratios[-1] <= 3)
    assert any(2.5 < ratio <= 3 for ratio in ratios)
    assert any(3 < ratio < 3.5 for ratio in ratios)


def test_noise_nearer_than_music_has_no_skill():
    rng = np.random.default_rng(2)
    reference, candidate, noise = rng.normal(size=(3, 100, 3))
    other = rng.normal(1, 1, (100, 3))  # "real" clips that are further away than the noise, by many standard errors
    result = skill(reference, other, candidate, {"noise": noise}, n_resamples=50)
    assert result.distance_noise - result.distance_real < -3 * result.standard_error
    assert np.isnan(result.skill)


@pytest.fixture(scope="module")
def four_sides():
    """Small sides, each of which contributes to the standard error or to the interval."""
    rng = np.random.default_rng(3)
    reference, held_out, candidate, noise = rng.normal(size=(4, 40, 2))
    far = np.array([7, 0])
    return reference, 2.5 * held_out + np.array([0, 3]), candidate * [3.5, 2.5] + np.array([4, 0]), noise + far


def test_the_bootstrap_draws_the_clips_of_every_side(four_sides):
    result = skill(*four_sides[:3], {"noise": four_sides[3]}, n_resamples=400)
    # the same bootstrap by hand; without resampling one of the sides, the error or the interval would differ
    rows, rng = standardise(*four_sides), np.random.default_rng(4)

    def resample(held=None):
        distances = []
        for _ in range(400):
            sides = [side if i == held else side[rng.integers(0, 40, 40)] for i, side in enumerate(rows)]
            distances.append([features_frechet(sides[0], side) for side in sides[1:]])
        real, made, noise = np.array(distances).T
        low, high = np.quantile((noise - made) / (noise - real), [0.025, 0.975])
        return np.array([(noise - real).std(ddof=1), high - low])

    found = np.array([result.standard_error, result.high - result.low])
    np.testing.assert_allclose(found, resample(), rtol=0.1)
    for held in range(4):
        assert np.abs(found / resample(held) - 1).max() > 0.12, held


def test_the_interval_has_its_confidence(four_sides):
    sides = (*four_sides[:3], {"noise": four_sides[3]})
    wide, narrow = (skill(*sides, n_resamples=200, confidence=confidence) for confidence in (0.9, 0.5))
    assert wide.low < narrow.low < narrow.high < wide.high
    assert skill(*sides, n_resamples=200, seed=1).low != skill(*sides, n_resamples=200).low


def test_the_best_noise_is_chosen_again_in_each_draw():
    """Noises that are alike: the smallest of several distances varies less than a single one."""
    rng = np.random.default_rng(5)
    reference, held_out, candidate, noise = rng.normal(size=(4, 60, 2))
    noises = {f"noise {i}": noise + 1.5 for i in range(4)}
    alone, together = (skill(reference, held_out, candidate, dict(list(noises.items())[:n])) for n in (1, 4))
    assert together.distance_noise == alone.distance_noise
    assert together.standard_error < 0.95 * alone.standard_error
    assert together.noise_skills == dict.fromkeys(noises, 0.0)
