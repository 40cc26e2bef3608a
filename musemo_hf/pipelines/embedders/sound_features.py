"""The features of sound: of audio files, or of log-mels that become sound by the same inversion on every side.

from musemo_hf.pipelines.embedders.sound_features import check_comparable, sound_features

real = sound_features(sorted(Path("songs").glob("*.mp3")), resynthesise=True)  # through log-mel and inversion
generated = sound_features(log_mels)  # (N, 128, n_frames) in dB
check_comparable(real=real, generated=generated)
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
from tqdm.auto import tqdm

from musemo_hf.audio.clip_threads import map_clips
from musemo_hf.pipelines.embedders.audio_embedder import AudioEmbedder
from musemo_hf.pipelines.embedders.feature_cache import FeatureCache
from musemo_hf.pipelines.embedders.find import find_embedder
from musemo_hf.pipelines.embedders.sound_clips import SETTINGS, SoundClip, sound_clips
from musemo_hf.pipelines.song_files import UNREADABLE, why

Result = TypeVar("Result")

VERSION = 1  # raised when the same sound gets other features
AT_ONCE = 32  # clips that are in memory as audio, and that are stored together
AUDIO, INVERTED = "audio", "inverted"


@dataclass(frozen=True)
class SoundFeatures:
    """The features of one side of a comparison.

    Attributes:
        features: The features, float64 `(N, D)`.
        names: The names of the N clips: paths, or positions of log-mels.
        embedder: The name of the embedder.
        route: "audio" for files as they are; "inverted" for log-mels, and for files that were re-synthesised.
        duration: The duration of each clip in s.
        left_out: The reasons why files could not be read, by name.
    """

    features: np.ndarray
    names: list[str]
    embedder: str
    route: str
    duration: float
    left_out: dict[str, str] = field(default_factory=dict)


def sound_features(
    sounds: Any,
    embedder: str | AudioEmbedder = "yamnet",
    *,
    n_frames: int = 431,
    resynthesise: bool = False,
    cache: FeatureCache | bool = True,
    progress: bool | None = None,
    title: str = "sound",
) -> SoundFeatures:
    """Embed audio files or log-mels as sound, with the threads that torch has.

    Features are cached on disk by the content of a file or array, the embedder's name and the route. An interrupted
    call goes on where it was.

    Args:
        sounds: The paths of audio files; or log-mels in any form that `evaluation.arrays.as_clips` accepts, in dB or
            normalised.
        embedder: An embedder of audio, or its name for `find_embedder`. A name stands for one model: features that were
            cached under it are not computed again.
        n_frames: The number of frames whose duration is read, from the beginning: 431 are ten seconds.
        resynthesise: Whether files pass through log-mel and inversion, as log-mels do.
        cache: The cache; True for that of the user, False for none.
        progress: Whether to show a progress bar; None for one where standard error is a terminal.
        title: The title of the progress bar.

    Raises:
        ValueError: There are no clips, files and log-mels are mixed, a log-mel has fewer frames, the embedder reads no
            audio, or no file could be read. A file that cannot be read, is too short, or is sampled at a lower rate
            than the embedder and log-mels have, is left out with its reason.
    """
    space = find_embedder(embedder) if isinstance(embedder, str) else embedder
    if not isinstance(space, AudioEmbedder):
        raise ValueError(f"expected an embedder of audio, such as yamnet, got {space.name}, which reads log-mels")
    store = FeatureCache() if cache is True else cache or None
    clips = sound_clips(sounds, n_frames, min(space.sampling_rate, SETTINGS.sampling_rate), resynthesise)
    route = INVERTED if clips[0].inverted else AUDIO
    salt = f"{VERSION} {space.name} {route} {n_frames} {SETTINGS}\n".encode()
    rows: dict[str, np.ndarray] = {}
    left_out: dict[str, str] = {}
    with tqdm(desc=title, total=len(clips), unit=" clips", disable=None if progress is None else not progress) as bar:
        for start in range(0, len(clips), AT_ONCE):
            batch = clips[start : start + AT_ONCE]
            rows |= _features(batch, space, salt, store, left_out)
            bar.update(len(batch))
    if not rows:
        raise ValueError(
            f"expected sound, got none from {len(clips)} files: {'; '.join([*dict.fromkeys(left_out.values())][:3])}"
        )
    duration = SETTINGS.n_samples(n_frames) / SETTINGS.sampling_rate
    features = np.stack([*rows.values()]).astype(np.float64)
    left_out = {
        clip.name: left_out[clip.name] for clip in clips if clip.name in left_out
    }  # threads have their own order
    return SoundFeatures(features, [*rows], space.name, route, duration, left_out)


def check_comparable(**sides: SoundFeatures) -> None:
    """Check that all sides became features in the same way: by one embedder, along one route, of one duration.

    Args:
        **sides: The features of each side, by its name in the error.

    Raises:
        ValueError: Two sides differ.
    """
    ways = {name: f"{side.duration:g} s of {side.route} sound by {side.embedder}" for name, side in sides.items()}
    if len(set(ways.values())) > 1:
        got = ", ".join(f"{way} as {name}" for name, way in ways.items())
        raise ValueError(f"expected all sides alike, got {got}; `resynthesise` sends files through the inversion too")


def _features(
    clips: Sequence[SoundClip],
    embedder: AudioEmbedder,
    salt: bytes,
    cache: FeatureCache | None,
    left_out: dict[str, str],
) -> dict[str, np.ndarray]:
    """Return the features of clips by name; those that cannot be read are added to `left_out`."""
    digests = {clip.name: _attempt(clip, clip.digest, left_out) for clip in clips}
    keys = {name: hashlib.sha256(salt + digest).digest() for name, digest in digests.items() if digest is not None}
    known = cache.read(keys.values()) if cache else {}
    missing = [clip for clip in clips if clip.name in keys and keys[clip.name] not in known]
    read = map_clips(lambda clip: _attempt(clip, clip.read, left_out), missing)
    sound = {clip.name: samples for clip, samples in zip(missing, read, strict=True) if samples is not None}
    embedded = embedder.embed_audio(list(sound.values()), SETTINGS.sampling_rate).astype(np.float32)
    made = {keys[name]: row for name, row in zip(sound, embedded, strict=True)}
    if cache and made:
        cache.write(made)
    known |= made
    return {name: known[key] for name, key in keys.items() if key in known}


def _attempt(clip: SoundClip, function: Callable[[], Result], left_out: dict[str, str]) -> Result | None:
    """Return the answer of a function of a clip, or None where it cannot be read."""
    try:
        return function()
    except UNREADABLE as error:
        left_out[clip.name] = why(clip.name, error)
        return None
