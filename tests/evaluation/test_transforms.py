import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from musemo_hf.evaluation.surrogates.transforms import TRANSFORMS, transform_clips


@pytest.fixture
def clips():
    return np.random.default_rng(0).normal(-10, 30, (4, 128, 60)).astype(np.float32)


def test_each_transform(clips):
    clamped = np.clip(clips, -60, 40)
    np.testing.assert_array_equal(transform_clips("copies", clips), clamped)
    np.testing.assert_array_equal(transform_clips("flip", clips), clamped[:, ::-1])
    np.testing.assert_allclose(transform_clips("blur", clips)[1], gaussian_filter(clamped[1], (3, 3)), atol=1e-5)
    shuffled = transform_clips("time-shuffle", clips, seed=5)
    assert not np.array_equal(shuffled, clamped)
    for frames, real in zip(shuffled, clamped, strict=True):
        order = np.lexsort(frames), np.lexsort(real)
        np.testing.assert_array_equal(frames[:, order[0]], real[:, order[1]])


@pytest.mark.parametrize("name", TRANSFORMS)
def test_a_clip_depends_on_the_seed_and_its_index_alone(clips, name):
    whole = transform_clips(name, clips, seed=1)
    np.testing.assert_array_equal(whole[:2], transform_clips(name, clips[:2], seed=1))
    assert np.array_equal(whole, transform_clips(name, clips, seed=2)) == (name != "time-shuffle")


def test_unknown_name(clips):
    with pytest.raises(ValueError, match=r"out of blur, .* got 'reverse'"):
        transform_clips("reverse", clips)
