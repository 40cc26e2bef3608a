"""The melodies of the demonstration corpus, read from `demo_scores.abc` (a subset of ABC notation)."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from importlib.resources import files

SCALES = {True: (0, 2, 4, 5, 7, 9, 11), False: (0, 2, 3, 5, 7, 8, 10)}  # semitones of major and of natural minor
_LETTERS = "CDEFGAB"
_ACCIDENTALS = {"_": -1, "=": 0, "^": 1}
_NOTE = re.compile(r"([_=^]?)([A-Ga-gz])([,']*)(\d*)(/?)(\d*)(>?)")


@dataclass(frozen=True)
class Note:
    """A note of a melody, independent of key and mode.

    Attributes:
        onset: The onset in beats from the beginning of its bar.
        length: The length in beats.
        step: The steps of the scale above the tonic; 7 is an octave.
        alteration: The semitones by which the note differs from the scale.
    """

    onset: float
    length: float
    step: int
    alteration: int


@dataclass(frozen=True)
class Score:
    """A melody.

    Attributes:
        title: The title of the piece.
        composer: The composer with the years of birth and death, or "Traditional".
        source: The work or the first print, with its year.
        tonic: The MIDI pitch of step 0.
        major: Whether the mode is major.
        bars: The notes of each bar.
        lengths: The length of each bar in beats; that of an upbeat is shorter.
    """

    title: str
    composer: str
    source: str
    tonic: int
    major: bool
    bars: tuple[tuple[Note, ...], ...]
    lengths: tuple[float, ...]

    @property
    def name(self) -> str:
        """The title with the composer's family name, or with the word "traditional"."""
        return f"{self.title} ({self.composer.split(' (')[0].split()[-1].lower().capitalize()})"


@lru_cache(maxsize=1)
def demo_scores() -> tuple[Score, ...]:
    """Read all melodies.

    Raises:
        ValueError: The file has something that is not in the subset.
    """
    text = files("musemo_hf.data").joinpath("demo_scores.abc").read_text(encoding="utf-8")
    tunes = [tune for tune in text.split("\n\n") if tune.startswith("T:")]
    return tuple(map(parse_abc, tunes))


def parse_abc(tune: str) -> Score:
    """Read one tune: the fields T, C, S, M, L and K, then notes, rests, bar lines and dotted pairs (`A>B`).

    A beat is a quarter note, or a dotted quarter note in 3/8, 6/8 and 9/8.

    Raises:
        ValueError: The tune has something else.
    """
    lines = tune.strip().splitlines()
    fields = {line[0]: line[2:] for line in lines if line[1:2] == ":"}
    beat = Fraction(3, 8) if fields["M"] in ("3/8", "6/8", "9/8") else Fraction(1, 4)
    key = re.fullmatch(r"([A-G])([b#]?)(m?)", fields["K"])
    if key is None:
        raise ValueError(f"{fields['T']}: expected a key such as D, Bb or Am, got {fields['K']!r}")
    major = not key[3]
    tonic = 60 + SCALES[True][_LETTERS.index(key[1])] + {"b": -1, "": 0, "#": 1}[key[2]]
    unit = Fraction(fields["L"]) / beat
    written = [bar for line in lines if line[1:2] != ":" for bar in line.split("|") if bar.strip()]
    read = [_bar(bar, unit, _LETTERS.index(key[1]), tonic, major, fields["T"]) for bar in written]
    bars, lengths = zip(*read, strict=True)
    return Score(fields["T"], fields["C"], fields["S"], tonic, major, bars, lengths)


def _bar(
    text: str, unit: Fraction, key_letter: int, tonic: int, major: bool, title: str
) -> tuple[tuple[Note, ...], float]:
    """Return the notes of a bar and its length in beats; an accidental holds until the end of the bar."""
    notes, onset, held = [], Fraction(0), dict[tuple[str, str], int]()
    for (accidental, letter, octave), length in _lengths(text.replace(" ", ""), unit, title):
        if letter != "z":
            if accidental:
                held[letter, octave] = _ACCIDENTALS[accidental]
            octaves = letter.islower() + octave.count("'") - octave.count(",")
            step = _LETTERS.index(letter.upper()) - key_letter + 7 * octaves
            alteration = 0
            if (letter, octave) in held:
                natural = 60 + SCALES[True][_LETTERS.index(letter.upper())] + 12 * octaves
                alteration = natural + held[letter, octave] - pitch(step, tonic, major)
            notes.append(Note(float(onset), float(length), step, alteration))
        onset += length
    return tuple(notes), float(onset)


def _lengths(text: str, unit: Fraction, title: str) -> Iterator[tuple[tuple[str, str, str], Fraction]]:
    """Yield what each note or rest is, and its length in beats."""
    place, dotted = 0, False
    while place < len(text):
        found = _NOTE.match(text, place)
        if found is None:
            raise ValueError(f"{title}: expected notes, rests and bar lines, got {text[place:]!r}")
        place = found.end()
        number, slash, divisor, broken = found.groups()[3:]
        length = unit * int(number or 1) / (int(divisor or 2) if slash else 1)
        length *= Fraction(3, 2) if broken else Fraction(1, 2) if dotted else 1
        dotted = bool(broken)
        yield (found[1], found[2], found[3]), length


def pitch(step: int, tonic: int, major: bool) -> int:
    """Return the MIDI pitch of a step of the scale."""
    return tonic + 12 * (step // 7) + SCALES[major][step % 7]
