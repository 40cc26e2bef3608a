import re

import numpy as np
import pytest

from musemo_hf.data.demo_performance import Performance, harmony, play
from musemo_hf.data.demo_scores import demo_scores, parse_abc, pitch

LAST_DEATH, LAST_PRINT = 1925, 1900
PLAIN = Performance(tempo=60, major=True, register=67, level=-20, slope=1, articulation=1, attack=1)
SCALE = "T:Scale\nC:Traditional\nS:1800\nM:4/4\nL:1/8\nK:{key}\n{notes} |"


def parsed(notes, key="C"):
    return parse_abc(SCALE.format(key=key, notes=notes))


def pitches(score):
    return [pitch(note.step, score.tonic, score.major) + note.alteration for bar in score.bars for note in bar]


@pytest.mark.parametrize("score", demo_scores(), ids=lambda score: score.title)
def test_every_melody_is_in_the_public_domain_and_its_bars_are_whole(score):
    if score.composer == "Traditional":
        assert int(re.findall(r"\b\d{4}\b", score.source)[-1]) <= LAST_PRINT
    else:
        born, died = map(int, re.search(r"\((\d{4})-(\d{4})\)$", score.composer).groups())
        assert born < died <= LAST_DEATH
    inner = set(score.lengths[1:-1])
    assert len(inner) == 1 or score.title == "Promenade"  # bars of five and six beats take turns
    assert max(score.lengths[0], score.lengths[-1]) <= max(inner)
    steps = [note.step for bar in score.bars for note in bar]
    assert min(steps) >= -8
    assert max(steps) <= 14


def test_melodies_are_each_there_once():
    names = [score.name for score in demo_scores()]
    assert len(set(names)) == len(names) >= 48
    tunes = [tuple((note.step, note.length) for bar in score.bars[:4] for note in bar) for score in demo_scores()]
    assert len(set(tunes)) == len(tunes)


def test_abc_is_read_as_its_standard_says():
    score = parsed("C, C c c' ^FF=F _B | C>D E/2F/ z3 G2", "G")
    assert pitches(score)[:8] == [48, 60, 72, 84, 66, 66, 65, 70]  # an accidental holds within its bar
    assert [note.length for note in score.bars[1]] == [0.75, 0.25, 0.25, 0.25, 1]
    assert [note.onset for note in score.bars[1]] == [0, 0.75, 1, 1.25, 3]
    assert pitches(parsed("F F | F", "G")) == [66, 66, 66]
    assert pitches(parsed("A B c ^G", "Am")) == [69, 71, 72, 68]
    assert pitches(parsed("B E A", "Bb")) == [70, 63, 69]
    for notes, key, wrong in (("C H", "C", "got 'H'"), ("(3CDE", "C", "got '"), ("C", "Cdor", "got 'Cdor'")):
        with pytest.raises(ValueError, match=re.escape(wrong)):
            parsed(notes, key)


def melody_of(score, major):
    """The pitch classes above the tonic of the tones of a melody, which are the highest at their onset."""
    tones = play(score, Performance(**{**vars(PLAIN), "major": major}), 4 * len(score.bars), np.random.default_rng(0))
    highest = {}
    for tone in tones:
        highest[tone.onset] = max(tone.pitch, highest.get(tone.onset, 0))
    played = [highest[onset] for onset in sorted(highest)]
    return [round(value - played[0]) for value in played]


def test_a_melody_changes_its_mode():
    scale = parsed("C D E F G A B c")
    assert melody_of(scale, True)[:8] == [0, 2, 4, 5, 7, 9, 11, 12]
    assert melody_of(scale, False)[:8] == [0, 2, 3, 5, 7, 8, 11, 12]  # with a raised leading note
    assert melody_of(parsed("c B A G F E D C"), False)[:8] == [0, -2, -4, -5, -7, -9, -10, -12]
    minor = parsed("A B c d e f ^g a", "Am")
    assert melody_of(minor, False)[:8] == [0, 2, 3, 5, 7, 8, 11, 12]
    assert melody_of(minor, True)[:8] == [0, 2, 4, 5, 7, 9, 11, 12]


def test_chords_fit_the_melody():
    score = parsed("C2 E2 G4 | B,2 D2 G4 | F2 A2 c4 | C8")
    assert harmony(score) == (0, 4, 3, 0)
    for score in demo_scores():
        roots = harmony(score)
        fitting = [
            note.length * ((note.step - root) % 7 in (0, 2, 4))
            for bar, root in zip(score.bars, roots, strict=True)
            for note in bar
        ]
        assert sum(fitting) > 0.5 * sum(note.length for bar in score.bars for note in bar), score.title


def test_tempo_and_register_are_those_of_the_performance():
    score = demo_scores()[0]
    for tempo, register in ((60, 60), (120, 74)):
        performance = Performance(**{**vars(PLAIN), "tempo": tempo, "register": register})
        tones = play(score, performance, 16 * 60 / tempo, np.random.default_rng(0))
        bar = 4 * 60 / tempo
        bass = [tone for tone in tones if tone.length == pytest.approx(bar) and tone.pitch < register - 16]
        assert [tone.onset for tone in bass] == pytest.approx([0, bar, 2 * bar, 3 * bar])
        melody = [tone.pitch for tone in tones if tone.pitch > register - 4 and tone.gain > 0.45]
        assert np.median(melody) == pytest.approx(register, abs=2)
