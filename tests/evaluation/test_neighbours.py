import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors

from musemo_hf.evaluation.distances import neighbours
from musemo_hf.evaluation.distances.neighbours import authenticity, nearest_distances, prdc


def brute_force_prdc(real, fake, k):
    """Kynkaanniemi 2019, eq. 1-2, and Naeem 2020, eq. 4-5, read aloud."""

    def radius(rows):
        others = [np.delete(rows, i, axis=0) for i in range(len(rows))]
        return [sorted(np.linalg.norm(rest - row, axis=1))[k - 1] for row, rest in zip(rows, others, strict=True)]

    real_radius, fake_radius = radius(real), radius(fake)
    inside = np.array([[np.linalg.norm(r - f) <= real_radius[i] for f in fake] for i, r in enumerate(real)])
    recalled = [any(np.linalg.norm(r - f) <= fake_radius[j] for j, f in enumerate(fake)) for r in real]
    return {
        "precision": inside.any(axis=0).mean(),
        "recall": np.mean(recalled),
        "density": inside.sum() / (k * len(fake)),
        "coverage": inside.any(axis=1).mean(),
    }


@pytest.mark.parametrize("k", [1, 3, 5])
def test_prdc_by_brute_force(k, monkeypatch):
    monkeypatch.setattr(neighbours, "BLOCK", 7)
    rng = np.random.default_rng(k)
    real, fake = rng.normal(size=(30, 3)), rng.normal(0.7, 0.8, (23, 3))
    assert prdc(real, fake, k) == pytest.approx(brute_force_prdc(real, fake, k), abs=1e-12)


@pytest.mark.parametrize("seed", range(8))
def test_a_clip_on_the_edge_of_a_ball_is_inside(seed):
    rng = np.random.default_rng(seed)
    real, fake = (rng.integers(-4, 5, (count, 2)) for count in (15, 6))
    real, fake = (np.concatenate([half, -half]).astype(float) for half in (real, fake))  # a mean of 0: exact distances
    assert prdc(real, fake, 2) == pytest.approx(brute_force_prdc(real, fake, 2), abs=1e-12)


def test_nearest_distances_are_scikit_learns(monkeypatch):
    monkeypatch.setattr(neighbours, "BLOCK", 9)
    rng = np.random.default_rng(0)
    x, y = rng.normal(100, 1, (40, 7)), rng.normal(100, 1, (33, 7))  # far from the origin: cancellation
    theirs = NearestNeighbors(n_neighbors=6, algorithm="brute").fit(y).kneighbors(x)[0]
    for k in (1, 5):
        np.testing.assert_allclose(nearest_distances(x, y, k), theirs[:, k - 1], rtol=1e-9)
    own = NearestNeighbors(n_neighbors=6, algorithm="brute").fit(y).kneighbors(y)[0]
    np.testing.assert_allclose(nearest_distances(y, y, 5), own[:, 5], rtol=1e-9)


def test_what_each_sees():
    rng = np.random.default_rng(1)
    real = rng.normal(size=(400, 4))
    same, narrow, far = rng.normal(size=(400, 4)), 0.2 * rng.normal(size=(400, 4)), rng.normal(9, 1, (400, 4))
    assert min(prdc(real, same).values()) > 0.85
    assert prdc(real, narrow)["precision"] > 0.95
    assert prdc(real, narrow)["recall"] < 0.2
    assert prdc(real, narrow)["coverage"] < 0.6
    assert prdc(real, far) == {"precision": 0, "recall": 0, "density": 0, "coverage": 0}
    assert np.isnan(list(prdc(real, same[:5]).values())).all()


def test_authenticity_sees_copies():
    rng = np.random.default_rng(2)
    training, held_out, fresh = (rng.normal(size=(300, 6)) for _ in range(3))
    assert authenticity(training[::3], training, held_out).share == 0
    assert authenticity(held_out, training, held_out).share == pytest.approx(0.95, abs=0.01)
    assert authenticity(fresh, training, held_out).share == pytest.approx(0.95, abs=0.05)
    half = np.concatenate([fresh[:150], training[:150] + 1e-3])
    result = authenticity(half, training, held_out)
    assert result.share == pytest.approx(0.475, abs=0.05)
    assert (result.nearest[150:] < result.threshold).all()
    pair, one, other = np.array([[-1.0, 0], [1, 0]]), np.array([[2.0, 0]]), np.array([[-2.0, 0]])
    assert authenticity(other, pair, one).share == 1  # exactly as near as the held-out clip is not nearer


def test_errors():
    x = np.zeros((6, 2))
    with pytest.raises(ValueError, match="one row of held_out"):
        authenticity(x, x, x[:0])
    with pytest.raises(ValueError, match=r"got \(6, 2\) and \(6, 1\)"):
        prdc(x, x[:, :1])
    with pytest.raises(ValueError, match="at least 7 rows for the 6-th neighbour, got 6"):
        nearest_distances(x, x, 6)
    with pytest.raises(ValueError, match="NaN"):
        prdc(x, np.full((6, 2), np.nan))
    for x_side, y_side in ((x, np.full((6, 2), np.inf)), (np.full((6, 2), np.nan), x)):
        with pytest.raises(ValueError, match="NaN"):
            nearest_distances(x_side, y_side)
