import json

import numpy as np
import pytest

from musemo_hf.training.gan.red_flags import GRACE, WINDOW, RedFlagError, RedFlags, published_reading


def songs(n, seed=0, spread=1.0):
    """Clips in dB that differ in level and tilt, as songs do."""
    rng = np.random.default_rng(seed)
    level, tilt = spread * 8 * rng.standard_normal((n, 1, 1)), spread * 10 * rng.standard_normal((n, 1, 1))
    bands = np.linspace(-1, 1, 128)[None, :, None]
    return (-20 + level + tilt * bands + 3 * spread * rng.standard_normal((n, 128, 32))).astype(np.float32)


REAL = songs(60)


@pytest.fixture
def flags():
    return RedFlags(REAL)


def observe(flags, accuracy, iterations=WINDOW):
    for _ in range(iterations):
        flags.observe(accuracy)


def test_collapse_to_one_song(flags):
    with pytest.raises(RedFlagError, match=r"mode collapse: diversity is \d\.\d% of real music's, under 10%"):
        flags.check(10, np.repeat(songs(1, seed=3), 40, axis=0) + 1e-3)


def test_diversity_just_above_and_below_the_bound(flags):
    assert 0.1 < flags.check(10, songs(60, seed=1, spread=0.15))["diversity_share"] < 0.25
    with pytest.raises(RedFlagError, match="mode collapse"):
        flags.check(10, songs(60, seed=1, spread=0.07))


def test_other_songs_raise_nothing(flags):
    observe(flags, 0.75)
    found = flags.check(GRACE, songs(60, seed=1))
    assert found["diversity_share"] == pytest.approx(1, abs=0.2)
    assert abs(found["kid"]) < 4 * found["kid_se"]


def test_kid_tells_other_songs_from_noise(flags):
    rng = np.random.default_rng(0)
    noise = rng.uniform(-60, 40, (60, 128, 32)).astype(np.float32) + 20 * rng.standard_normal((60, 1, 1))
    same, other = flags.check(0, songs(60, seed=1)), flags.check(0, np.clip(noise, -60, 40))
    assert other["kid"] > 10 * max(abs(same["kid"]), same["kid_se"])


def test_a_discriminator_that_has_won(flags):
    observe(flags, 0.99)
    assert flags.check(GRACE - 1, songs(60, seed=1))["diversity_share"] > 0.5  # not before its time
    with pytest.raises(RedFlagError, match=r"discriminator accuracy is 99\.0%: it leaves the generator no gradient"):
        flags.check(GRACE, songs(60, seed=1))


def test_the_mean_of_the_window_counts_not_a_moment(flags):
    observe(flags, 0.99, WINDOW - 50)
    observe(flags, 0.6, 50)
    flags.check(GRACE, songs(60, seed=1))


def test_a_short_window_is_no_evidence(flags):
    observe(flags, 1.0, WINDOW - 1)
    flags.check(GRACE, songs(60, seed=1))


def test_fifty_per_cent_alone_is_no_fault(flags):
    observe(flags, 0.5)
    for check, spread in enumerate((1.3, 1.2, 1.15, 1.1, 1.05, 1.0)):  # KID falls all the time
        flags.check(GRACE + check, songs(60, seed=7, spread=spread))


def test_fifty_per_cent_with_low_diversity(flags):
    observe(flags, 0.5)
    with pytest.raises(RedFlagError, match=r"discriminator accuracy is 50\.0% and diversity is 1\d\.\d% of real"):
        flags.check(GRACE, songs(60, seed=1, spread=0.15))


def test_low_diversity_above_the_bound_alone_is_no_fault(flags):
    observe(flags, 0.75)
    flags.check(GRACE, songs(60, seed=1, spread=0.15))


def test_fifty_per_cent_with_a_kid_that_no_longer_improves(flags):
    observe(flags, 0.5)
    flags.check(GRACE, songs(60, seed=1))
    for _ in range(2):
        flags.check(GRACE, songs(60, seed=1) - 10)  # worse, three times over
    with pytest.raises(RedFlagError, match="and KID no longer improves"):
        flags.check(GRACE, songs(60, seed=1) - 10)


def test_accuracy_means_nothing_for_another_loss():
    flags = RedFlags(REAL, cross_entropy=False)
    observe(flags, 1.0)
    flags.check(GRACE, songs(60, seed=1))
    with pytest.raises(RedFlagError, match="mode collapse"):
        flags.check(GRACE, np.repeat(songs(1), 40, axis=0))


def test_output_that_is_not_finite(flags):
    broken = songs(4, seed=1)
    broken[2, 5, 5] = np.nan
    with pytest.raises(RedFlagError, match="the generator's output is NaN or infinite"):
        flags.check(0, broken)


def test_real_clips_without_diversity_are_refused():
    for real in (REAL[:1], np.repeat(REAL[:1], 5, axis=0)):
        with pytest.raises(ValueError, match="expected at least two different real clips"):
            RedFlags(real)


def test_state_goes_through_json(flags):
    observe(flags, 0.99)
    flags.check(0, songs(60, seed=1))
    resumed = RedFlags(REAL)
    resumed.load_state_dict(json.loads(json.dumps(flags.state_dict())))
    with pytest.raises(RedFlagError, match="no gradient"):
        resumed.check(GRACE, songs(60, seed=1))
    assert len(resumed.kids) == 2


@pytest.mark.parametrize(
    ("accuracy", "loss", "reading"),
    [(0.99, 0.001, "has won"), (0.5, 1.3, "guesses"), (0.75, 1.0, "balanced"), (0.9, 0.6, "out of the 70-80 % band")],
)
def test_published_reading_is_printed_as_such(accuracy, loss, reading):
    text = published_reading(accuracy, loss)
    assert text.startswith("published reading: ")
    assert reading in text
