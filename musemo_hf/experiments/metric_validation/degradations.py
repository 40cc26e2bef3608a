"""Degradations of real music in growing strength, to find which figure detects which fault."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

SILENCE_DB = -60.0


@dataclass(frozen=True)
class Songs:
    """The clips that degradations use, `(N, 128, n_frames)` in dB each.

    Attributes:
        clips: The clips to degrade.
        others: As many other songs, to mix in.
        training: As many songs of the reference, to copy.
    """

    clips: np.ndarray
    others: np.ndarray
    training: np.ndarray


@dataclass(frozen=True)
class Degradation:
    """One fault at growing strength.

    Attributes:
        name: The name of the fault.
        unit: The unit of a level.
        levels: The levels, in growing strength.
        apply: A function from (songs, level, rng) to the degraded clips `(N, 128, n_frames)`.
    """

    name: str
    unit: str
    levels: tuple[float, ...]
    apply: Callable[[Songs, float, np.random.Generator], np.ndarray]


def add_noise(songs: Songs, level: float, rng: np.random.Generator) -> np.ndarray:
    """Add white noise to the dB of every cell."""
    return songs.clips + np.float32(level) * rng.standard_normal(songs.clips.shape, dtype=np.float32)


def blur(songs: Songs, level: float, rng: np.random.Generator) -> np.ndarray:
    """Blur bands and frames with a Gaussian."""
    return ndimage.gaussian_filter(songs.clips, (0, level, level))


def shuffle_time(songs: Songs, level: float, rng: np.random.Generator) -> np.ndarray:
    """Shuffle a share (%) of the frames."""
    return np.stack([clip[:, _partial_order(clip.shape[1], level, rng)] for clip in songs.clips])


def shuffle_blocks(songs: Songs, level: float, rng: np.random.Generator) -> np.ndarray:
    """Put blocks of 1 / level seconds in random order."""
    length = round(22050 / 512 / level)
    frames = np.arange(songs.clips.shape[2])
    blocks = np.array_split(frames, range(length, len(frames), length))
    return np.stack(
        [clip[:, np.concatenate([blocks[i] for i in rng.permutation(len(blocks))])] for clip in songs.clips]
    )


def shuffle_bands(songs: Songs, level: float, rng: np.random.Generator) -> np.ndarray:
    """Shuffle a share (%) of the mel bands."""
    return np.stack([clip[_partial_order(clip.shape[0], level, rng)] for clip in songs.clips])


def amplify(songs: Songs, level: float, rng: np.random.Generator) -> np.ndarray:
    """Raise the level by some dB."""
    return songs.clips + np.float32(level)


def shift_pitch(songs: Songs, level: float, rng: np.random.Generator) -> np.ndarray:
    """Shift every band up: a transposition above 1 kHz, where mel is logarithmic and an octave has 12 bands."""
    return ndimage.shift(songs.clips, (0, level, 0), order=1, mode="nearest")


def slow_down(songs: Songs, level: float, rng: np.random.Generator) -> np.ndarray:
    """Slow down by a factor and keep the pitch, by interpolating the first frames of the log-mel."""
    frames = np.arange(songs.clips.shape[2]) / level
    first = frames.astype(int)
    share = (frames - first).astype(np.float32)
    return songs.clips[..., first] * (1 - share) + songs.clips[..., np.minimum(first + 1, first[-1] + 1)] * share


def mix(songs: Songs, level: float, rng: np.random.Generator) -> np.ndarray:
    """Mix in another song with a share (%) of the power."""
    share = level / 100
    power = (1 - share) * 10 ** (songs.clips / 10) + share * 10 ** (songs.others / 10)
    return 10 * np.log10(power)


def low_pass(songs: Songs, level: float, rng: np.random.Generator) -> np.ndarray:
    """Silence the highest bands."""
    result = songs.clips.copy()
    result[:, result.shape[1] - int(level) :] = SILENCE_DB
    return result


def drop_modes(songs: Songs, level: float, rng: np.random.Generator) -> np.ndarray:
    """Remove a share (%) of the songs, the quietest, and draw the number of songs from the others."""
    loudness = songs.clips.mean(axis=(1, 2))
    kept = np.argsort(loudness)[int(len(loudness) * level / 100) :]
    return songs.clips[rng.choice(kept, len(loudness))]


def copy_training(songs: Songs, level: float, rng: np.random.Generator) -> np.ndarray:
    """Replace a share (%) of the songs by songs of the reference."""
    result = songs.clips.copy()
    count = round(len(result) * level / 100)
    result[:count] = songs.training[:count]
    return result


def reverse(songs: Songs, level: float, rng: np.random.Generator) -> np.ndarray:
    """Play a share (%) of the songs backwards."""
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
