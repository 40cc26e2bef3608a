"""Whether a U-Net follows the genre that it is asked for: what classifiers of real songs find in its clips."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from musemo_hf.audio.mel import denormalise
from musemo_hf.data.arrays import SongArrays
from musemo_hf.data.folds import artist_groups
from musemo_hf.data.genres import split_genres
from musemo_hf.evaluation.arrays import evenly_spaced
from musemo_hf.evaluation.external.detectability import PENALTY
from musemo_hf.evaluation.external.resampled_distances import scaled
from musemo_hf.evaluation.spaces.embedders import get_embedder
from musemo_hf.evaluation.statistics.bootstrap import interval, resampled_sums
from musemo_hf.evaluation.threads import single_blas
from musemo_hf.experiments.sound_sets import SoundSets
from musemo_hf.models.unet.genres import GENRE, genre_shares
from musemo_hf.reporting.numbers import with_interval
from musemo_hf.training.corpus import select

from .conditions import requested_clips

ARRAYS = "modulation-v3"  # the space of our own statistics
N_FOLDS = 5
N_ARTISTS = 10  # of songs of one genre only, so that each classifier knows several
SIDES = ("songs", "requested")
N_RESAMPLES = 1000


def measure_genres(
    generator: Any,
    songs: SongArrays,
    n_emotions: int,
    sounds: SoundSets | None = None,
    n_songs: int | None = None,
    seed: int = 0,
    bfloat16: bool = False,
) -> dict[str, Any]:
    """Ask for genres at the same emotions with the same noise, and classify the clips as real songs are classified.

    A classifier is logistic regression (L2 penalty, classes of equal weight) on features of songs that have exactly one
    of the generator's genres; a genre that has such songs of fewer than ten artists is left out. Five classifiers are
    fitted, each without the artists of one fold. A real song is classified by the one that knows no song of its artist,
    and a clip by all five, whose answers are averaged, so that both sides are classified by classifiers of as many
    songs. Since only the genre differs between the clips, a generator that ignores it has a balanced accuracy of
    exactly chance.

    Args:
        generator: A generator with `genres`.
        songs: Songs of its training.
        n_emotions: The number of songs at whose emotions each genre is asked for.
        sounds: Embeds sound by a model that took no part in any training, which decides; None leaves it out.
        n_songs: The largest number of songs that are classified and that classifiers are fitted to; None for all.
        seed: The seed of the choice of emotions, of the folds and of the bootstrap.
        bfloat16: Whether clips are generated with products in bfloat16.

    Returns:
        The measured `genres`, `n_songs` of each, `n_artists`, `n_emotions`, `chance`, and for each space `by_space`:
        `songs` and `requested`, with the `balanced_accuracy` (the mean of the recalls) and its `_interval` (95 %, over
        artists or over emotions) and the `recall` of each genre; and `unasked`, the share of each genre among clips of
        which no genre was asked, at the same emotions with the same noise.

    Raises:
        ValueError: Fewer than two genres are left, or there are fewer than two emotions.
    """
    offered = tuple(generator.config.genres)
    names = [[name for name in split_genres(text) if name in offered] for text in songs.genre]
    artists = artist_groups(songs.artist)
    artists_of = {genre: {artists[i] for i, found in enumerate(names) if found == [genre]} for genre in offered}
    genres = [genre for genre in offered if len(artists_of[genre]) >= N_ARTISTS]
    if len(genres) < 2 or n_emotions < 2:
        counts = ", ".join(f"{genre} {len(found)}" for genre, found in artists_of.items()) or "no genres"
        raise ValueError(
            f"expected a generator with at least two genres that are the only one of songs of {N_ARTISTS} artists, and "
            f"2 emotions, got {counts}, and {n_emotions} emotions"
        )
    single = np.flatnonzero([len(found) == 1 and found[0] in genres for found in names])
    single = evenly_spaced(single, len(single) if n_songs is None else n_songs)
    known, labels = select(songs, single), np.array([genres.index(names[i][0]) for i in single])
    artists = [artists[i] for i in single]
    folds = fold_of_artists(labels, artists, seed)
    chosen = np.random.default_rng((seed, len(songs))).choice(len(songs), n_emotions, replace=False)
    emotion = torch.from_numpy(songs.emotion[chosen])
    wanted = [genre_shares(offered, [name] * n_emotions) for name in (*genres, None)]
    parts = [requested_clips(generator, emotion, {GENRE: shares}, bfloat16).spectrogram[:, 0] for shares in wanted]
    made = denormalise(torch.cat(parts)).numpy()
    spaces = {f"{ARRAYS}, arrays": [get_embedder(ARRAYS).embed(clips) for clips in (known.spectrogram, made)]}
    if sounds is not None:
        heard = [sounds.features(known.spectrogram, "real songs"), sounds.features(made, "generated clips")]
        spaces = {f"{sounds.embedder.name}, sound": heard} | spaces
    return {
        "genres": genres,
        "n_songs": np.bincount(labels, minlength=len(genres)).tolist(),
        "n_artists": len(set(artists)),
        "n_emotions": n_emotions,
        "chance": 1 / len(genres),
        "by_space": {
            name: _fidelity(real, clips, labels, artists, folds, len(genres), seed)
            for name, (real, clips) in spaces.items()
        },
    }


def fold_of_artists(labels: np.ndarray, artists: Sequence[str], seed: int) -> np.ndarray:
    """Return a fold from 0 to 4 for each song, none of which divides an artist, with genres in like shares.

    Args:
        labels: The number of the genre of each song `(N,)`.
        artists: The artist of each song.
        seed: The seed of the order of artists.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    folds = np.empty(len(labels), dtype=int)
    divided = StratifiedGroupKFold(N_FOLDS, shuffle=True, random_state=seed).split(labels[:, None], labels, artists)
    for fold, (_, test) in enumerate(divided):
        folds[test] = fold
    return folds


