import json
import re
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from musemo_hf.data.arrays import SongArrays
from musemo_hf.data.folds import artist_folds
from musemo_hf.evaluation.external.structure import FEATURES
from musemo_hf.evaluation.surrogates.samplers import NOISES
from musemo_hf.experiments.metric_validation import sound_validation
from musemo_hf.experiments.metric_validation.page import number
from musemo_hf.experiments.metric_validation.sound_candidates import (
    FAULTS,
    REAL,
    STRONG,
    TEXTURE,
    Candidate,
    fit_noises,
    further_candidates,
    main_candidates,
    roles,
)
from musemo_hf.experiments.metric_validation.sound_page import (
    SHOULD,
    disagreeing,
    disagreeing_in_folds,
    enough,
    shown_features,
    sound_context,
    unseen,
)
from musemo_hf.experiments.metric_validation.sound_validation import validate_sound
from musemo_hf.reporting.templates import render


def row(own, external, separates, kind="noise"):
    distance = {"distance": 2.0 if separates else 0.1, "low": 0.1, "high": 3.0, "real": 0.1, "reason": None}
    distance |= {"real_low": 0.0, "real_high": 0.3, "separates": separates}
    return {
        "kind": kind,
        "n": 60,
        "own": [own, own - 0.1, own + 0.1],
        "external": [external, external - 0.1, external + 0.1],
        "external_frechet": [external, external - 0.1, external + 0.1],
        "best_noise": "impulse-noise",
        "kid": 0.1,
        "detectability": [0.9, 0.8, 0.95],
        "coverage": 0.2,
        "structure": {name: dict(distance) for name in FEATURES},
        "notes": [],
    }


@pytest.fixture
def sound():
    noises = {name: row(-1.0, -0.2, True) for name in (*NOISES, TEXTURE, "random phases")}
    return {
        "embedder": "bands-v1",
        "held_out_fold": 0,
        "rows": {REAL: row(1.0, 1.0, False, "music"), "GAN": row(-1.1, 0.7, True, "generator"), **noises},
        "further_folds": [],
        "sizes": [
            {"n": 50, "own": [np.nan] * 3, "external": [1.0, 0.6, 1.3], "notes": ["too few"]},
            {"n": 25, "own": [np.nan] * 3, "external": [0.8, 0.2, 1.6], "notes": []},
            {"n": 120, "own": [0.9, 0.7, 1.0], "external": [1.0, 0.9, 1.1], "notes": []},
        ],
        "n_reference": 60,
        "n_held_out": 60,
        "n_candidate": 60,
        "n_training": 200,
        "n_reference_artists": 40,
    }


def test_skills_disagree_where_their_intervals_do_not_meet(sound):
    assert disagreeing(sound["rows"]) == ["GAN"]  # below 0, both say of noise that it is noise
    sound["rows"][TEXTURE] = row(1.0, 0.3, True)
    assert disagreeing(sound["rows"]) == ["GAN", TEXTURE]
    undefined = row(float("nan"), 0.7, True)
    assert disagreeing({"undefined": undefined}) == []


def test_a_feature_is_shown_if_it_tells_what_it_should_and_no_song(sound):
    assert shown_features(sound["rows"]) == list(FEATURES)
    sound["rows"]["random phases"]["structure"]["onset_sharpness"]["separates"] = False
    sound["rows"]["random phases"]["structure"]["beat_strength"]["separates"] = False  # whose beat they keep
    sound["rows"][REAL]["structure"]["tonal_clarity"]["separates"] = True
    hidden = {"onset_sharpness", "tonal_clarity"}
    assert set(shown_features(sound["rows"])) == set(FEATURES) - hidden
    assert unseen(sound["rows"], "onset_sharpness") == ["random phases"]
    assert unseen(sound["rows"], "beat_strength") == []
    assert set(SHOULD) == set(FEATURES)


def test_how_many_clips_are_enough(sound):
    assert enough(sound["sizes"]) == {"own": 120, "external": 50}
    assert enough([{"n": 50, "own": [0.2, 0.1, 0.3], "external": [np.nan] * 3}]) == {"own": None, "external": None}


