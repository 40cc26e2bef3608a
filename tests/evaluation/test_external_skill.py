import numpy as np
import pytest

from musemo_hf.evaluation.distances.frechet import features_frechet
from musemo_hf.evaluation.distances.kernel import kernel_distance
from musemo_hf.evaluation.external.external_skill import MIN_CLIPS, external_skill
from musemo_hf.evaluation.external.resampled_distances import principal_components, scaled


@pytest.fixture(scope="module")
def sides():
    """Features of real songs, five of each artist, and of two noises; the last two dimensions say nothing."""
    rng = np.random.default_rng(0)
    mixing = rng.normal(size=(40, 40)) / 5

    def songs(n_songs, shift=0.0):
        artists = np.repeat(rng.normal(size=(n_songs // 5, 40)), 5, axis=0)
        rows = (artists + 0.3 * rng.normal(size=(n_songs, 40))) @ mixing + shift
        return np.hstack([rows, np.full((n_songs, 1), 3.0), rng.normal(size=(n_songs, 1))])

    reference, held_out, candidate = songs(80), songs(80), songs(60)
    reference[:, -1] = 0  # constant in the reference alone
    return reference, held_out, candidate, {"far": songs(70, 3.0), "near": songs(90, 1.0)}


def groups(n_songs, name):
    return [f"{name} {index // 5}" for index in range(n_songs)]


def test_the_kernel_distance_is_that_of_the_varying_dimensions(sides):
    reference, held_out, candidate, noises = sides
    result = external_skill(reference, held_out, candidate, noises, n_resamples=30)
    rows = [side[:, :40] for side in (reference, held_out, candidate, noises["near"])]
    base, *others = (np.clip((side - rows[0].mean(axis=0)) / rows[0].std(axis=0), -4, 4) for side in rows)
    real, made, noise = (kernel_distance(base, side).kid for side in others)
    assert result.distance_real == pytest.approx(real)
    assert result.distance == pytest.approx(made)
    assert result.distance_noise == pytest.approx(noise)
    assert result.skill == pytest.approx((noise - made) / (noise - real))
    assert result.best_noise == "near"
    assert result.low <= result.skill <= result.high
    assert result.noise_skills["far"] < result.noise_skills["near"] == 0


def test_the_frechet_distance_is_that_of_32_components_at_equal_n(sides):
    reference, held_out, candidate, noises = sides
    result = external_skill(reference, held_out, candidate, noises, distance="frechet", n_resamples=30)
    assert result.n_clips == 60
    base, made = (side[np.linspace(0, len(side) - 1, 60).round().astype(int)][:, :40] for side in sides[0:3:2])
    made, base = (np.clip((side - base.mean(axis=0)) / base.std(axis=0), -4, 4) for side in (made, base))
    directions = np.linalg.svd(base, full_matrices=False)[2][:32].T
    assert result.distance == pytest.approx(features_frechet(base @ directions, made @ directions))


def test_few_clips_in_many_dimensions_have_the_same_components(sides):
    rows = scaled(sides[0], {"reference": sides[0]})["reference"][:30]
    rows = rows - rows.mean(axis=0)
    found = principal_components(rows, 8)
    expected = np.linalg.svd(rows, full_matrices=False)[2][:8].T
    np.testing.assert_allclose(np.abs(found.T @ expected), np.eye(8), atol=1e-8)
    assert principal_components(rows, 32).shape == (40, 29)


@pytest.mark.parametrize("distance", ["kid", "frechet"])
def test_music_is_one_noise_is_nought(sides, distance):
    reference, held_out, candidate, noises = sides
    music = external_skill(reference, held_out, candidate, noises, distance=distance)
    assert music.skill == pytest.approx(1, abs=0.4)
    assert music.reason is None
    assert external_skill(reference, held_out, noises["near"], noises, distance=distance).skill == 0
    assert external_skill(reference, held_out, noises["far"], noises, distance=distance).high < 0
    again = external_skill(reference, held_out, candidate, noises, distance=distance)
    assert again == music  # a function of its seed


def test_artists_are_drawn_whole(sides):
    """Two songs of one artist are alike: drawing songs alone makes the error too small."""
    reference, held_out, candidate, noises = sides
    labels = {"reference": groups(80, "a"), "held_out": groups(80, "b")}
    songs = external_skill(reference, held_out, candidate, noises, n_resamples=600)
    artists = external_skill(reference, held_out, candidate, noises, labels, n_resamples=600)
    assert artists.skill == songs.skill
    assert artists.standard_error > 1.1 * songs.standard_error


def test_the_interval_is_as_wide_as_new_songs_differ_or_wider():
    rng = np.random.default_rng(1)
    skills, widths = [], []
    for _ in range(40):
        reference, held_out, candidate, noise = rng.normal(size=(4, 60, 30))
        result = external_skill(reference, held_out, candidate + 0.2, {"noise": noise + 0.5}, n_resamples=60)
        skills.append(result.skill)
        widths.append(result.high - result.low)
    # where two distributions are nearly equal, the bootstrap of a kernel distance is too wide by up to the root of two
    assert 0.9 < np.mean(widths) / 3.92 / np.std(skills) < 1.6


def test_one_song_in_a_dimension_that_hardly_varies_does_not_decide(sides):
    reference, held_out, candidate, noises = (side.copy() if hasattr(side, "copy") else side for side in sides)
    reference[:, -1] = held_out[:, -1] = candidate[:, -1] = 0
    before = external_skill(reference, held_out, candidate, noises)
    reference[0, -1], held_out[0, -1] = 0.01, 5.0
    assert external_skill(reference, held_out, candidate, noises).skill == pytest.approx(before.skill, abs=0.1)


def test_nan_with_a_reason(sides):
    reference, held_out, candidate, noises = sides
    few = external_skill(reference, held_out, candidate[: MIN_CLIPS - 1], noises)
    assert np.isnan(few.skill)
    assert (
        f"at least {MIN_CLIPS} clips on every side for an external skill, got {MIN_CLIPS - 1} of candidate"
        in few.reason
    )
    same = external_skill(reference, held_out, candidate, {"music itself": candidate})
    assert np.isnan([same.skill, same.low, same.high]).all()
    assert "under 3 standard errors" in same.reason


def test_errors(sides):
    reference, held_out, candidate, noises = sides
    with pytest.raises(ValueError, match="at least one noise"):
        external_skill(reference, held_out, candidate, {})
    with pytest.raises(ValueError, match=r"\(N, 42\) of candidate, got \(60, 41\)"):
        external_skill(reference, held_out, candidate[:, 1:], noises)
    with pytest.raises(ValueError, match="finite features of held_out"):
        external_skill(reference, held_out * np.nan, candidate, noises)
    with pytest.raises(ValueError, match="kid, frechet, got 'mmd'"):
        external_skill(reference, held_out, candidate, noises, distance="mmd")
    with pytest.raises(ValueError, match="one group label for each of 80 clips of held_out"):
        external_skill(reference, held_out, candidate, noises, {"held_out": ["a"]})
    for side in ("far", "artists"):
        with pytest.raises(ValueError, match=f"groups of '{side}'"):
            external_skill(reference, held_out, candidate, noises, {side: groups(70, "a")})
    with pytest.raises(ValueError, match="reference features that differ"):
        external_skill(np.ones((60, 42)), held_out, candidate, noises)