@single_blas
def _fidelity(
    real: np.ndarray,
    clips: np.ndarray,
    labels: np.ndarray,
    artists: Sequence[str],
    folds: np.ndarray,
    n_genres: int,
    seed: int,
) -> dict[str, Any]:
    """Classify songs and clips, of which as many follow each other of each genre, and then of none."""
    from sklearn.linear_model import LogisticRegression

    found, answers = np.empty(len(labels), dtype=int), []
    for fold in range(N_FOLDS):
        train, test = folds != fold, folds == fold
        rows = scaled(real[train], {"train": real[train], "test": real[test], "clips": clips})
        classifier = LogisticRegression(C=PENALTY, class_weight="balanced", max_iter=1000)
        classifier.fit(rows["train"], labels[train])
        found[test] = classifier.predict(rows["test"])
        answers.append(np.eye(n_genres)[classifier.predict(rows["clips"])])
    shares = np.mean(answers, axis=0)
    asked, unasked = np.split(shares, [-(len(shares) // (n_genres + 1))])
    requested, emotions = np.repeat(np.arange(n_genres), len(unasked)), np.tile(np.arange(len(unasked)), n_genres)
    return {
        "songs": _recalls(found == labels, labels, artists, n_genres, seed),
        "requested": _recalls(asked[np.arange(len(asked)), requested], requested, emotions, n_genres, seed),
        "unasked": unasked.mean(axis=0).tolist(),
    }


def _recalls(hits: np.ndarray, labels: np.ndarray, groups: Sequence | np.ndarray, n_genres: int, seed: int) -> Any:
    """Return the recall of each genre and their mean, with an interval over groups."""
    of_genre = np.eye(n_genres)[labels]
    values = np.stack([of_genre * hits[:, None], of_genre], axis=-1)
    with np.errstate(invalid="ignore"):  # a draw may have no song of a genre, which it then leaves out
        drawn = resampled_sums(values, groups, N_RESAMPLES, seed)
        low, high = interval(np.nanmean(drawn[..., 0] / drawn[..., 1], axis=1))
    recall = values[..., 0].sum(axis=0) / values[..., 1].sum(axis=0)
    return {
        "balanced_accuracy": float(recall.mean()),
        "balanced_accuracy_interval": [float(low), float(high)],
        "recall": recall.tolist(),
    }


def genres_table(figures: Mapping[str, Any]) -> str:
    """Write the figures of `measure_genres` as a Markdown table."""
    spaces: Mapping[str, Any] = figures["by_space"]
    heads = [
        f"{name}: {column}" for name in spaces for column in ("real songs", "clips asked for it", "clips not asked")
    ]
    lines = [f"| genre | songs | {' | '.join(heads)} |", f"|---|---|{'---|' * len(heads)}"]
    cells = []
    for each in spaces.values():
        cells += [with_interval(each[s]["balanced_accuracy"], each[s]["balanced_accuracy_interval"]) for s in SIDES]
        cells.append(f"{figures['chance']:.2f} (chance)")
    lines.append(f"| **balanced accuracy** | {sum(figures['n_songs'])} | {' | '.join(cells)} |")
    for i, (genre, n_songs) in enumerate(zip(figures["genres"], figures["n_songs"], strict=True)):
        shares = [
            share for each in spaces.values() for share in (*(each[s]["recall"][i] for s in SIDES), each["unasked"][i])
        ]
        lines.append(f"| {genre} | {n_songs} | {' | '.join(f'{share:.2f}' for share in shares)} |")
    return "\n".join(lines) + "\n"
