"""Whether a U-Net follows what is asked of it beside the emotion: requested against measured values."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from musemo_hf.data.arrays import SongArrays
from musemo_hf.evaluation.statistics.bootstrap import interval
from musemo_hf.models.unet.conditions import SCALES
from musemo_hf.pipelines.generators import sample_clips
from musemo_hf.reporting.numbers import with_interval
from musemo_hf.training.clips import Clips
from musemo_hf.training.corpus import select
from musemo_hf.training.unet.measures import measure

SEED = 50_000_000  # of the clips
N_RESAMPLES = 1000


def measure_conditions(
    generator: Any, songs: SongArrays, n_clips: int, seed: int = 0, bfloat16: bool = False
) -> list[dict[str, Any]]:
    """Ask for the loudness, brightness or tempo of one song at the emotion of another, and measure the clips.

    Each condition is asked for alone. Requested and measured values are on the scales of `SCALES`, from -1 to 1: that
    of loudness is in decibels, those of brightness and tempo are logarithmic.

    Args:
        generator: A generator with `conditions`.
        songs: Songs of its training, from which emotions and values are drawn.
        n_clips: The number of clips of each condition.
        seed: The seed of the draws and of the bootstrap.
        bfloat16: Whether clips are generated with products in bfloat16.

    Returns:
        For each condition that has a scale: `condition`, `n`, `pearson_r` and `slope` of measured on requested values,
        both with an `_interval`; and `unasked_r`, the correlation in clips of the same emotions and seeds of which
        nothing was asked.

    Raises:
        ValueError: The generator has no such condition, or there are fewer songs than clips.
    """
    names = [name for name in generator.config.conditions if name in SCALES]
    if not names or len(songs) < 2 * n_clips:
        raise ValueError(
            f"expected a generator with some of the conditions {', '.join(SCALES)}, and {2 * n_clips} songs, got "
            f"{', '.join(names) or 'none'} and {len(songs)} songs"
        )
    drawn = np.random.default_rng((seed, len(songs))).choice(len(songs), 2 * n_clips, replace=False)
    emotion = torch.from_numpy(songs.emotion[drawn[:n_clips]])
    wanted = measure(Clips.of_songs(select(songs, drawn[n_clips:])), names)
    unasked = measure(requested_clips(generator, emotion, {}, bfloat16), names)
    rows = []
    for name in names:
        made = requested_clips(generator, emotion, {name: SCALES[name].denormalise(wanted[name])}, bfloat16)
        measured = measure(made, [name])[name]
        figures = _agreement(wanted[name].double().numpy(), measured.double().numpy(), seed)
        nothing, _ = _r_and_slope(wanted[name].double().numpy(), unasked[name].double().numpy())
        rows.append({"condition": name, "n": n_clips, **figures, "unasked_r": nothing})
    return rows


def requested_clips(
    generator: Any, emotion: Tensor, conditions: dict[str, Tensor], bfloat16: bool = False, batch: int = 16
) -> Clips:
    """Generate one clip for each emotion, of the same noise in each call.

    Args:
        generator: A generator with the conditions.
        emotion: The (valence, arousal) of each clip `(N, 2)`.
        conditions: What else is asked for, a value `(N, ...)` by name, see `MusemoUNetGenerator.generate`.
        bfloat16: Whether clips are generated with products in bfloat16.
        batch: The number of clips that are generated at once.
    """
    parts = []
    with torch.autocast(generator.device.type, torch.bfloat16, enabled=bfloat16):
        for start in range(0, len(emotion), batch):
            part = slice(start, start + batch)
            given = {name: value[part] for name, value in conditions.items()}
            parts.append(sample_clips(generator, emotion[part], SEED + start, batch, conditions=given))
    return Clips(torch.cat(parts), emotion)


def _agreement(requested: np.ndarray, measured: np.ndarray, seed: int) -> dict[str, Any]:
    rng = np.random.default_rng((seed, len(requested)))
    draws = [
        _r_and_slope(requested[i], measured[i]) for i in rng.integers(0, len(requested), (N_RESAMPLES, len(requested)))
    ]
    low, high = interval(draws)
    r, slope = _r_and_slope(requested, measured)
    return {
        "pearson_r": r,
        "pearson_r_interval": [float(low[0]), float(high[0])],
        "slope": slope,
        "slope_interval": [float(low[1]), float(high[1])],
    }


def _r_and_slope(requested: np.ndarray, measured: np.ndarray) -> tuple[float, float]:
    covariance = np.cov(requested, measured)
    variance = covariance[0, 0] * covariance[1, 1]
    if not variance > 0:
        return float("nan"), float("nan")
    return float(covariance[0, 1] / np.sqrt(variance)), float(covariance[0, 1] / covariance[0, 0])


def conditions_table(rows: Sequence[dict[str, Any]]) -> str:
    """Write the figures of `measure_conditions` as a Markdown table."""
    lines = ["| condition | r | slope | r where nothing was asked |", "|---|---|---|---|"]
    lines += [
        f"| {row['condition']} | {with_interval(row['pearson_r'], row['pearson_r_interval'])} | "
        f"{with_interval(row['slope'], row['slope_interval'])} | {row['unasked_r']:.2f} |"
        for row in rows
    ]
    return "\n".join(lines) + "\n"
