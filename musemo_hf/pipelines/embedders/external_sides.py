"""All sides of the external figures as sound: real songs, generated clips, and noise that is fitted to the real songs.

from musemo_hf.pipelines.embedders.external_sides import external_sides

sides = external_sides(real, made, "yamnet")
quality.compute(references=real, predictions=made, external=sides.external)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from musemo_hf.data.deam.excerpts import excerpt_log_mel
from musemo_hf.evaluation.arrays import as_clips, to_decibels
from musemo_hf.evaluation.external.external_skill import EXTERNAL_NOISES
from musemo_hf.evaluation.score.reducer import MIN_FRAMES
from musemo_hf.evaluation.surrogates.reference_statistics import ReferenceStatistics
from musemo_hf.evaluation.surrogates.samplers import sample_surrogate
from musemo_hf.pipelines.embedders.audio_embedder import AudioEmbedder
from musemo_hf.pipelines.embedders.feature_cache import FeatureCache
from musemo_hf.pipelines.embedders.sound_features import SoundFeatures, check_comparable, sound_features
from musemo_hf.pipelines.song_files import UNREADABLE, shown

FILE_FRAMES = 431  # ten seconds, of files


@dataclass(frozen=True)
class ExternalSides:
    """The features of all sides.

    Attributes:
        external: The argument `external` of the metric spectrogram_quality.
        left_out: By side, the reasons why files could not be read, by the name of the file.
    """

    external: dict[str, Any]
    left_out: dict[str, dict[str, str]] = field(default_factory=dict)


def external_sides(
    reference: Any,
    candidate: Any,
    embedder: str | AudioEmbedder = "yamnet",
    *,
    held_out: Any = None,
    groups: Mapping[str, Sequence[str]] | None = None,
    statistics: ReferenceStatistics | None = None,
    n_frames: int | None = None,
    n_noises: int = 100,
    seed: int = 0,
    cache: FeatureCache | bool = True,
    progress: bool | None = None,
    titles: Mapping[str, str] | None = None,
) -> ExternalSides:
    """Embed real songs, generated clips and noises, after all became sound by the same inversion.

    Args:
        reference: Real songs: the paths of audio files, or log-mels in any form that `evaluation.arrays.as_clips`
            accepts, in dB or normalised. A skill needs 100, or 50 beside `held_out`.
        candidate: Generated clips in the same forms; a skill needs 50.
        embedder: A pretrained audio model that took no part in the training, or its name for `find_embedder`.
        held_out: Real songs of other artists in the same forms; None: the reference is halved.
        groups: The artists of the clips of "reference", "candidate" and "held_out", one label a clip; may be empty.
        statistics: The statistics that noise is fitted to; None computes them from the reference.
        n_frames: The number of frames that are heard, from the beginning (default: those of the shortest log-mel, or
            431 of files). Noise is fitted to at least 256 frames of the reference, however few are heard.
        n_noises: The number of clips of each noise.
        seed: The seed of the noise.
        cache: See `sound_features`.
        progress: See `sound_features`.
        titles: The names of the sides in errors and progress bars, by "reference", "candidate" and "held_out".

    Raises:
        ValueError: A side has no clips that can be read, the embedder reads no audio, there are under 256 frames to fit
            noise to, or there is not one label for each clip; the message names the side.
        PretrainedModelError: The file or the extra of YAMNet is missing.
        OSError: There is no such model, or it cannot be fetched.
    """
    sounds = {"reference": reference, "candidate": candidate, "held_out": held_out}
    sounds = {side: clips for side, clips in sounds.items() if clips is not None}
    names = {side: (titles or {}).get(side, side) for side in sounds}
    for side, labels in (groups or {}).items():
        if side not in sounds or len(labels) != len(sounds[side]):
            raise ValueError(f"expected one group label for each clip of {', '.join(sounds)}, got others for {side}")
    statistics = statistics or _statistics(reference, n_frames or FILE_FRAMES, names["reference"])
    lengths = [length for clips in sounds.values() for length in _lengths(clips)]
    heard = min([*lengths, n_frames or (min(lengths) if lengths else FILE_FRAMES)])
    for noise in EXTERNAL_NOISES:
        sounds[noise] = np.concatenate([*sample_surrogate(noise, statistics, n_noises, seed)])
    found: dict[str, SoundFeatures] = {}
    for side, clips in sounds.items():
        title = names.get(side, side)
        options: dict[str, Any] = {"cache": cache, "progress": progress, "title": f"{title} as sound"}
        try:
            found[side] = sound_features(clips, embedder, n_frames=heard, resynthesise=True, **options)
        except ValueError as error:
            raise ValueError(f"{title}: {error}") from error
    check_comparable(**{side.replace("-", "_"): features for side, features in found.items()})
    external: dict[str, Any] = {"embedder": found["reference"].embedder}
    external |= {side: found[side].features for side in names}
    external |= {f"{side}_groups": _kept(sounds[side], found[side], labels) for side, labels in (groups or {}).items()}
    external["noises"] = {noise: found[noise].features for noise in EXTERNAL_NOISES}
    return ExternalSides(external, {side: found[side].left_out for side in names if found[side].left_out})


def _is_path(sound: Any) -> bool:
    return isinstance(sound, str | PathLike)


def _lengths(sounds: Any) -> list[int]:
    """Return the numbers of frames of log-mels; none of files."""
    if hasattr(sounds, "ndim"):
        return [sounds.shape[-1]]
    return [] if all(map(_is_path, sounds)) else [clip.shape[-1] for clip in as_clips(sounds, "log-mels")]


def _statistics(reference: Any, n_frames: int, title: str) -> ReferenceStatistics:
    """Compute the statistics of real songs that noise is fitted to, without files that cannot be read."""
    if hasattr(reference, "ndim") or not all(map(_is_path, reference)):
        clips = [to_decibels(clip) for clip in as_clips(reference, title)]
    else:
        clips = []
        for file in reference:
            try:
                clips.append(excerpt_log_mel(Path(file), 0.0, max(n_frames, MIN_FRAMES)))
            except UNREADABLE:
                continue  # `sound_features` says why
    shortest = min((clip.shape[-1] for clip in clips), default=0)
    if len(clips) < 2 or shortest < MIN_FRAMES:
        raise ValueError(
            f"{title}: expected at least 2 clips of {MIN_FRAMES} frames, which noise is fitted to, got {len(clips)} of "
            f"{shortest} frames"
        )
    statistics = ReferenceStatistics.empty(clips[0].shape[0], shortest)
    for clip in clips:
        statistics.update(np.asarray(clip, dtype=np.float32)[None, :, :shortest])
    return statistics


def _kept(sounds: Any, found: SoundFeatures, labels: Sequence[str]) -> list[str]:
    """Return the labels of the clips that have features; log-mels all have."""
    if not found.left_out:
        return list(labels)
    return [label for sound, label in zip(sounds, labels, strict=True) if shown(sound) not in found.left_out]