def test_the_page_says_first_which_skill_to_trust(sound):
    sound["rows"]["random phases"]["structure"]["onset_sharpness"]["separates"] = False
    json.dumps(sound)
    text = render("metric-validation-sound.md.jinja", number=number, **sound_context(sound))
    width = None
    for line in text.splitlines():
        if line.startswith("| ---"):
            width = line.count("|")
        elif line.startswith("|") and width:
            assert line.count("|") == width, line
        elif not line:
            width = None
    assert "is spent" in text
    assert "not defined" in text
    assert "from 120 clips a side on, the external\nskill's from 50" in text
    assert "Not validated, and so not shown below: sharpness of onsets (random phases)." in text
    assert len(re.findall(r"^\| GAN ", text, re.MULTILINE)) == 2
    assert sound_context(None) == {"sound": None}


@pytest.fixture
def two_folds(sound):
    """The results with a further fold, whose generator has the better figure in its own space."""
    rows = {REAL: row(1.0, 1.0, False, "music"), "flow": row(0.2, 0.6, True, "generator")}
    counts = {name: sound[name] for name in sound if name.startswith("n_")} | {"n_reference": 59, "n_training": 201}
    further = {"held_out_fold": 1, "rows": rows | {name: row(-1.0, -0.2, True) for name in STRONG}, **counts}
    return sound | {"further_folds": [further]}


def test_the_first_lines_name_generators_of_every_fold(two_folds):
    found = disagreeing_in_folds(two_folds)
    assert [one["name"] for one in found] == ["GAN", "flow, fold 1"]
    lead = render("metric-validation-lead.md.jinja", number=number, **sound_context(two_folds))
    assert "on: GAN (own -1.10, external 0.70); flow, fold 1 (own 0.20, external 0.60)." in lead
    two_folds["rows"]["GAN"] = row(0.7, 0.7, True, "generator")
    two_folds["further_folds"][0]["rows"]["flow"] = row(0.6, 0.6, True, "generator")
    lead = render("metric-validation-lead.md.jinja", number=number, **sound_context(two_folds))
    assert "The two skills agree on every set here" in lead


def test_every_fold_has_a_table_that_says_which_fold_it_is(two_folds):
    text = render("metric-validation-sound.md.jinja", number=number, **sound_context(two_folds))
    assert [line.count("|") for line in text.splitlines() if line.startswith("| set | clips |")] == [9, 9]
    first, further = re.search(r"(\n\*\*Fold 0\*\*: .*)(\n\*\*Fold 1\*\*: .*?)\n## ", text, re.DOTALL).groups()
    assert "How often fold 0 was read is in docs/fold-readings.md. **It was read many times and is spent**" in first
    assert "59 songs of 40 artists of that fold" in further
    assert "How often fold 1 was read is in docs/fold-readings.md." in further
    assert "spent" not in further
    assert "nearest to music, modulation-gaussian and impulse-noise: the better one has the skill of 0." in further
    assert re.findall(r"^\| ([a-z][\w -]*) \| \d", further, re.MULTILINE) == [REAL, "flow", *STRONG]
    assert "\n| GAN | 60 |" in first
    assert "flow" not in first
    structure = text[text.index("Compared with fold 1:") :]
    assert re.search(r"^\| flow \| 2.00 \[0.10, 3.00\] \*\*apart\*\*", structure, re.MULTILINE)


@pytest.fixture(scope="module")
def songs():
    rng = np.random.default_rng(0)
    artists = [f"artist {i // 2}" for i in range(60)]
    emotion = rng.uniform(-1, 1, (60, 2)).astype(np.float32)
    beat = 9 * np.exp(-(np.arange(256) % rng.integers(9, 26, (60, 1))) / 4)[:, None]
    clips = rng.normal(-20, 5, (60, 128, 256)) + beat - np.linspace(0, 30, 128)[:, None]
    return SongArrays(
        spectrogram=clips.astype(np.float32),
        emotion=emotion,
        emotion_std=np.zeros_like(emotion),
        fold=artist_folds(artists, emotion, [2014] * 60),
        song_id=np.arange(60, dtype=np.int32),
        artist=artists,
        genre=[""] * 60,
        year=np.full(60, 2014, dtype=np.int16),
    )


def test_no_artist_is_on_two_sides(songs):
    sides = roles(songs, 2, 10)
    names = [{songs.artist[i] for i in side} for side in (sides.reference, sides.held_out, sides.candidate)]
    assert len(set.union(*names)) == sum(map(len, names))
    assert set(songs.fold[sides.reference]) == {2}
    assert 2 not in songs.fold[sides.training]
    assert [len(side) for side in (sides.reference, sides.held_out, sides.candidate)] == [10, 10, 10]
    assert len(sides.training) == (songs.fold != 2).sum()


