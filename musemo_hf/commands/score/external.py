"""Both sides of a comparison, and noise, as sound in the space of an external embedder."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from musemo_hf.commands.score.clips import Clips
    from musemo_hf.evaluation.surrogates.reference_statistics import ReferenceStatistics
    from musemo_hf.pipelines.embedders.audio_embedder import AudioEmbedder

NONE, DEFAULT = "none", "yamnet"
HELD_OUT = "--held-out"
SIDES = {"REAL": "reference", "FAKE": "candidate", HELD_OUT: "held_out"}
MOST = 400  # clips of a side that become sound, evenly spaced: an inversion takes a third of a second
N_NOISES = 100  # clips of each noise


def prepare_sides(judge: str, sides: dict[str, Clips]) -> str | None:
    """Leave out of all figures what the external embedder cannot hear, before any clip is read.

    Files of a low sampling rate are left out, with the reason, if enough others remain to be judged. Otherwise all
    stay, since the other figures need no such rate.

    Args:
        judge: The name of the external embedder, or "none".
        sides: REAL, FAKE and, where there are some, the held-out clips.

    Returns:
        The reason why there are no external figures, or None.

    Raises:
        ValueError: There is no such embedder, or it reads no audio.
        OSError: There is no such model.
    """
    if judge == NONE:
        return None
    from musemo_hf.audio.mel import MelSettings
    from musemo_hf.pipelines.embedders.pretrained_files import PretrainedModelError

    if judge != DEFAULT:
        _find(judge)  # a name that does not exist is an error, whatever the clips
    few = _too_few(judge, sides, {side: len(clips.all_names()) for side, clips in sides.items()})
    if few is not None:
        return few
    try:
        embedder = _find(judge)
    except PretrainedModelError as error:
        return str(error)
    lowest_rate = min(embedder.sampling_rate, MelSettings().sampling_rate)
    below = {side: clips.below_rate(lowest_rate) for side, clips in sides.items()}
    remaining = {side: len(clips.all_names()) - len(below[side]) for side, clips in sides.items()}
    few = _too_few(judge, sides, remaining)
    if few is not None:
        side = next(side for side, least in _needed(sides).items() if remaining[side] < least)
        return f"{few}: {len(below[side])} other files are sampled at less than {lowest_rate:,} Hz"
    for side, clips in sides.items():
        clips.leave_out(below[side])
    return None


def external_features(
    judge: str,
    sides: dict[str, Clips],
    statistics: ReferenceStatistics | None,
    n_frames: int | None,
    seed: int,
    artists: list[str] | None = None,
) -> tuple[dict[str, Any] | None, str | None]:
    """Return the arguments of the metric's `external`, or None and the reason why, which names the side.

    All sides become sound in the same way: files pass through log-mel and inversion too, as stored clips and noise do.
    Files that cannot be read as sound are added to `left_out` of their side.

    Args:
        judge: The name of the external embedder.
        sides: REAL, FAKE and perhaps the held-out clips, after `prepare_sides` and after all have been read.
        statistics: The statistics of REAL, which noise is fitted to.
        n_frames: The number of frames of audio.
        seed: The seed of the noise.
        artists: The artist of each clip of REAL that was read, or None.
    """
    import numpy as np

    from musemo_hf.evaluation.arrays import evenly_spaced
    from musemo_hf.pipelines.embedders.external_sides import external_sides

    few = _too_few(judge, sides, {side: clips.n_read for side, clips in sides.items()})
    if few is not None:
        return None, few
    if statistics is None:
        return None, "no noise to compare with, since noise is fitted to clips of REAL of at least 256 frames"
    sounds: dict[str, Any] = {SIDES[side]: clips.sample(MOST) for side, clips in sides.items()}
    groups = {} if artists is None else {"reference": list(evenly_spaced(np.asarray(artists), MOST))}
    titles = {SIDES[side]: side for side in sides}
    options: dict[str, Any] = {"n_frames": n_frames, "n_noises": N_NOISES, "seed": seed, "titles": titles}
    try:
        found = external_sides(embedder=_find(judge), statistics=statistics, groups=groups, **sounds, **options)
    except (ValueError, OSError) as error:  # the other figures, which took minutes, stand without these
        return None, str(error)
    for side, clips in sides.items():
        left_out = found.left_out.get(SIDES[side], {})
        clips.left_out |= {clips.name_of(file): f"{why} (external figures)" for file, why in left_out.items()}
    return found.external, None


def _needed(sides: dict[str, Clips]) -> dict[str, int]:
    """Return the least number of clips of each side; REAL is halved where no clips are held out."""
    from musemo_hf.evaluation.external.external_skill import MIN_CLIPS

    return {side: MIN_CLIPS * (2 if side == "REAL" and HELD_OUT not in sides else 1) for side in sides}


def _too_few(judge: str, sides: dict[str, Clips], counts: dict[str, int]) -> str | None:
    for side, least in _needed(sides).items():
        if counts[side] < least:
            return f"expected at least {least} clips as {side} to judge by {judge}, got {counts[side]}"
    return None


@cache
def _find(name: str) -> AudioEmbedder:
    from musemo_hf.pipelines.embedders.audio_embedder import AudioEmbedder
    from musemo_hf.pipelines.embedders.find import find_embedder

    found = find_embedder(name)
    if not isinstance(found, AudioEmbedder):
        raise ValueError(f"expected an external embedder that reads audio, such as {DEFAULT}, got {found.name}")
    return found
