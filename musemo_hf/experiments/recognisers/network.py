"""What the network adds to the kernel regression: its predictions blended with those of a recipe."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from musemo_hf.data.folds import artist_groups
from musemo_hf.evaluation.statistics.comparison import compare_arms, compare_with_best
from musemo_hf.evaluation.statistics.concordance import concordance_correlation
from musemo_hf.files import is_whole

from .comparison import N_FOLDS, RecogniserComparison

SHARES = tuple(round(0.05 * step, 2) for step in range(11))  # of the network, 0 to 0.5


def network_report(
    comparison: RecogniserComparison, run_dir: Path, recipe: str = "statistics"
) -> dict[str, Any] | None:
    """Compare a recipe with and without the network, on the folds in which a network was trained with the first seed.

    The network's share is chosen for each fold and dimension by the CCC on the other folds.

    Args:
        comparison: The finished comparison.
        run_dir: The folder of an ablation (`training/ablate.py`) with the network alone as its arm `real`.
        recipe: The recipe that the network is blended with.

    Returns:
        `folds`, `n_songs`, `shares` (of each fold, for valence and arousal), the figures of `network`, `recipe` and
        `blend` (see `compare_arms`), and `difference`, of the blend to the recipe; None with fewer than two folds.

    Raises:
        ValueError: A result is of other folds.
    """
    folds = [fold for fold in range(N_FOLDS) if is_whole(_path(run_dir, fold))]
    if len(folds) < 2:
        return None
    tested = [np.flatnonzero(comparison.folds == fold) for fold in folds]
    network = []
    for fold, songs in zip(folds, tested, strict=True):
        values = np.array(json.loads(_path(run_dir, fold).read_text())["predictions"])
        if values.shape != (len(songs), 2):
            raise ValueError(f"{_path(run_dir, fold)}: expected predictions ({len(songs)}, 2), got {values.shape}")
        network.append(values)
    regression = [comparison.predictions(recipe)[0][songs] for songs in tested]
    labels = [comparison.songs.emotion[songs].astype(np.float64) for songs in tested]
    shares, blended = [], []
    for place, _ in enumerate(folds):
        others = [other for other in range(len(folds)) if other != place]
        chosen = _best_shares(*(np.concatenate([part[o] for o in others]) for part in (network, regression, labels)))
        shares.append(chosen.tolist())
        blended.append(chosen * network[place] + (1 - chosen) * regression[place])
    arms = {"network": network, "recipe": regression, "blend": blended}
    pooled = {name: np.concatenate(parts)[None] for name, parts in arms.items()}
    songs = np.concatenate(tested)
    groups = artist_groups([comparison.songs.artist[song] for song in songs])
    given = pooled, np.concatenate(labels), groups
    figures = compare_arms(*given, reference=None)
    difference = compare_with_best(*given, "blend", ["recipe"])
    return {"folds": folds, "n_songs": len(songs), "shares": shares, **figures, "difference": difference}


def _path(run_dir: Path, fold: int) -> Path:
    return run_dir / f"fold{fold}" / "real-seed0.json"


def _best_shares(network: np.ndarray, regression: np.ndarray, labels: np.ndarray) -> np.ndarray:
    agreements = [concordance_correlation(s * network + (1 - s) * regression, labels) for s in SHARES]
    return np.array(SHARES)[np.argmax(np.array(agreements), axis=0)]
