import numpy as np
import pytest

from musemo_hf.data.folds import (
    artist_folds,
    artist_groups,
    folds_hash,
    inner_split,
    random_split,
    strata,
)


@pytest.fixture
def songs():
    rng = np.random.default_rng(0)
    artists = [f"Artist {int(number)}" for number in rng.geometric(0.02, size=1000)]
    return artists, rng.uniform(-1, 1, (1000, 2)), rng.choice([2013, 2014, 2015], size=1000, p=[0.4, 0.5, 0.1])


def test_no_artist_is_in_two_folds(songs):
    artists, emotions, years = songs
    artists = [f"  {name.upper()} " if i % 2 else name.replace(" ", "\t ") for i, name in enumerate(artists)]
    folds = artist_folds(artists, emotions, years)
    assert folds.dtype == np.int8
    assert set(folds) == {0, 1, 2, 3, 4}
    of_artist = {}
    for name, fold in zip(artists, folds, strict=True):
        of_artist.setdefault(" ".join(name.casefold().split()), set()).add(int(fold))
    assert all(len(found) == 1 for found in of_artist.values())


def test_folds_are_balanced_in_size_quadrant_and_year(songs):
    artists, emotions, years = songs
    folds = artist_folds(artists, emotions, years)
    sizes = np.bincount(folds)
    assert sizes.max() - sizes.min() <= 4
    stratum = strata(emotions, years)
    assert stratum.max() == 11
    for one in range(12):
        counts = np.bincount(folds[stratum == one], minlength=5)
        assert counts.max() - counts.min() <= 6
    # A random deal of the artists is several times as uneven: the balance is the method's, not the data's.
    names, inverse = np.unique(artists, return_inverse=True)
    dealt = np.random.default_rng(1).integers(5, size=len(names))[inverse]
    assert np.ptp(np.bincount(dealt)) > 5 * np.ptp(sizes)


def test_folds_are_a_function_of_their_arguments(songs):
    folds = artist_folds(*songs, seed=3)
    ids = np.arange(1000)
    assert folds_hash(ids, folds) == folds_hash(ids, artist_folds(*songs, seed=3))
    assert folds_hash(ids, folds) != folds_hash(ids, artist_folds(*songs, seed=4))
    order = np.random.default_rng(2).permutation(1000)
    assert folds_hash(ids[order], folds[order]) == folds_hash(ids, folds)
    shuffled = artist_folds([songs[0][i] for i in order], songs[1][order], songs[2][order], seed=3)
    assert folds_hash(ids[order], shuffled) == folds_hash(ids, folds)


def test_the_hash_stays_what_it_was():
    emotions = np.random.default_rng(0).uniform(-1, 1, (20, 2))
    assert artist_folds(list("abcdefghij") * 2, emotions, [2013] * 20, n_folds=3).tolist() == [
        *(2, 0, 2, 0, 1, 1, 0, 2, 2, 1, 2, 0, 2, 0, 1, 1, 0, 2, 2, 1)
    ]
    assert folds_hash([1, 2], [0, 1]) == "025589945457da7be45e3ed9be99ff4a6b63a740adea84dd3b541044517812c6"


def test_unknown_artists_share_no_group():
    groups = artist_groups(["", "Various", " various  ARTISTS ", "n/a", "Unknown", "Jahzzar", "jahzzar "])
    assert len(set(groups)) == 6
    assert groups[5] == groups[6]


@pytest.mark.parametrize("n_folds", [1, 4])
def test_folds_need_artists(n_folds):
    with pytest.raises(ValueError, match="expected 2 to 3 folds for 3 artists"):
        artist_folds(["a", "b", "c", "c"], np.zeros((4, 2)), [2013] * 4, n_folds)


def test_lengths_must_agree():
    with pytest.raises(ValueError, match=r"expected emotions \(2, 2\) and 2 years, got \(3, 2\) and 2"):
        artist_folds(["a", "b"], np.zeros((3, 2)), [2013] * 2)


def test_the_inner_split_is_artist_disjoint_and_a_tenth(songs):
    fit, held_out = inner_split(*songs)
    assert sorted([*fit, *held_out]) == list(range(1000))
    assert 80 <= len(held_out) <= 120
    assert not {songs[0][i] for i in fit} & {songs[0][i] for i in held_out}


def test_the_random_split_has_the_published_sizes():
    parts = random_split(1744)
    assert [len(part) for part in parts] == [1395, 175, 174]
    assert sorted(np.concatenate(parts)) == list(range(1744))
    assert all(np.array_equal(a, b) for a, b in zip(parts, random_split(1744), strict=True))
    assert not np.array_equal(parts[0], random_split(1744, seed=1)[0])
    with pytest.raises(ValueError, match="expected fractions that sum to 1"):
        random_split(10, (0.5, 0.1))
