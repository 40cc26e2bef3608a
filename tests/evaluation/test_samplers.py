import numpy as np
import pytest
from scipy import signal

from musemo_hf.evaluation.spaces.modulation import modulation_spectrum
from musemo_hf.evaluation.surrogates.reference_statistics import ReferenceStatistics, covariance_root
from musemo_hf.evaluation.surrogates.samplers import NOISES, SURROGATES, autoregressive, sample_surrogate

N_FRAMES = 300


@pytest.fixture(scope="module")
def reference():
    """Clips whose levels, spreads and smoothness differ from band to band and clip to clip, neighbours correlated."""
    rng = np.random.default_rng(0)
    tilt = np.linspace(5, -25, 128)[:, None]
    clips = []
    for _ in range(120):
        level = tilt + 4 * rng.normal() + rng.normal(0, 2, (128, 1))
        noise = rng.normal(size=(128, N_FRAMES)) + rng.normal(size=N_FRAMES)
        clips.append(level + np.exp(rng.normal(1, 0.3)) * signal.lfilter([0.6], [1, -0.8], noise))
    return np.array(clips, dtype=np.float32)


@pytest.fixture(scope="module")
def statistics(reference):
    statistics = ReferenceStatistics.empty(128, N_FRAMES)
    for start in range(0, 120, 50):
        statistics.update(reference[start : start + 50])
    return statistics


