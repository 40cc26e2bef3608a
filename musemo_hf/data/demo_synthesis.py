"""Synthetic instruments for the demonstration corpus: additive synthesis of tones, in a small room."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.signal import oaconvolve

from musemo_hf.data.demo_performance import Performance, Tone

SAMPLING_RATE = 22050  # Hz
HARMONICS = 24
HIGHEST = 10_000  # Hz, of harmonics, so that none folds back
RELEASE = 0.04  # s
VIBRATO_RATE = 5.5  # Hz
ROOM = 0.35  # s in which the sound of the room falls to 1/e
ROOM_LEVEL = 0.25  # RMS of the room's sound re the direct sound
# family: weight of even harmonics, attack and decay in s, darkening in s (0: none), vibrato in semitones, noise
FAMILIES = {
    "piano": (1.0, 0.004, 1.2, 0.4, 0.0, 0.0),
    "guitar": (0.7, 0.003, 0.6, 0.2, 0.0, 0.0),
    "organ": (0.9, 0.02, 30.0, 0.0, 0.0, 0.005),
    "clarinet": (0.12, 0.03, 30.0, 0.0, 0.0, 0.01),
    "flute": (0.4, 0.05, 30.0, 0.0, 0.15, 0.04),
    "strings": (1.0, 0.08, 30.0, 0.0, 0.2, 0.01),
}


@dataclass(frozen=True)
class Instrument:
    """A synthetic instrument.

    Attributes:
        family: One of `FAMILIES`.
        even: The weight of the even harmonics, 0-1.
        attack: The attack time in seconds.
        decay: The time in seconds in which a tone falls to 1/e; long for held tones.
        darkening: The time in seconds in which the high harmonics of a tone fall to 1/e; 0 if they stay.
        vibrato: The depth of the vibrato in semitones.
        noise: The linear level of the noise beside the tones.
    """

    family: str
    even: float
    attack: float
    decay: float
    darkening: float
    vibrato: float
    noise: float


def draw_instrument(rng: np.random.Generator) -> Instrument:
    """Draw a family, and values around those of the family."""
    family = list(FAMILIES)[int(rng.integers(len(FAMILIES)))]
    even, *others = FAMILIES[family]
    return Instrument(family, even * rng.uniform(0.7, 1.0), *(value * rng.uniform(0.7, 1.4) for value in others))


def synthesise(
    tones: list[Tone], performance: Performance, instrument: Instrument, duration: float, rng: np.random.Generator
) -> np.ndarray:
    """Render tones.

    Args:
        tones: The tones.
        performance: The way that they are played.
        instrument: The instrument.
        duration: The length in seconds.
        rng: The random generator of the noise.

    Returns:
        float32 `(samples,)` in [-1, 1], mono, at `SAMPLING_RATE`.
    """
    samples = np.zeros(round(duration * SAMPLING_RATE))
    for tone in tones:
        _add_tone(samples, tone, performance, instrument)
    samples += instrument.noise * np.std(samples) * rng.standard_normal(len(samples))
    samples += oaconvolve(samples, _room())[: len(samples)]
    samples *= 10 ** (performance.level / 20) / np.sqrt(np.mean(samples**2))
    return np.tanh(samples).astype(np.float32)


def _add_tone(samples: np.ndarray, tone: Tone, performance: Performance, instrument: Instrument) -> None:
    begin = round(tone.onset * SAMPLING_RATE)
    length = tone.length * performance.articulation
    sounding = samples[begin : begin + round((length + RELEASE) * SAMPLING_RATE)]
    time = np.arange(len(sounding)) / SAMPLING_RATE
    frequency = 440 * 2 ** ((tone.pitch - 69) / 12)
    phase = frequency * time
    if instrument.vibrato:  # the integral of a frequency that swings by the depth
        swing = frequency * (2 ** (instrument.vibrato / 12) - 1) / (2 * np.pi * VIBRATO_RATE)
        phase -= swing * np.cos(2 * np.pi * VIBRATO_RATE * time)
    place = (phase * 2048).astype(np.int64) & 2047
    bright = _period(frequency, performance.slope, instrument.even)
    wave = bright[place]
    if instrument.darkening:
        dark = _period(frequency, performance.slope + 2, instrument.even)
        wave = dark[place] + np.exp(-time / instrument.darkening) * (wave - dark[place])
    release = np.clip((length + RELEASE - time) / RELEASE, 0, 1)
    attack = np.minimum(time / (instrument.attack * performance.attack), 1)
    sounding += tone.gain * attack * np.exp(-time / instrument.decay) * release * wave


def _period(frequency: float, slope: float, even: float) -> np.ndarray:
    """Return one period of a tone `(2048,)`, with harmonics up to `HIGHEST` and a fixed power."""
    order = np.arange(1, max(1, min(HARMONICS, int(HIGHEST / frequency))) + 1)
    weights = order**-slope * np.where(order % 2, 1.0, even)
    return weights @ _sines()[: len(order)] / np.sqrt(np.sum(weights**2))


@lru_cache(maxsize=1)
def _sines() -> np.ndarray:
    """Return one period of each harmonic, `(HARMONICS, 2048)`."""
    return np.sin(2 * np.pi * np.outer(np.arange(1, HARMONICS + 1), np.arange(2048) / 2048))


@lru_cache(maxsize=1)
def _room() -> np.ndarray:
    """Return the impulse response of a small room without the direct sound: noise that decays."""
    time = np.arange(round(3 * ROOM * SAMPLING_RATE)) / SAMPLING_RATE
    response = np.random.default_rng(0).standard_normal(len(time)) * np.exp(-time / ROOM)
    return ROOM_LEVEL * response / np.sqrt(np.sum(response**2))
