"""Procedural music whose performance follows an emotion: additive synthesis over a chord progression.

The features that follow each dimension, and their directions, are the common findings of studies of expression in
music (Eerola, Friberg, Bresin, "Emotional expression in music", Frontiers in Psychology 4, 2013): arousal goes with
tempo, loudness, brightness and short notes, valence with the major mode, and less so with brightness and short notes.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

SAMPLING_RATE = 22050  # Hz
HARMONICS = 24
FAMILIES = ("organ", "reed", "bell", "string")

_MAJOR, _MINOR = (0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 10)
_PROGRESSIONS = {True: ((0, 4, 5, 3), (0, 3, 4, 0), (0, 5, 3, 4)), False: ((0, 5, 2, 6), (0, 3, 4, 0), (0, 6, 5, 4))}


@dataclass(frozen=True)
class Timbre:
    """The timbre that all songs of an artist share.

    Attributes:
        family: One of `FAMILIES`.
        even: The weight of the even harmonics, 0-1.
        register: The transposition in semitones.
        attack: The attack time in seconds.
        decay: The time in seconds in which a tone falls to 1/e; long for held tones.
        breath: The linear level of the noise beside the tones.
    """

    family: str
    even: float
    register: int
    attack: float
    decay: float
    breath: float


@dataclass(frozen=True)
class Performance:
    """The way that a song is played.

    Attributes:
        tempo: The tempo in beats per minute.
        major: Whether the mode is major.
        level: The RMS level in dB re full scale.
        slope: The exponent of the spectrum, in which harmonic k has the amplitude k ** -slope; lower is brighter.
        articulation: The share of its time that a note sounds, 0-1; lower is more staccato.
    """

    tempo: float
    major: bool
    level: float
    slope: float
    articulation: float


def draw_timbre(rng: np.random.Generator) -> Timbre:
    """Draw the timbre of an artist: a family, and values around those of the family."""
    family = int(rng.integers(len(FAMILIES)))
    even, attack, decay, breath = (
        (0.9, 0.03, 9.0, 0.01),
        (0.15, 0.04, 6.0, 0.05),
        (0.6, 0.004, 0.5, 0.0),
        (1, 0.09, 6.0, 0.02),
    )[family]
    return Timbre(
        family=FAMILIES[family],
        even=even * rng.uniform(0.6, 1.0),
        register=int(rng.integers(-5, 6)),
        attack=attack * rng.uniform(0.6, 1.6),
        decay=decay * rng.uniform(0.7, 1.4),
        breath=breath * rng.uniform(0.5, 1.5),
    )


def draw_performance(emotion: np.ndarray, rng: np.random.Generator) -> Performance:
    """Draw a way to play an emotion, with the scatter of a performer.

    Args:
        emotion: The (valence, arousal) in [-1, 1], of shape (2,).
        rng: The random generator of the scatter.
    """
    valence, arousal = (float(value) for value in emotion)
    scatter = rng.normal(0, 0.2, size=4)
    return Performance(
        tempo=float(np.clip(105 * 2 ** (0.8 * arousal + scatter[0]), 45, 210)),
        major=bool(rng.random() < 1 / (1 + np.exp(-8 * valence))),
        level=float(np.clip(-22 + 11 * (arousal + scatter[1]), -38, -11)),
        slope=float(np.clip(2.0 - 0.9 * arousal - 0.6 * valence + scatter[2], 0.8, 3.5)),
        articulation=float(np.clip(0.7 - 0.25 * arousal - 0.3 * valence + 0.5 * scatter[3], 0.2, 1.0)),
    )


def synthesise(performance: Performance, timbre: Timbre, duration: float, rng: np.random.Generator) -> np.ndarray:
    """Render a song: chords, bass and a melody, with a beat.

    Args:
        performance: The way that the song is played.
        timbre: The timbre of the artist.
        duration: The length in seconds.
        rng: The random generator of key, progression, melody and noise.

    Returns:
        float32 `(samples,)` in [-1, 1], mono, at `SAMPLING_RATE`.
    """
    samples = np.zeros(round(duration * SAMPLING_RATE))
    for onset, length, pitch, gain in _score(performance, timbre, duration, rng):
        _add_tone(samples, onset, length, pitch, gain, performance, timbre)
    _add_beat(samples, performance, rng)
    samples += timbre.breath * np.std(samples) * rng.standard_normal(len(samples))
    samples *= 10 ** (performance.level / 20) / np.sqrt(np.mean(samples**2))
    return np.tanh(samples).astype(np.float32)


def _score(
    performance: Performance, timbre: Timbre, duration: float, rng: np.random.Generator
) -> list[tuple[float, float, float, float]]:
    """Compose the notes as (onset in s, length in s, MIDI pitch, gain)."""
    scale = _MAJOR if performance.major else _MINOR
    progressions = _PROGRESSIONS[performance.major]
    chords = progressions[rng.integers(len(progressions))]
    tonic = 57 + timbre.register + int(rng.integers(-3, 4))
    beat = 60 / performance.tempo
    notes = []
    step = int(rng.integers(3)) * 2
    for index in range(int(np.ceil(duration / beat))):
        root = chords[(index // 4) % 4]
        if index % 4 == 0:
            notes.append((index * beat, 4 * beat, _pitch(scale, root, tonic - 24), 0.8))
        if index % 2 == 0:
            notes += [(index * beat, 2 * beat, _pitch(scale, root + third, tonic), 0.35) for third in (0, 2, 4)]
        for half in (0, 0.5) if rng.random() < 0.5 else (0,):
            step = int(np.clip(step + rng.integers(-2, 3), 0, 9)) if half else root % 7 + 2 * int(rng.integers(3))
            notes.append(((index + half) * beat, beat / 2 if half else beat, _pitch(scale, step, tonic + 12), 0.6))
    return notes


def _pitch(scale: tuple[int, ...], degree: int, tonic: int) -> float:
    return tonic + 12 * (degree // 7) + scale[degree % 7]


@lru_cache(maxsize=1)
def _sines() -> np.ndarray:
    """Return one period of each harmonic, `(HARMONICS, 2048)`."""
    return np.sin(2 * np.pi * np.outer(np.arange(1, HARMONICS + 1), np.arange(2048) / 2048))


def _add_tone(
    samples: np.ndarray,
    onset: float,
    length: float,
    pitch: float,
    gain: float,
    performance: Performance,
    timbre: Timbre,
) -> None:
    frequency = 440 * 2 ** ((pitch - 69) / 12)
    order = np.arange(1, min(HARMONICS, int(10000 / frequency)) + 1)  # none above 10 kHz, so that none folds back
    weights = order**-performance.slope * np.where(order % 2, 1.0, timbre.even)
    table = weights @ _sines()[: len(order)] / np.sqrt(np.sum(weights**2))
    begin = round(onset * SAMPLING_RATE)
    sounding = samples[begin : begin + round(length * performance.articulation * SAMPLING_RATE)]
    time = np.arange(len(sounding)) / SAMPLING_RATE
    release = np.clip((length * performance.articulation - time) / 0.015, 0, 1)
    envelope = np.minimum(time / timbre.attack, 1) * np.exp(-time / timbre.decay) * release
    sounding += gain * envelope * table[(frequency * time * 2048).astype(np.int64) & 2047]


def _add_beat(samples: np.ndarray, performance: Performance, rng: np.random.Generator) -> None:
    """Add a burst of noise on each beat, so that the tempo is audible with every timbre."""
    length = min(round(0.06 * SAMPLING_RATE), len(samples))
    burst = np.exp(-np.arange(length) / (0.012 * SAMPLING_RATE))
    for onset in np.arange(0, len(samples) / SAMPLING_RATE, 60 / performance.tempo):
        place = samples[round(onset * SAMPLING_RATE) :][:length]
        place += 0.5 * burst[: len(place)] * rng.standard_normal(len(place))