def test_statistics_by_numpy(reference, statistics):
    mean, deviation, lag = statistics.band_moments()
    cells = reference.astype(np.float64)
    centred = cells - cells.mean(axis=(0, 2), keepdims=True)
    np.testing.assert_allclose(mean, cells.mean(axis=(0, 2)), rtol=1e-5)
    np.testing.assert_allclose(deviation, cells.std(axis=(0, 2)), rtol=1e-5)
    lagged = (centred[..., 1:] * centred[..., :-1]).mean(axis=(0, 2)) / centred.var(axis=(0, 2))
    np.testing.assert_allclose(lag, lagged, atol=1e-5)
    np.testing.assert_allclose(
        statistics.within_deviation(), cells.std(axis=2).__pow__(2).mean(axis=0) ** 0.5, rtol=1e-4
    )
    powers = [modulation_spectrum(reference, taper).reshape(120, -1) for taper in (False, True)]
    profile = np.hstack([cells.mean(axis=2), np.log(cells.std(axis=2)), *powers])
    np.testing.assert_allclose(statistics.profile().mean, profile.mean(axis=0), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(statistics.profile().covariance, np.cov(profile.T), atol=1e-4)
    root = covariance_root(statistics.levels().covariance)
    np.testing.assert_allclose(root @ root, statistics.levels().covariance, atol=1e-8)
    sampler = statistics.levels().sampler()
    drawn = np.array([sampler(np.random.default_rng(i)) for i in range(20_000)])
    np.testing.assert_allclose(np.cov(drawn.T), statistics.levels().covariance, atol=1.5)


def test_innovations_by_numpy(reference, statistics):
    """Each clip's bands, standardised, less their own AR(1) prediction."""
    centred = reference.astype(np.float64) - reference.mean(axis=2, keepdims=True)
    unit = centred / centred.std(axis=2, keepdims=True)
    same = np.einsum("cbt,cdt->bd", unit, unit) / N_FRAMES / 120
    later = np.einsum("cbt,cdt->bd", unit[..., 1:], unit[..., :-1]) / (N_FRAMES - 1) / 120
    np.testing.assert_allclose(statistics.correlation / 120, same, atol=1e-5)
    np.testing.assert_allclose(statistics.lag_correlation / 120, later, atol=1e-5)
    lags = (unit[..., 1:] * unit[..., :-1]).sum(axis=2) / (N_FRAMES - 1)
    steps = unit[..., 1:] - lags[..., None] * unit[..., :-1]
    moments = np.stack([(steps**power).mean(axis=(0, 2)) for power in (2, 3, 4)])
    np.testing.assert_allclose(statistics.innovation_moments / 120, moments, atol=1e-4)
    np.testing.assert_allclose(statistics.within_lag(), np.diag(later) / np.diag(same), atol=1e-5)
    # of x_t = A x_{t-1} + e_t, A the lags: E[e e^T] = C_0 - C_1 A - A C_1^T + A C_0 A, as correlations
    lag = np.diag(statistics.within_lag())
    covariance = same - later @ lag - lag @ later.T + lag @ same @ lag
    scale = np.sqrt(np.diag(covariance))
    np.testing.assert_allclose(statistics.innovation_covariance(), covariance / np.outer(scale, scale), atol=1e-4)
    root = statistics.band_root()
    np.testing.assert_allclose(root @ root, same / np.sqrt(np.outer(np.diag(same), np.diag(same))), atol=1e-4)


def test_impulses_have_the_skewness_and_kurtosis_that_they_were_fitted_to():
    """Gamma impulses shared by all bands: e = m u + sqrt(1 - m^2) noise, with m and the shape of u known."""
    rng = np.random.default_rng(0)
    shape, share = 0.5, 0.8
    struck = (rng.standard_gamma(shape, (40, 1, 2000)) - shape) / np.sqrt(shape)
    statistics = ReferenceStatistics.empty(128, 2000)
    statistics.update((share * struck + 0.6 * rng.standard_normal((40, 128, 2000))).astype(np.float32))
    found, fitted_shape = statistics.impulses()
    np.testing.assert_allclose(found, share, atol=0.05)
    assert fitted_shape == pytest.approx(shape, rel=0.2)


def test_shards_add_up_and_travel(reference, statistics):
    shards = [ReferenceStatistics.empty(128, N_FRAMES) for _ in range(2)]
    shards[0].update(reference[:70])
    shards[1].update(reference[70:])
    travelled = ReferenceStatistics.from_arrays({name: np.copy(value) for name, value in shards[1].arrays().items()})
    merged = shards[0].merge(travelled)
    assert merged.n_clips == 120
    for name, value in statistics.arrays().items():
        np.testing.assert_allclose(merged.arrays()[name], value, rtol=1e-10, atol=1e-6)


@pytest.mark.parametrize("name", SURROGATES)
def test_a_clip_depends_on_seed_and_index_alone(statistics, name):
    first = np.concatenate(list(sample_surrogate(name, statistics, 40, seed=3)))
    assert first.shape == (40, 128, N_FRAMES)
    assert first.dtype == np.float32
    assert first.min() >= -60
    assert first.max() <= 40
    np.testing.assert_array_equal(first[:35], np.concatenate(list(sample_surrogate(name, statistics, 35, seed=3))))
    again = np.concatenate(list(sample_surrogate(name, statistics, 40, seed=4)))
    assert np.array_equal(first, again) == (name == "mean-spectrogram")


@pytest.mark.parametrize("name", NOISES[1:])
def test_band_noises_have_the_bands_moments(reference, statistics, name):
    drawn = np.concatenate(list(sample_surrogate(name, statistics, 150, seed=1, clamp=False)))
    np.testing.assert_allclose(drawn.mean(axis=(0, 2)), reference.mean(axis=(0, 2)), atol=2)
    np.testing.assert_allclose(drawn.std(axis=(0, 2)), reference.std(axis=(0, 2)), rtol=0.15)


def within(clips):
    return (clips - clips.mean(axis=2, keepdims=True)).astype(np.float64)


def lag(clips):
    centred = within(clips)
    return float((centred[..., 1:] * centred[..., :-1]).mean() / centred.var())


def neighbour_correlation(clips):
    centred = within(clips)
    return float((centred[:, 1:] * centred[:, :-1]).mean() / centred.var())


def test_each_noise_knows_one_thing_more(reference, statistics):
    drawn = {name: np.concatenate(list(sample_surrogate(name, statistics, 120, seed=2))) for name in NOISES}
    assert drawn["white"].mean(axis=(0, 2)).std() < 1
    assert abs(lag(drawn["band-white"])) < 0.02
    for name in ("gaussian-levels", "joint-gaussian", "modulation-gaussian", "impulse-noise"):
        assert lag(drawn[name]) == pytest.approx(lag(reference), abs=0.05), name
        levels, real = drawn[name].mean(axis=2).mean(axis=1), reference.mean(axis=2).mean(axis=1)
        assert levels.std() == pytest.approx(real.std(), rel=0.25), name
    assert abs(neighbour_correlation(drawn["gaussian-levels"])) < 0.02
    for name in ("joint-gaussian", "modulation-gaussian"):
        assert neighbour_correlation(drawn[name]) == pytest.approx(neighbour_correlation(reference), abs=0.07), name
        spread, real = np.log(within(drawn[name]).std(axis=2)).mean(1), np.log(within(reference).std(axis=2)).mean(1)
        assert spread.std() == pytest.approx(real.std(), rel=0.25), name
    # a taper lets neighbouring octaves mix: what was imposed is only nearly what is found
    for name, taper, most in (("modulation-gaussian", False, 0.35), ("impulse-noise", True, 0.6)):
        gap = modulation_spectrum(drawn[name], taper).mean(axis=0) - modulation_spectrum(reference, taper).mean(axis=0)
        assert np.abs(gap).max() < most, name


def test_errors(statistics):
    with pytest.raises(ValueError, match=r"out of white, .* got 'pink'"):
        next(sample_surrogate("pink", statistics, 2))
    with pytest.raises(ValueError, match=r"\(B, 128, 300\) in dB, got \(2, 128, 299\)"):
        statistics.update(np.zeros((2, 128, 299)))
    with pytest.raises(ValueError, match="at least 2 reference clips to fit surrogates, got 0"):
        next(sample_surrogate("white", ReferenceStatistics.empty(128, N_FRAMES), 2))


def test_constant_bands_do_no_harm():
    statistics = ReferenceStatistics.empty(128, N_FRAMES)
    statistics.update(np.full((3, 128, N_FRAMES), -60.0))
    for name in SURROGATES:
        assert np.isfinite(next(sample_surrogate(name, statistics, 2))).all()


def test_autoregressive_by_loop():
    rng = np.random.default_rng(0)
    noise, lags = rng.normal(size=(3, 50)).astype(np.float32), np.array([0.0, 0.5, 0.95])
    expected = noise.astype(np.float64)
    for t in range(1, 50):
        expected[:, t] = lags * expected[:, t - 1] + np.sqrt(1 - lags**2) * noise[:, t]
    np.testing.assert_allclose(autoregressive(noise, lags), expected, atol=1e-5)