def test_every_set_is_made_of_its_songs(songs):
    sides = roles(songs, 0, 6)
    statistics = fit_noises(songs.spectrogram[sides.training].clip(-60, 40))
    sets = [
        *main_candidates(songs, sides, statistics, {}),
        *further_candidates(songs, sides, statistics, 4, lambda line: None),
    ]
    made: dict[str, Candidate] = {one.name: one for one in sets}
    assert set(NOISES) | {REAL, TEXTURE, "random phases", "real songs, inverted twice"} <= set(made)
    assert len(made) == len(NOISES) + 4 + len(FAULTS)
    for one in made.values():
        assert one.clips.shape[1:] == (128, 256)
        assert np.isfinite(one.clips).all()
        assert one.groups is None or len(one.groups) == len(one.clips)
    assert len(made["impulse-noise"].clips) == 6
    assert len(made["white"].clips) == 4
    np.testing.assert_array_equal(made[REAL].clips, songs.spectrogram[sides.candidate].clip(-60, 40))
    copies = made["copies, 50 % of songs"].clips
    known = songs.spectrogram[sides.reference].clip(-60, 40)
    assert sum(any(np.array_equal(clip, song) for song in known) for clip in copies) == 2


class Recorder:
    """A generator of noise that notes whether its products are in bfloat16."""

    device = torch.device("cpu")

    def generate(self, emotion, seed):
        self.in_bfloat16 = torch.is_autocast_enabled("cpu")
        return torch.rand((len(emotion), 1, 128, 256), generator=torch.Generator().manual_seed(seed)) * 2 - 1


@pytest.mark.parametrize("bfloat16", [False, True])
def test_generators_are_sampled_in_the_asked_precision(songs, bfloat16):
    sides, generator = roles(songs, 1, 4), Recorder()
    statistics = fit_noises(songs.spectrogram[sides.training].clip(-60, 40))
    made = list(main_candidates(songs, sides, statistics, {"flow": generator}, bfloat16))
    assert [one.name for one in made] == [REAL, "flow", *STRONG]
    assert made[1].clips.shape == (4, 128, 256)
    assert made[1].groups == [songs.artist[i] for i in sides.reference]
    assert generator.in_bfloat16 is bfloat16


class QuickSounds:
    """Stands for `SoundSets` without the inversion to sound, which takes most of the time."""

    embedder = SimpleNamespace(name="levels-v1")

    def features(self, clips, title):
        return clips.reshape(len(clips), 8, -1).mean(axis=2).astype(float)

    def structure(self, clips, title):
        return self.features(clips, title)[:, : len(FEATURES)]


def test_a_further_fold_has_rows_of_its_own(songs, monkeypatch):
    monkeypatch.setattr(sound_validation, "further_candidates", lambda songs, sides, *_: iter(()))
    generators = {0: {"GAN": Recorder()}, 2: {"flow": Recorder()}}
    found = validate_sound(songs, generators, QuickSounds(), n_clips=8, sizes=(), say=lambda line: None)
    assert found["held_out_fold"] == 0
    assert list(found["rows"]) == [REAL, "GAN", *STRONG]
    (further,) = found["further_folds"]
    assert further["held_out_fold"] == 2
    assert list(further["rows"]) == [REAL, "flow", *STRONG]
    assert further["n_training"] == (songs.fold != 2).sum()
    assert set(further["rows"]["flow"]) == set(found["rows"]["GAN"])
    json.dumps(found)


@pytest.mark.parametrize(
    ("generators", "message"),
    [
        ({7: {"flow": None}}, r"hold out folds out of \[0, 1, 2, 3, 4\], got \[7\]"),
        ({0: {"flow": None}, 1: {"flow": None}}, "a name of its own for every generator, got flow twice"),
        ({1: {"white": None}}, "a name of its own for every generator, got white twice"),
    ],
)
def test_generators_that_do_not_fit_the_tables_are_refused(songs, generators, message):
    with pytest.raises(ValueError, match=message):
        validate_sound(songs, generators, QuickSounds())


def test_the_sound_of_few_clips_is_refused():
    with pytest.raises(ValueError, match="at least 50 clips of each set, got n_few 20"):
        validate_sound(None, {}, None, n_few=20)
