import numpy as np
import pytest

from musemo_hf.evaluation.spaces.embedders import get_embedder
from musemo_hf.evaluation.spaces.novelty import STEP, novelty_curve, novelty_distance


def sections(seed, changes, n_frames=1292):
    """A clip that turns from one spectrum to another at the given frames."""
    rng = np.random.default_rng(seed)
    clip = rng.normal(-20, 2, (128, n_frames))
    for first, last in zip([0, *changes], [*changes, n_frames], strict=True):
        clip[:, first:last] += rng.normal(0, 8, (128, 1))
    return clip.astype(np.float32)


def test_by_foote_loop():
    clip = sections(0, [200], 400)
    steps = clip.reshape(32, 4, 100, STEP).mean(axis=(1, 3), dtype=np.float64)
    steps -= steps.mean(axis=1, keepdims=True)
    units = steps / (np.linalg.norm(steps, axis=0) + 1)
    similarity = units.T @ units
    offsets = np.arange(-8, 8) + 0.5
    taper = np.exp(-0.5 * (2 * offsets / 8) ** 2)
    kernel = np.outer(taper * np.sign(offsets), taper * np.sign(offsets))
    expected = [(kernel * similarity[t : t + 16, t : t + 16]).sum() / taper.sum() ** 2 for t in range(100 - 15)]
    np.testing.assert_allclose(novelty_curve(clip, 8), expected, atol=1e-9)


def test_a_turn_is_where_it_is():
    curve = novelty_curve(sections(1, [640]), 32)
    assert abs((curve.argmax() + 32) * STEP - 640) <= 2 * STEP
    assert curve.max() > 5 * np.median(curve)
    assert curve.min() >= 0
    assert curve.max() <= 1


def test_distance_sees_missing_form():
    embedder = get_embedder("novelty-v1")
    formed = [
        embedder.embed(np.stack([sections(seed, [400, 800]) for seed in seeds])) for seeds in (range(40), range(40, 80))
    ]
    formless = embedder.embed(np.stack([sections(seed, []) for seed in range(80, 120)]))
    assert novelty_distance(formed[0], formed[0]) == pytest.approx(0, abs=1e-8)
    assert novelty_distance(formed[0], formless) > 10 * novelty_distance(*formed)


def test_too_short():
    with pytest.raises(ValueError, match="at least 256 frames for novelty over 32 steps, got 255"):
        novelty_curve(np.zeros((128, 255)), 32)
