"""Artist-disjoint folds, stratified and hashed, and the random split of published work."""

import hashlib
from collections import defaultdict
from collections.abc import Sequence

import numpy as np

# names that say that the artist is not known: each such song is a group of its own
NO_ARTIST = frozenset({"", "-", "n/a", "various", "various artists", "unknown", "unknown artist"})


def artist_groups(artists: Sequence[str]) -> list[str]:
    """Return a group for each song: its artist's name without case or odd spaces, or a group of its own.

    Args:
        artists: The N names of artists; those in `NO_ARTIST` count as unknown.

    Returns:
        The N keys; two songs share a key where they share a known artist.
    """
    names = [" ".join(artist.casefold().split()) for artist in artists]
    # A tab cannot be within a cleaned name, so that no artist's name can be such a key.
    return [f"\t{index:06d}" if name in NO_ARTIST else name for index, name in enumerate(names)]


def n_unknown(artists: Sequence[str]) -> int:
    """Count the songs whose artist is not known, of which two by one artist may be in two folds."""
    return sum(group.startswith("\t") for group in artist_groups(artists))


def strata(emotions: np.ndarray, years: Sequence[int]) -> np.ndarray:
    """Return the stratum of each song, its valence-arousal quadrant and year, as int `(N,)` from 0.

    Args:
        emotions: The (valence, arousal) in [-1, 1], of shape (N, 2); 0 counts as positive.
        years: The N years.
    """
    emotions = np.asarray(emotions)
    quadrant = 2 * (emotions[:, 0] >= 0) + (emotions[:, 1] >= 0)
    _, year = np.unique(np.asarray(years), return_inverse=True)
    return np.unique(4 * year + quadrant, return_inverse=True)[1]


def artist_folds(
    artists: Sequence[str], emotions: np.ndarray, years: Sequence[int], n_folds: int = 5, seed: int = 0
) -> np.ndarray:
    """Assign songs to folds that share no artist, balanced in size, quadrant and year.

    The method is greedy: artists are taken by falling number of songs, and each goes into the fold where it adds least
    to the squared counts of its strata (relative to the size of the stratum) and of the fold.

    Args:
        artists: The N names of artists, "" where unknown.
        emotions: The (valence, arousal) in [-1, 1], of shape (N, 2).
        years: The N years.
        n_folds: The number of folds, from 2 to the number of artists.
        seed: The seed of the order of artists with equally many songs.

    Returns:
        The folds, int8 `(N,)` from 0 to `n_folds - 1`.

    Raises:
        ValueError: The lengths differ, or `n_folds` is out of range.
    """
    emotions = np.asarray(emotions, dtype=np.float64)
    if emotions.shape != (len(artists), 2) or len(years) != len(artists):
        raise ValueError(
            f"expected emotions ({len(artists)}, 2) and {len(artists)} years, got {emotions.shape} and {len(years)}"
        )
    members: dict[str, list[int]] = defaultdict(list)
    for index, group in enumerate(artist_groups(artists)):
        members[group].append(index)
    if not 2 <= n_folds <= min(len(members), 127):
        raise ValueError(f"expected 2 to {min(len(members), 127)} folds for {len(members)} artists, got {n_folds}")
    stratum = strata(emotions, years)
    totals = np.bincount(stratum)
    counts = np.zeros((n_folds, len(totals)))
    folds = np.empty(len(artists), dtype=np.int8)
    for songs in _by_falling_size(members, seed):
        added = np.bincount(stratum[songs], minlength=len(totals))
        within = ((2 * counts + added) * added / totals).sum(axis=1)
        size = (2 * counts.sum(axis=1) + len(songs)) * len(songs) / len(artists)
        chosen = int(np.argmin(within + size))
        counts[chosen] += added
        folds[songs] = chosen
    return folds


