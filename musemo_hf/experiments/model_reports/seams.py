"""Seams: whether a log-mel changes more where two parts meet than elsewhere, as infilling and continuation leave it."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from musemo_hf.audio.mel import denormalise, normalise
from musemo_hf.data.arrays import SongArrays
from musemo_hf.evaluation.statistics.bootstrap import interval, resampled_sums
from musemo_hf.pipelines.emotion_to_music import MusemoPipeline
from musemo_hf.reporting.numbers import with_interval

SEED = 40_000_000  # of what is made
WIDTHS = (1, 11)  # frames on each side of a place: adjacent columns, and a quarter of a second
N_RESAMPLES = 1000


def jumps(decibels: np.ndarray, width: int) -> np.ndarray:
    """Return how much a log-mel changes at each place, in dB.

    Args:
        decibels: The log-mel in dB `(128, n_frames)`.
        width: The number of frames before and after a place of which the means are compared.

    Returns:
        The mean absolute difference over bands `(n_frames - 2 width + 1,)`, first of the place before frame `width`.

    Raises:
        ValueError: There are not as many frames.
    """
    if decibels.shape[-1] < 2 * width:
        raise ValueError(f"expected at least {2 * width} frames, got {decibels.shape[-1]}")
    sums = np.cumsum(np.pad(decibels.astype(np.float64), ((0, 0), (1, 0))), axis=1)
    means = (sums[:, width:] - sums[:, :-width]) / width
    return np.abs(means[:, width:] - means[:, :-width]).mean(axis=0)


def seam_figures(clips: Sequence[np.ndarray], seams: Sequence[int], width: int, seed: int = 0) -> dict[str, Any]:
    """Compare the jumps at seams with those at all other places of the same clips.

    Args:
        clips: The log-mels in dB `(128, n_frames)`.
        seams: The first frames of what follows each seam, the same in all clips.
        width: See `jumps`.
        seed: The seed of the bootstrap over clips.

    Returns:
        `seam` and `elsewhere`, the mean jumps in dB; their `ratio`, with its 95 % `ratio_interval`.
    """
    places = np.asarray(seams) - width
    sums = []
    for clip in clips:
        found = jumps(clip, width)
        near = np.abs(np.arange(len(found))[:, None] - places).min(axis=1) < width  # places whose frames cross a seam
        sums.append([found[places].mean(), found[~near].mean()])
    seam, elsewhere = np.mean(sums, axis=0)
    draws = resampled_sums(np.array(sums), None, N_RESAMPLES, seed)
    low, high = interval(draws[:, 0] / draws[:, 1])
    ends = [float(low), float(high)]
    return {"seam": seam, "elsewhere": elsewhere, "ratio": seam / elsewhere, "ratio_interval": ends, "n": len(clips)}


def window_seams(n_frames: int, total: int, window: int) -> list[int]:
    """Return where the windows of `extend` begin, for a song of `n_frames` that is continued to `total` frames."""
    seams = []
    while n_frames < total:
        seams.append(n_frames)
        n_frames += window - min(window // 2, n_frames)
    return seams


def measure_seams(
    pipeline: MusemoPipeline, songs: SongArrays, n_journeys: int, bfloat16: bool = False
) -> list[dict[str, Any]]:
    """Measure the seams of infilling, of continuation and of a journey, and the same places of the songs.

    The middle third of each song is made anew, and each song is continued by twice its half, at its own emotion. The
    journeys go through the emotions of three songs in 30 s.

    Args:
        pipeline: The pipeline of a generator that can change songs.
        songs: The songs, of as many frames as the generator's clips.
        n_journeys: The number of journeys.
        bfloat16: Whether clips are made with products in bfloat16.

    Returns:
        For each of WIDTHS and each way: `way`, `width` (frames), and the answer of `seam_figures`.
    """
    generator, window = pipeline.generator, songs.spectrogram.shape[-1]
    mels, emotion = normalise(torch.from_numpy(songs.spectrogram))[:, None], torch.from_numpy(songs.emotion)
    unknown = torch.zeros(window, dtype=torch.bool)
    unknown[window // 3 : 2 * window // 3] = True
    with torch.autocast(generator.device.type, torch.bfloat16, enabled=bfloat16):
        infilled = _each(lambda part, at, seed: generator.infill(part, unknown, at, seed), mels, emotion)
        extended = _each(lambda part, at, seed: generator.extend(part, window, at, seed), mels, emotion)
        journeys = [_journey(pipeline, emotion[3 * i : 3 * i + 3], SEED + i) for i in range(n_journeys)]
    edges = [window // 3, 2 * window // 3]
    ways = {
        "infilling": (infilled, edges),
        "continuation": (extended, window_seams(window, 2 * window, window)),
        "journey of 30 s": (journeys, _journey_seams(journeys[0].shape[-1], window)),
        "songs, at the places of infilling": (list(songs.spectrogram), edges),
    }
    return [
        {"way": way, "width": width} | seam_figures(clips, seams, width)
        for width in WIDTHS
        for way, (clips, seams) in ways.items()
    ]


def _journey(pipeline: MusemoPipeline, emotion: torch.Tensor, seed: int) -> np.ndarray:
    valence, arousal = emotion.T.tolist()
    return pipeline.journey(valence, arousal, seconds=30, seed=seed, n_iter=1).spectrogram


def _each(make: Any, mels: torch.Tensor, emotion: torch.Tensor, batch: int = 4) -> list[np.ndarray]:
    """Return what is made of each song, in dB `(128, frames)`."""
    made = [
        make(mels[start : start + batch], emotion[start : start + batch], SEED + start)
        for start in range(0, len(mels), batch)
    ]
    return list(denormalise(torch.cat(made)[:, 0].float().cpu()).numpy())


def _journey_seams(total: int, window: int) -> list[int]:
    """Return the seams of a journey through three emotions: each part begins with a window of its own."""
    ends = torch.linspace(0, total, 4).round().long()[1:].tolist()
    seams, made = [], min(window, ends[0])
    for end in ends:
        seams += window_seams(made, end, window)
        made = max(made, end)
    return seams


def seams_table(rows: Sequence[dict[str, Any]]) -> str:
    """Write the figures of `measure_seams` as a Markdown table."""
    lines = ["| way | frames compared | at seams, dB | elsewhere, dB | ratio |", "|---|---|---|---|---|"]
    lines += [
        f"| {row['way']} | {row['width']} | {row['seam']:.2f} | {row['elsewhere']:.2f} | "
        f"{with_interval(row['ratio'], row['ratio_interval'])} |"
        for row in rows
    ]
    return "\n".join(lines) + "\n"
