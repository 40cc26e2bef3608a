"""Detectability: how well a linear classifier on features tells generated clips from real songs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from musemo_hf.evaluation.statistics.bootstrap import (
    check_confidence,
    check_draws,
    group_indices,
    interval,
    multinomial_weights,
)
from musemo_hf.evaluation.threads import single_blas

from .resampled_distances import scaled

PENALTY = 0.01  # inverse strength C of the L2 penalty on standardised features; fixed, never chosen by the data
N_FOLDS = 5
MIN_CLIPS = 50  # of each kind
NAN = float("nan")


@dataclass(frozen=True)
class Detectability:
    """How well generated clips are distinguished from real songs.

    Attributes:
        auc: The area under the receiver operating characteristic: 0.5 where they cannot be distinguished, 1 where they
            always can; NaN with a reason.
        reason: The reason why it is NaN; None where it is a number.
        low: The lower end of the bootstrap interval over groups.
        high: The upper end.
        n_real: The number of real songs.
        n_generated: The number of generated clips.
    """

    auc: float
    reason: str | None
    low: float = NAN
    high: float = NAN
    n_real: int = 0
    n_generated: int = 0


@single_blas
def detectability(
    real: np.ndarray,
    generated: np.ndarray,
    real_groups: Sequence | None = None,
    generated_groups: Sequence | None = None,
    n_resamples: int = 400,
    confidence: float = 0.95,
    seed: int = 0,
) -> Detectability:
    """Compute the area under the curve of logistic regression that tells generated clips from real ones.

    The classifier is cross-validated in five folds that divide no group, and compares clips of one fold only, since
    the scores of two classifiers have no common scale. Features are standardised by the training part and limited
    to 4 deviations; those that are constant in it are left out. The L2 penalty is C = 0.01; classes have equal weight.

    Args:
        real: The features of real songs `(N, D)`.
        generated: The features of generated clips `(M, D)`, which came to them in the same way.
        real_groups: The artist of each real song; None makes each song its own group.
        generated_groups: The group of each generated clip: the artist of the song whose emotion was requested, so that
            both are on one side of each split; None makes each clip its own group. A label of both means one group.
        n_resamples: The number of bootstrap draws over groups; the classifiers are not trained again.
        confidence: The confidence level of the interval.
        seed: The seed of the folds and the bootstrap.

    Returns:
        The area with its interval; NaN with a reason if there are under `MIN_CLIPS` clips or five groups of a kind.

    Raises:
        ValueError: The shapes do not fit, there is NaN or infinity, or an option is out of range.
    """
    check_draws(n_resamples, seed)
    check_confidence(confidence)
    features = [np.asarray(side, dtype=np.float64) for side in (real, generated)]
    _check(*features)
    counts = {"n_real": len(features[0]), "n_generated": len(features[1])}
    members, n_groups, sides = _members(counts, real_groups, generated_groups)
    fewest = min(counts.values())
    if fewest < MIN_CLIPS:
        reason = f"expected at least {MIN_CLIPS} real and generated clips to tell apart, got {fewest}"
        return Detectability(NAN, reason, **counts)
    folds = _folds(members, n_groups, seed)
    empty = [fold for fold in range(N_FOLDS) if len(np.unique(sides[folds == fold])) < 2]
    if empty:
        reason = f"expected real and generated clips in each of {N_FOLDS} folds, got too few groups: {n_groups}"
        return Detectability(NAN, reason, **counts)
    scores = _scores(np.concatenate(features), sides, folds)
    wins = _wins(scores, sides, folds)
    drawn = np.concatenate(list(multinomial_weights(n_groups, n_resamples, seed)))[:, members]
    low, high = interval(_areas(wins, drawn, sides), confidence)
    area = _areas(wins, np.ones((1, len(members))), sides)[0]
    return Detectability(float(area), None, float(low), float(high), **counts)


def _check(real: np.ndarray, generated: np.ndarray) -> None:
    for name, features in (("real", real), ("generated", generated)):
        if features.ndim != 2 or features.shape[1:] != real.shape[1:]:
            raise ValueError(f"expected {name} features (N, {real.shape[-1]}), got {features.shape}")
        if not np.isfinite(features).all():
            raise ValueError(f"expected finite {name} features, got NaN or infinity")


def _members(
    counts: dict[str, int], real_groups: Sequence | None, generated_groups: Sequence | None
) -> tuple[np.ndarray, int, np.ndarray]:
    """Number the groups of all clips together, and say which clips are generated."""
    names: list[str] = []
    for kind, groups, count in zip(
        ("real", "generated"), (real_groups, generated_groups), counts.values(), strict=True
    ):
        own = [f"{kind} {index}" for index in range(count)] if groups is None else [f"group {name}" for name in groups]
        if len(own) != count:
            raise ValueError(f"expected one group label for each of {count} {kind} clips, got {len(own)}")
        names += own
    members, n_groups = group_indices(len(names), names)
    return members, n_groups, np.arange(len(names)) >= counts["n_real"]


def _folds(members: np.ndarray, n_groups: int, seed: int) -> np.ndarray:
    """Assign the clips to folds of about equal size, whole groups at once, the largest groups first."""
    sizes = np.bincount(members, minlength=n_groups)
    order = np.random.default_rng((seed, n_groups)).permutation(n_groups)
    filled, fold_of = np.zeros(N_FOLDS), np.empty(n_groups, dtype=int)
    for group in order[np.argsort(-sizes[order], kind="stable")]:
        fold_of[group] = filled.argmin()
        filled[fold_of[group]] += sizes[group]
    return fold_of[members]


def _scores(features: np.ndarray, sides: np.ndarray, folds: np.ndarray) -> np.ndarray:
    from sklearn.linear_model import LogisticRegression

    scores = np.empty(len(sides))
    for fold in range(N_FOLDS):
        train, test = folds != fold, folds == fold
        rows = scaled(features[train], {"train": features[train], "test": features[test]})
        classifier = LogisticRegression(C=PENALTY, class_weight="balanced", max_iter=1000)
        scores[test] = classifier.fit(rows["train"], sides[train]).decision_function(rows["test"])
    return scores


def _wins(scores: np.ndarray, sides: np.ndarray, folds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return for each generated and real clip `(M, N)` whether they are compared, and the share of wins (0, 0.5, 1)."""
    made, real = scores[sides][:, None], scores[~sides][None]
    compared = (folds[sides][:, None] == folds[~sides][None]).astype(float)
    return compared, compared * (0.5 * (made > real) + 0.5 * (made >= real))


def _areas(wins: tuple[np.ndarray, np.ndarray], weights: np.ndarray, sides: np.ndarray) -> np.ndarray:
    """Return the area for each row of weights `(draws, N + M)`."""
    compared, won = (((weights[:, sides] @ matrix) * weights[:, ~sides]).sum(axis=1) for matrix in wins)
    with np.errstate(invalid="ignore"):
        return won / compared
