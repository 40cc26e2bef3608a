import numpy as np
import pytest
from sklearn.metrics.pairwise import polynomial_kernel

from musemo_hf.evaluation.distances import kernel
from musemo_hf.evaluation.distances.kernel import cubic_kernel, kernel_distance


def brute_force(x, y):
    xx, yy, xy = (polynomial_kernel(a, b, degree=3, gamma=1 / x.shape[1], coef0=1) for a, b in ((x, x), (y, y), (x, y)))
    n, m = len(x), len(y)
    within = (xx.sum() - np.trace(xx)) / (n * (n - 1)) + (yy.sum() - np.trace(yy)) / (m * (m - 1))
    return within - 2 * xy.mean()


@pytest.mark.parametrize("block", [1, 7, 512])
def test_value_and_jackknife_by_brute_force(block, monkeypatch):
    monkeypatch.setattr(kernel, "BLOCK", block)
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(20, 6)), rng.normal(0.3, 1.2, (15, 6))
    kid, error = kernel_distance(x, y)
    assert kid == pytest.approx(brute_force(x, y), rel=1e-10)
    without_x = np.array([brute_force(np.delete(x, i, 0), y) for i in range(20)])
    without_y = np.array([brute_force(x, np.delete(y, i, 0)) for i in range(15)])
    variance = 19 * without_x.var() + 14 * without_y.var()
    assert error == pytest.approx(np.sqrt(variance), rel=1e-8)


def test_unbiased_and_its_error_is_honest():
    rng = np.random.default_rng(1)
    for shift, most in ((0.0, 2.0), (0.5, 1.4)):
        drawn = [kernel_distance(rng.normal(size=(60, 8)), rng.normal(shift, 1, (50, 8))) for _ in range(200)]
        values, errors = np.array(drawn).T
        assert 0.8 < errors.mean() / values.std() < most  # the jackknife errs on the large side at no distance
        if shift == 0:
            assert abs(values.mean()) < 4 * values.std() / np.sqrt(200)


def test_identical_sets_are_at_or_below_zero():
    x = np.random.default_rng(2).normal(size=(80, 5))
    assert kernel_distance(x, x.copy()).kid < 0  # unbiased: pairs of a clip and its copy are extra likeness


def test_small_sets_and_errors():
    x = np.random.default_rng(3).normal(size=(5, 4))
    assert np.isnan(kernel_distance(x, x[:1])).all()
    assert np.isnan(kernel_distance(x, x[:0])).all()
    two = kernel_distance(x, x[:2] + 1)
    assert np.isfinite(two.kid)
    assert np.isnan(two.kid_se)
    with pytest.raises(ValueError, match=r"got \(5, 4\) and \(5, 3\)"):
        kernel_distance(x, x[:, :3])
    with pytest.raises(ValueError, match="NaN"):
        kernel_distance(x, np.full((5, 4), np.nan))
    assert cubic_kernel(x, x).shape == (5, 5)
