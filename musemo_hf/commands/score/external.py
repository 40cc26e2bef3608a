"""Both sides of a comparison, and noise, as sound in the space of an external embedder."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from musemo_hf.commands.score.clips import Clips
    from musemo_hf.evaluation.surrogates.reference_statistics import ReferenceStatistics
    from musemo_hf.pipelines.embedders.audio_embedder import AudioEmbedder

NONE, DEFAULT = "none", "yamnet"
MOST = 400  # clips of a side that become sound, evenly spaced: an inversion takes a third of a second
N_NOISES = 100  # clips of each noise


def check_judge(name: str) -> None:
    """Check the name of an external embedder before clips are read.

    YAMNet is not looked for yet: where its file is missing, the figures stand without it, with the reason.

    Raises:
        ValueError: There is no such embedder, or it reads no audio.
        OSError: There is no such model.
    """
    if name not in (NONE, DEFAULT):
        _find(name)


def external_features(
    judge: str,
    sides: dict[str, Clips],
    statistics: ReferenceStatistics | None,
    n_frames: int | None,
    seed: int,
) -> tuple[dict[str, Any] | None, str | None]:
    """Return the arguments of the metric's `external`, or None and the reason why.

    All sides become sound in the same way: files pass through log-mel and inversion too, as stored clips and noise do.

    Args:
        judge: The name of the external embedder, or "none".
        sides: REAL and FAKE, after the metric has read them.
        statistics: The statistics of REAL, which noise is fitted to.
        n_frames: The number of frames of audio.
        seed: The seed of the noise.
    """
    if judge == NONE:
        return None, None
    from musemo_hf.evaluation.external.external_skill import EXTERNAL_NOISES, MIN_CLIPS
    from musemo_hf.evaluation.surrogates.samplers import sample_surrogate
    from musemo_hf.pipelines.embedders.pretrained_files import PretrainedModelError
    from musemo_hf.pipelines.embedders.sound_features import check_comparable, sound_features

    needed = {"REAL": 2 * MIN_CLIPS, "FAKE": MIN_CLIPS}  # REAL is halved
    for side, least in needed.items():
        if sides[side].n_read < least:
            return None, f"expected at least {least} clips as {side} to judge by {judge}, got {sides[side].n_read}"
    if statistics is None:
        return None, "no noise to compare with, since noise is fitted to clips of at least 256 frames"
    try:
        embedder = _find(judge)
    except PretrainedModelError as error:
        return None, str(error)
    sounds = {side: clips.sample(MOST) for side, clips in sides.items()}
    for name in EXTERNAL_NOISES:
        sounds[name] = list(np.concatenate([*sample_surrogate(name, statistics, N_NOISES, seed)]))
    stored = [clip.shape[-1] for clips in sounds.values() for clip in clips if isinstance(clip, np.ndarray)]
    shortest = min([*stored, n_frames or min(stored)])
    found = {
        side: sound_features(clips, embedder, n_frames=shortest, resynthesise=True, title=f"{side} as sound")
        for side, clips in sounds.items()
    }
    check_comparable(**{side.replace("-", "_"): features for side, features in found.items()})
    return {
        "embedder": embedder.name,
        "reference": found["REAL"].features,
        "candidate": found["FAKE"].features,
        "noises": {name: found[name].features for name in EXTERNAL_NOISES},
    }, None


@cache
def _find(name: str) -> AudioEmbedder:
    from musemo_hf.pipelines.embedders.audio_embedder import AudioEmbedder
    from musemo_hf.pipelines.embedders.find import find_embedder

    found = find_embedder(name)
    if not isinstance(found, AudioEmbedder):
        raise ValueError(f"expected an external embedder that reads audio, such as {DEFAULT}, got {found.name}")
    return found
