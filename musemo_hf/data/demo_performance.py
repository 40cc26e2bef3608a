"""The playing of a melody so that it expresses an emotion, by rules that studies of musical expression found.

The cues and their directions are those that reviews and experiments agree on (Gabrielsson & Lindström 2010, "The role
of structure in the musical expression of emotions", Handbook of Music and Emotion; Juslin & Laukka 2004, Journal of New
Music Research 33, 217-238; Eerola, Friberg & Bresin 2013, Frontiers in Psychology 4, 487): arousal goes with tempo,
loudness, brightness, short notes and fast attacks; valence with the major mode, a high register and, less so, with
brightness and short notes. The cues act additively and mostly linearly (Eerola et al.). The sizes of the effects and
the scatter are choices of this package.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from musemo_hf.data.demo_scores import Score, pitch

SLOW = 80  # beats per minute, below which chords are held for a bar
MODAL_STEPS = (2, 5, 6)  # the steps that differ between major and minor
LEADING = 6  # the step below the tonic
TRIADS = {0: 0.15, 4: 0.1, 3: 0.05, 5: 0.0}  # the step of the root -> its preference, as a share of a bar


@dataclass(frozen=True)
class Performance:
    """The way that a melody is played.

    Attributes:
        tempo: The tempo in beats per minute.
        major: Whether the mode is major; a melody in the other mode is changed to it.
        register: The MIDI pitch around which the melody lies.
        level: The RMS level in dB re full scale.
        slope: The exponent of the spectrum, in which harmonic k has the amplitude k ** -slope; lower is brighter.
        articulation: The share of its time that a note sounds, 0-1; lower is more staccato.
        attack: The factor of the attack times of the instrument; lower is faster.
    """

    tempo: float
    major: bool
    register: float
    level: float
    slope: float
    articulation: float
    attack: float


@dataclass(frozen=True)
class Tone:
    """A tone to be synthesised.

    Attributes:
        onset: The onset in seconds.
        length: The written length in seconds, before articulation.
        pitch: The MIDI pitch.
        gain: The linear gain.
    """

    onset: float
    length: float
    pitch: float
    gain: float


def draw_performance(emotion: np.ndarray, rng: np.random.Generator) -> Performance:
    """Draw a way to express an emotion, with the scatter of a performer.

    Args:
        emotion: The (valence, arousal) in [-1, 1], of shape (2,).
        rng: The random generator of the scatter.
    """
    valence, arousal = (float(value) for value in emotion)
    scatter = rng.normal(0, 0.2, size=6)
    return Performance(
        tempo=float(np.clip(105 * 2 ** (0.8 * arousal + scatter[0]), 45, 210)),
        major=bool(rng.random() < 1 / (1 + np.exp(-8 * valence))),
        register=float(np.clip(69 + 8 * valence + 2 * arousal + 10 * scatter[4], 55, 84)),
        level=float(np.clip(-22 + 11 * (arousal + scatter[1]), -38, -11)),
        slope=float(np.clip(2.0 - 0.9 * arousal - 0.6 * valence + scatter[2], 0.8, 3.5)),
        articulation=float(np.clip(0.7 - 0.25 * arousal - 0.3 * valence + 0.5 * scatter[3], 0.2, 1.0)),
        attack=float(np.clip(2 ** (-1.5 * arousal + scatter[5]), 0.25, 4)),
    )


def play(score: Score, performance: Performance, duration: float, rng: np.random.Generator) -> list[Tone]:
    """Play a melody over chords and a bass, from a bar at a phrase's beginning and again from the start if it ends.

    Args:
        score: The melody.
        performance: The way that it is played.
        duration: The length in seconds.
        rng: The random generator of the first bar and of the touch.
    """
    beat, now = 60 / performance.tempo, 0.0
    tonic = _tonic(score, performance)
    number = 4 * int(rng.integers((len(score.bars) + 3) // 4))
    tones: list[Tone] = []
    while now < duration:
        for tone in _bar(score, number % len(score.bars), performance, tonic):
            gain = tone.gain * float(rng.uniform(0.85, 1.15))
            tones.append(Tone(now + beat * tone.onset, beat * tone.length, tone.pitch, gain))
        now += beat * score.lengths[number % len(score.bars)]
        number += 1
    return tones


def _tonic(score: Score, performance: Performance) -> int:
    """Return the tonic that brings the middle of the melody nearest to the register."""
    pitches = [pitch(note.step, 0, performance.major) for bar in score.bars for note in bar]
    return round(performance.register - float(np.median(pitches)))


def _bar(score: Score, number: int, performance: Performance, tonic: int) -> Iterator[Tone]:
    """Yield the tones of a bar in beats from its beginning: melody, bass and chords; an upbeat has melody alone."""
    bar, length = score.bars[number], score.lengths[number]
    followers = [*bar[1:], *(score.bars[(number + 1) % len(score.bars)] or bar)[:1]]
    for note, following in zip(bar, followers, strict=False):
        leading = note.step % 7 == LEADING and following.step == note.step + 1
        altered = _alteration(note.step, note.alteration, leading, score.major, performance.major)
        accent = 0.75 if note.onset == 0 else 0.6
        yield Tone(note.onset, note.length, pitch(note.step, tonic, performance.major) + altered, accent)
    if length < max(score.lengths):
        return
    root = harmony(score)[number]
    chord = [_triad_pitch(root, third, tonic, performance.major) for third in (0, 2, 4)]
    yield Tone(0, length, _within(chord[0], performance.register - 30), 0.6)
    voiced = [_within(each, performance.register - 16) for each in chord]
    held = performance.tempo < SLOW or length < 2
    for onset in [0.0] if held else np.arange(1.0, length):
        yield from (Tone(float(onset), length if held else 1.0, each, 0.25) for each in voiced)


def _alteration(step: int, alteration: int, leading: bool, from_major: bool, to_major: bool) -> int:
    """Return the alteration of a note in the mode that is played; minor has a raised leading note."""
    if from_major == to_major:
        return alteration
    if step % 7 in MODAL_STEPS:
        return 1 if leading and not to_major else 0
    return alteration


def _triad_pitch(root: int, third: int, tonic: int, major: bool) -> int:
    raised = not major and root == 4 and third == 2  # the dominant of minor is a major chord
    return pitch(root + third, tonic, major) + raised


def _within(value: int, lowest: float) -> float:
    """Transpose by octaves into the octave above the lowest pitch."""
    return round(lowest) + (value - round(lowest)) % 12


@lru_cache(maxsize=128)
def harmony(score: Score) -> tuple[int, ...]:
    """Choose the triad of each bar that has most of its melody, as the step of the root; the last bar has the tonic."""
    roots = []
    for bar, length in zip(score.bars, score.lengths, strict=True):
        fit = dict.fromkeys(TRIADS, 0.0)
        for note in bar:
            for root, preference in TRIADS.items():
                share = note.length * (1.5 if note.onset == 0 else 1)  # the first note of a bar is heard most
                fit[root] += share * ((note.step - root) % 7 in (0, 2, 4)) + note.length * preference
        roots.append(max(TRIADS, key=fit.__getitem__) if length else 0)
    return (*roots[:-1], 0)
