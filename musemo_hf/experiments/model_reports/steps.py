"""A generator at several numbers of sampling steps: what it gains and what it costs."""

import time
from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np
import torch

from musemo_hf.audio.mel import denormalise
from musemo_hf.data.arrays import SongArrays
from musemo_hf.data.folds import artist_groups
from musemo_hf.evaluation.arrays import evenly_spaced
from musemo_hf.evaluation.distances.kernel import kernel_distance
from musemo_hf.evaluation.distances.neighbours import prdc
from musemo_hf.evaluation.spaces.embedders import Embedder, standardise
from musemo_hf.experiments.sound_sets import SoundSets
from musemo_hf.pipelines.emotion_to_music import MusemoPipeline
from musemo_hf.pipelines.generators import sample_clips
from musemo_hf.reporting.numbers import with_interval
from musemo_hf.training.corpus import select

from .external import external_report
from .generator import array_quality

SEED = 20_000_000  # of the clips, apart from the seeds of training and of the generator's report
TIMED = 5  # single clips, of which the least time is reported


def divide_by_artist(songs: SongArrays, n_first: int, n_second: int, seed: int = 0) -> tuple[SongArrays, SongArrays]:
    """Divide songs into two parts that share no artist.

    Args:
        songs: The songs.
        n_first: The largest number of songs of the first part.
        n_second: The largest number of songs of the second part.
        seed: The seed of the order of artists.

    Raises:
        ValueError: A part would be empty.
    """
    labels = np.unique(np.asarray(artist_groups(songs.artist)), return_inverse=True)[1]
    order = np.random.default_rng((seed, labels.max())).permutation(labels.max() + 1)
    taken = np.cumsum(np.bincount(labels)[order])
    in_first = np.zeros(len(order), dtype=bool)
    in_first[order[taken <= n_first]] = True
    first, second = np.flatnonzero(in_first[labels]), np.flatnonzero(~in_first[labels])
    if not len(first) or not len(second):
        raise ValueError(
            f"expected songs of several artists, and a part of at least one artist's songs, got {len(songs)} songs of "
            f"{len(order)} artists and {n_first} songs in the first part"
        )
    return select(songs, first), select(songs, evenly_spaced(second, n_second))


def measure_steps(
    pipeline: MusemoPipeline,
    asked: SongArrays,
    others: SongArrays,
    steps: Sequence[int],
    sounds: SoundSets | None = None,
    bfloat16: bool = False,
    guidance: Sequence[float | None] = (None,),
    embedder: Embedder | None = None,
) -> list[dict[str, Any]]:
    """Measure the clips of a flow or a U-Net, sampled in several ways, one clip at the emotion of each song.

    Args:
        pipeline: The pipeline of the generator.
        asked: The songs whose emotions are requested, with which clips are compared.
        others: Songs of other artists: what real music scores, and what noises and the external recogniser are fitted
            to.
        steps: The numbers of steps.
        sounds: Measures sound by an embedder that took no part in any training; None leaves it out.
        bfloat16: Whether clips are generated with products in bfloat16.
        guidance: The scales of guidance, with each of which every number of steps is measured; None is the generator's
            own.
        embedder: Another embedder of log-mels, in whose space arrays are compared with `asked` too; None leaves it out.

    Returns:
        For each number of `steps` and scale, named `steps` and `guidance_scale`: the array figures `skill` and
        `skill_interval`, `kid`, `coverage` and `recall`, and the whole `external_report` as `external` (None without
        sounds); `seconds`, see `seconds_a_clip`; and with an embedder `embedder`, see `embedder_report`.
    """
    generator, emotion, rows = pipeline.generator, torch.from_numpy(asked.emotion), []

    for n_steps, scale in product(steps, guidance):
        options = {"num_inference_steps": n_steps, "guidance_scale": scale}
        mels = _generated(generator, emotion, SEED, bfloat16, options)
        made = denormalise(mels[:, 0]).numpy()
        quality = array_quality(made, asked.spectrogram, others.spectrogram)
        rows.append(
            {"steps": n_steps, "guidance_scale": scale, "n": len(made)}
            | {"seconds": seconds_a_clip(pipeline, n_steps, bfloat16, scale)}
            | {name: quality[name] for name in ("skill", "skill_interval", "kid", "kid_se", "coverage", "recall")}
            | {"external": None if sounds is None else external_report(made, asked, others, sounds)}
            | ({} if embedder is None else {"embedder": embedder_report(made, asked.spectrogram, embedder)})
        )
    return rows