def _by_falling_size(members: dict[str, list[int]], seed: int) -> list[list[int]]:
    names = sorted(members)
    order = np.random.default_rng((seed, len(names))).permutation(len(names))
    return sorted((members[names[i]] for i in order), key=len, reverse=True)


def inner_split(
    artists: Sequence[str], emotions: np.ndarray, years: Sequence[int], fraction: float = 0.1, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Hold out an artist-disjoint, stratified part of a training part, for early stopping.

    Args:
        artists: The N names of artists of the training part.
        emotions: The (valence, arousal) in [-1, 1], of shape (N, 2).
        years: The N years.
        fraction: The share to hold out, approximately; one over a whole number.
        seed: The seed, see `artist_folds`.

    Returns:
        Two ascending arrays of indices: the songs to fit on, and the songs held out.
    """
    folds = artist_folds(artists, emotions, years, n_folds=round(1 / fraction), seed=seed)
    return np.flatnonzero(folds != 0), np.flatnonzero(folds == 0)


def song_order(artists: Sequence[str], emotions: np.ndarray, years: Sequence[int], seed: int = 0) -> np.ndarray:
    """Order songs at random such that the first n of them are a stratified draw by artist, for every n.

    Each step takes all songs of one artist. The artist is the next of a random order among those whose most frequent
    stratum lacks most songs, compared with its share of all songs. So smaller draws are parts of larger ones, and only
    the last artist of a draw may be cut.

    Args:
        artists: The N names of artists, "" where unknown.
        emotions: The (valence, arousal) in [-1, 1], of shape (N, 2).
        years: The N years.
        seed: The seed of the order of artists.

    Returns:
        The indices of all songs in their order, int `(N,)`.
    """
    members: dict[str, list[int]] = defaultdict(list)
    for index, group in enumerate(artist_groups(artists)):
        members[group].append(index)
    stratum = strata(emotions, years)
    share = np.bincount(stratum) / len(stratum)
    waiting: dict[int, list[list[int]]] = defaultdict(list)
    names = sorted(members)
    for place in np.random.default_rng((seed, len(names))).permutation(len(names)):
        songs = members[names[place]]
        waiting[int(np.bincount(stratum[songs]).argmax())].append(songs)
    order: list[int] = []
    counts = np.zeros(len(share))
    while waiting:
        lack = share * (len(order) + 1) - counts
        chosen = max(waiting, key=lambda number: (lack[number], -number))
        songs = waiting[chosen].pop(0)
        if not waiting[chosen]:
            del waiting[chosen]
        counts += np.bincount(stratum[songs], minlength=len(share))
        order += songs
    return np.array(order)


def random_split(n: int, fractions: Sequence[float] = (0.8, 0.1, 0.1), seed: int = 0) -> list[np.ndarray]:
    """Split songs at random as published work does, so that songs of one artist are in several parts.

    Args:
        n: The number of songs.
        fractions: The sizes of the parts, which sum to 1; 1,744 songs give 1395, 175 and 174.
        seed: The seed of the permutation.

    Returns:
        The ascending indices of each part.

    Raises:
        ValueError: The fractions are negative or do not sum to 1.
    """
    if min(fractions) < 0 or not np.isclose(sum(fractions), 1):
        raise ValueError(f"expected fractions that sum to 1, got {tuple(fractions)}")
    cuts = [round(n * edge) for edge in np.cumsum(fractions)[:-1]]
    return [np.sort(part) for part in np.split(np.random.default_rng((seed, n)).permutation(n), cuts)]


def folds_hash(song_ids: Sequence[int] | np.ndarray, folds: Sequence[int] | np.ndarray) -> str:
    """Hash folds with SHA-256 over "song_id,fold" lines by ascending id, whatever the order of the songs."""
    pairs = sorted((int(song), int(fold)) for song, fold in zip(song_ids, folds, strict=True))
    return hashlib.sha256("".join(f"{song},{fold}\n" for song, fold in pairs).encode()).hexdigest()
