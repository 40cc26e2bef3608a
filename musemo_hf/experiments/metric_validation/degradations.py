"""Real music made worse step by step, to see which figure sees which fault."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

SILENCE_DB = -60.0


@dataclass(frozen=True)
class Songs:
    """What a degradation is made of, `(N, 128, n_frames)` dB each.

    Attributes:
        clips: what becomes worse.
        others: other songs, to be mixed in; as many.
        training: what the reference consists of, to be copied; as many.
    """

    clips: np.ndarray
    others: np.ndarray
    training: np.ndarray


@dataclass(frozen=True)
class Degradation:
    """One fault at growing strength.

    Attributes:
        name: of the fault.
        unit: of a level.
        levels: growing strength.
        apply: (songs, level, rng) -> `(N, 128, n_frames)`.
    """

    name: str
    unit: str
    levels: tuple[float, ...]
    apply: Callable[[Songs, float, np.random.Generator], np.ndarray]


def add_noise(songs: Songs, level: float, rng: np.random.Generator) -> np.ndarray:
    """White noise on the dB of every cell."""
    return songs.clips + np.float32(level) * rng.standard_normal(songs.clips.shape, dtype=np.float32)


def blur(songs: Songs, level: float, rng: np.random.Generator) -> np.ndarray:
    """Gaussian blur over bands and frames."""
    return ndimage.gaussian_filter(songs.clips, (0, level, level))


def shuffle_time(songs: Songs, level: float, rng: np.random.Generator) -> np.ndarray:
    """A share (%) of the frames changes places."""
    return np.stack([clip[:, _partial_order(clip.shape[1], level, rng)] for clip in songs.clips])


def shuffle_blocks(songs: Songs, level: float, rng: np.random.Generator) -> np.ndarray:
    """Blocks of 1 / level seconds in random order."""
    length = round(22050 / 512 / level)
    frames = np.arange(songs.clips.shape[2])
    blocks = np.array_split(frames, range(length, len(frames), length))
    return np.stack(
        [clip[:, np.concatenate([blocks[i] for i in rng.permutation(len(blocks))])] for clip in songs.clips]
    )


def shuffle_bands(songs: Songs, level: float, rng: np.random.Generator) -> np.ndarray:
    """A share (%) of the mel bands changes places."""
    return np.stack([clip[_partial_order(clip.shape[0], level, rng)] for clip in songs.clips])


def amplify(songs: Songs, level: float, rng: np.random.Generator) -> np.ndarray:
    """Louder, and clamped."""
    return songs.clips + np.float32(level)


def shift_pitch(songs: Songs, level: float, rng: np.random.Generator) -> np.ndarray:
    """Every band moves up: a transposition where mel is logarithmic, above 1 kHz, where 12 bands are an octave."""
    return ndimage.shift(songs.clips, (0, level, 0), order=1, mode="nearest")


def slow_down(songs: Songs, level: float, rng: np.random.Generator) -> np.ndarray:
    """Slower by a factor, pitch kept: the first frames of the log-mel, interpolated."""
    frames = np.arange(songs.clips.shape[2]) / level
    first = frames.astype(int)
    share = (frames - first).astype(np.float32)
    return songs.clips[..., first] * (1 - share) + songs.clips[..., np.minimum(first + 1, first[-1] + 1)] * share


def mix(songs: Songs, level: float, rng: np.random.Generator) -> np.ndarray:
    """Another song takes a share (%) of the power."""
    share = level / 100
    power = (1 - share) * 10 ** (songs.clips / 10) + share * 10 ** (songs.others / 10)
    return 10 * np.log10(power)


def low_pass(songs: Songs, level: float, rng: np.random.Generator) -> np.ndarray:
    """The highest bands fall silent."""
    result = songs.clips.copy()
    result[:, result.shape[1] - int(level) :] = SILENCE_DB
    return result


def drop_modes(songs: Songs, level: float, rng: np.random.Generator) -> np.ndarray:
    """A share (%) of the songs, the quietest, is missing; what is left is drawn again and again."""
    loudness = songs.clips.mean(axis=(1, 2))
    kept = np.argsort(loudness)[int(len(loudness) * level / 100) :]
    return songs.clips[rng.choice(kept, len(loudness))]


def copy_training(songs: Songs, level: float, rng: np.random.Generator) -> np.ndarray:
    """A share (%) is copied from the reference."""
    result = songs.clips.copy()
    count = round(len(result) * level / 100)
    result[:count] = songs.training[:count]
    return result


def reverse(songs: Songs, level: float, rng: np.random.Generator) -> np.ndarray:
    """A share (%) of the songs is played backwards."""
    result = songs.clips.copy()
    count = round(len(result) * level / 100)
    result[:count] = result[:count, :, ::-1]
    return result


def _partial_order(count: int, share: float, rng: np.random.Generator) -> np.ndarray:
    order = np.arange(count)
    moved = rng.choice(count, round(count * share / 100), replace=False)
    order[np.sort(moved)] = moved
    return order


DEGRADATIONS = (
    Degradation("noise", "dB", (1, 2, 4, 8), add_noise),
    Degradation("blur", "bands and frames", (0.5, 1, 2), blur),
    Degradation("time shuffle", "% of frames", (10, 30, 100), shuffle_time),
    Degradation("block shuffle", "blocks a second", (0.5, 2, 8), shuffle_blocks),
    Degradation("played backwards", "% of songs", (25, 50, 100), reverse),
    Degradation("band shuffle", "% of bands", (10, 30, 100), shuffle_bands),
    Degradation("low-pass", "of 128 bands", (16, 48, 80), low_pass),
    Degradation("pitch shift", "bands", (1, 3, 6), shift_pitch),
    Degradation("slower", "times", (1.25, 1.5, 2), slow_down),
    Degradation("gain", "dB", (3, 6, 12), amplify),
    Degradation("two songs mixed", "% of power", (3, 10, 50), mix),
    Degradation("modes dropped", "% of songs", (50, 80, 95), drop_modes),
    Degradation("copies", "% of songs", (10, 50, 100), copy_training),
)
