import numpy as np
import pytest

from musemo_hf.evaluation.distances.frechet import frechet_distance, mean_and_covariance
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


def test_the_weakest_aspect_decides(features):
    reference, held_out, candidate, noises = features
    aspects = {"first": slice(0, 3), "last": slice(3, 6)}
    broken = candidate.copy()
    broken[:, 3:] = noises["near"][:, 3:]
    result = skill(reference, held_out, broken, noises, aspects)
    assert result.aspect == "last"
    assert result.skill == result.aspect_skills["last"] == pytest.approx(0, abs=0.05)
    assert result.aspect_skills["first"] == pytest.approx(1, abs=0.05)
    assert result.low <= result.skill <= result.high
    assert max(result.noise_skills.values()) <= 0
    one = skill(reference[:, 3:], held_out[:, 3:], broken[:, 3:], {n: rows[:, 3:] for n, rows in noises.items()})
    assert result.skill == pytest.approx(one.skill, rel=1e-9)
    deaf = {name: np.hstack([rows[:, :3], candidate[:, 3:]]) for name, rows in noises.items()}
    untold = skill(reference, held_out, candidate, deaf, aspects)
    assert np.isnan(untold.skill)
    assert "in aspect 'last', under 3 standard errors" in untold.reason


def test_errors(features):
    reference, held_out, candidate, noises = features
    with pytest.raises(ValueError, match="at least one noise"):
        skill(reference, held_out, candidate, {})
    with pytest.raises(ValueError, match=r"\(N, 6\) of candidate, got \(300, 5\)"):
        skill(reference, held_out, candidate[:, :5], noises)
    with pytest.raises(ValueError, match="finite features of held_out"):
        skill(reference, held_out * np.nan, candidate, noises)
