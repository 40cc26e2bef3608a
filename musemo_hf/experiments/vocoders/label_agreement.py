"""How well the emotion of people is recognised before and after each channel, on songs with labels."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from musemo_hf.data.folds import artist_groups
from musemo_hf.evaluation.statistics.bootstrap import interval
from musemo_hf.evaluation.statistics.concordance import agreement, pair_sums, resampled_agreement

from .channels import Channel
from .labelled_songs import LabelledSongs, Recognise

NAMES = ("valence", "arousal")
DRAWS = 2000


def measure_against_labels(
    songs: LabelledSongs,
    ways: Mapping[str, Channel],
    recognisers: Mapping[str, Recognise],
    known: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Compare recognised emotions with the labels of people, for songs as they are and after each channel.

    Args:
        songs: The songs, which no recogniser was fitted to.
        ways: The channels by name.
        recognisers: The recognisers by name.
        known: An earlier result for the same songs and recognisers, whose channels are not measured again.

    Returns:
        `fold`, `n_songs`, `n_artists` and `recognisers`: for each the agreement `before`, and `after` each channel; see
        `agreement_figures`.

    Raises:
        ValueError: The earlier result is of another fold, of other songs or of other recognisers.
    """
    groups = artist_groups(songs.artist)
    facts = {"fold": songs.fold, "n_songs": len(groups), "n_artists": len(set(groups))}
    if known is not None:
        other = {name: known[name] for name in facts}
        if other != facts or set(known["recognisers"]) != set(recognisers):
            raise ValueError(
                f"expected earlier results of {facts} by {', '.join(recognisers)}, "
                f"got those of {other} by {', '.join(known['recognisers'])}"
            )
    before = {name: recognise(songs.waveforms) for name, recognise in recognisers.items()}
    after: dict[str, dict[str, Any]] = {name: {} for name in recognisers}
    for way, channel in ways.items():
        if known is not None and all(way in row["after"] for row in known["recognisers"].values()):
            for name, row in known["recognisers"].items():
                after[name][way] = row["after"][way]
            continue
        rebuilt = [channel(song) for song in songs.waveforms]
        for name, recognise in recognisers.items():
            after[name][way] = agreement_figures(recognise(rebuilt), songs.emotion, groups, before[name])
    rows = {
        name: {"before": agreement_figures(before[name], songs.emotion, groups), "after": after[name]}
        for name in recognisers
    }
    return facts | {"recognisers": rows}


def agreement_figures(
    predicted: NDArray, labels: NDArray, groups: Sequence[str], before: NDArray | None = None
) -> dict[str, Any]:
    """Compute the concordance correlation coefficient (CCC) with labels, with intervals from a bootstrap over artists.

    Args:
        predicted: The predicted (valence, arousal) `(N, 2)`.
        labels: Those of people `(N, 2)`.
        groups: The artist of each song.
        before: The predictions before the channel `(N, 2)`; None for the songs as they are.

    Returns:
        For each of valence and arousal `ccc`, and with `before` also `change`, the CCC after the channel less that
        before it, each with `value` and `interval` (95 %). Both sides of a change share their draws.
    """
    ccc, draws = _concordance(predicted, labels, groups)
    found: dict[str, Any] = {"ccc": _by_name(ccc, draws)}
    if before is not None:
        ccc_before, draws_before = _concordance(before, labels, groups)
        found["change"] = _by_name(ccc - ccc_before, draws - draws_before)
    return found


def _concordance(predicted: NDArray, labels: NDArray, groups: Sequence[str]) -> tuple[NDArray, NDArray]:
    sums = pair_sums(np.asarray(predicted, dtype=np.float64), np.asarray(labels, dtype=np.float64))
    draws = resampled_agreement(sums, groups, DRAWS, seed=0)["ccc"]
    return agreement(sums.sum(axis=1))["ccc"], draws


def _by_name(values: NDArray, draws: NDArray) -> dict[str, Any]:
    low, high = interval(draws)
    return {
        name: {"value": float(values[i]), "interval": [float(low[i]), float(high[i])]} for i, name in enumerate(NAMES)
    }