def embedder_report(made: np.ndarray, songs: np.ndarray, embedder: Embedder) -> dict[str, Any]:
    """Compare clips with songs in the space of an embedder, standardised by the songs.

    Args:
        made: The log-mels of the clips in dB `(N, 128, n_frames)`.
        songs: Those of the songs.
        embedder: The embedder of log-mels.

    Returns:
        Its `name`, and `kid`, `kid_se`, `precision`, `recall`, `density` and `coverage`.
    """
    songs_features, features = standardise(embedder.embed(songs), embedder.embed(made))
    return (
        {"name": embedder.name} | kernel_distance(songs_features, features)._asdict() | prdc(songs_features, features)
    )


def seconds_a_clip(
    pipeline: MusemoPipeline, n_steps: int, bfloat16: bool = False, guidance: float | None = None
) -> float:
    """Return the processor time of one clip with its sound in s, over all threads: the least of five clips.

    Processor time is compared because other work on the machine changes it less than the time that passes.
    """
    times, options = [], {"num_inference_steps": n_steps, "guidance_scale": guidance}
    for seed in range(TIMED):
        start = time.process_time()
        pipeline.to_audio(_generated(pipeline.generator, torch.zeros(1, 2), seed, bfloat16, options))
        times.append(time.process_time() - start)
    return min(times)


def _generated(
    generator: Any, emotion: torch.Tensor, seed: int, bfloat16: bool, options: dict[str, Any]
) -> torch.Tensor:
    with torch.autocast(generator.device.type, torch.bfloat16, enabled=bfloat16):
        return sample_clips(generator, emotion, seed, **options)


def steps_table(rows: Sequence[dict[str, Any]]) -> str:
    """Write the figures of `measure_steps` as a Markdown table, a column for each way of sampling."""
    lines = [f"| figure | {' | '.join(map(_title, rows))} |", f"|---|{'---|' * len(rows)}"]
    if rows[0]["external"] is not None:
        external = [row["external"] for row in rows]
        lines += [
            _line("**skill**, through sound, by YAMNet", [_figure(each, "external_skill") for each in external]),
            _line("detectability", [_figure(each, "detectability") for each in external]),
            _line("coverage (real songs)", [_with_real(each, "external_coverage") for each in external]),
            _line("recall", [with_interval(each["external_recall"]) for each in external]),
            _line("requested and recognised valence, r (songs)", [_agreement(each, 0) for each in external]),
            _line("requested and recognised arousal, r (songs)", [_agreement(each, 1) for each in external]),
            _line("spread of recognised over requested valence (songs)", [_spread(each, 0) for each in external]),
            _line("spread of recognised over requested arousal (songs)", [_spread(each, 1) for each in external]),
        ]
    lines += [
        _line("skill, arrays, own space", [_figure(row, "skill") for row in rows]),
        _line("KID, arrays, `modulation-v1`", [f"{row['kid']:.3g}" for row in rows]),
        _line("coverage, arrays", [f"{row['coverage']:.2f}" for row in rows]),
        _line("recall, arrays", [f"{row['recall']:.2f}" for row in rows]),
        *_embedder_lines(rows),
        _line("seconds of one core a clip, with sound", [f"{row['seconds']:.2f}" for row in rows]),
    ]
    return "\n".join(lines) + "\n"


def _embedder_lines(rows: Sequence[dict[str, Any]]) -> list[str]:
    if "embedder" not in rows[0]:
        return []
    reports = [row["embedder"] for row in rows]
    kid = [f"{report['kid']:.3g} (standard error {report['kid_se']:.2g})" for report in reports]
    lines = [_line(f"KID, arrays, `{reports[0]['name']}`", kid)]
    return lines + [
        _line(f"{name}, the same", [f"{each[name]:.2f}" for each in reports]) for name in ("coverage", "recall")
    ]


def _title(row: dict[str, Any]) -> str:
    steps = "1 step" if row["steps"] == 1 else f"{row['steps']} steps"
    return steps if row["guidance_scale"] is None else f"{steps}, guidance {row['guidance_scale']:g}"


def _line(title: str, cells: Sequence[str]) -> str:
    return f"| {title} | {' | '.join(cells)} |"


def _figure(report: dict[str, Any], name: str) -> str:
    return with_interval(report[name], report[f"{name}_interval"])


def _with_real(report: dict[str, Any], name: str) -> str:
    return f"{report[name]:.2f} ({report[f'{name}_real']:.2f})"


def _agreement(report: dict[str, Any], dimension: int) -> str:
    made, songs = (report[name]["pearson_r"][dimension] for name in ("requested", "songs"))
    return f"{made:.2f} ({songs:.2f})"


def _spread(report: dict[str, Any], dimension: int) -> str:
    made, songs = (report[name]["scale_ratio"][dimension] for name in ("requested", "songs"))
    return f"{made:.2f} ({songs:.2f})"
