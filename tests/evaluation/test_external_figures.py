import json

import numpy as np
import pytest

from musemo_hf.evaluation.distances.neighbours import prdc
from musemo_hf.evaluation.external.detectability import detectability
from musemo_hf.evaluation.external.external_figures import _halves, external_figures
from musemo_hf.evaluation.external.external_skill import external_skill


@pytest.fixture(scope="module")
def sides():
    rng = np.random.default_rng(0)
    reference, held_out, candidate, noise = rng.normal(size=(4, 120, 40))
    return reference, held_out, candidate + 0.3, {"impulse-noise": noise + 1, "white": noise + 3}


@pytest.fixture(scope="module")
def artists():
    return [[f"{side} {index // 2}" for index in range(120)] for side in "ab"]


def test_the_figures_are_those_of_their_functions(sides, artists):
    reference, held_out, candidate, noises = sides
    names, others = artists
    answer = external_figures(reference, candidate, noises, held_out, names, names, others, n_resamples=50)
    groups = {"reference": names, "held_out": others}
    for key, distance in (("external_skill", "kid"), ("external_skill_frechet", "frechet")):
        expected = external_skill(reference, held_out, candidate, noises, groups, distance, n_resamples=50)
        assert (answer[key], answer[f"{key}_interval"]) == (expected.skill, [expected.low, expected.high])
    found = detectability(reference, candidate, names, names, n_resamples=50)
    assert (answer["detectability"], answer["detectability_interval"]) == (found.auc, [found.low, found.high])
    real = detectability(reference, held_out, names, others, n_resamples=50)
    assert answer["detectability_real"] == real.auc < found.auc
    scale = reference.std(axis=0)
    limited = [np.clip((side - reference.mean(axis=0)) / scale, -4, 4) for side in (reference, candidate, held_out)]
    shares = prdc(limited[0], limited[1])
    assert answer["external_coverage"] == pytest.approx(shares["coverage"])
    assert answer["external_recall"] == pytest.approx(shares["recall"])
    assert answer["external_coverage_real"] == pytest.approx(prdc(limited[0], limited[2])["coverage"])
    assert answer["external_best_noise"] == "impulse-noise"
    assert answer["external_noise_skills"]["white"] < 0
    assert answer["external_n"] == {"reference": 120, "held_out": 120, "candidate": 120}
    assert answer["external_notes"] == {}
    json.dumps(answer)


def test_without_other_songs_the_reference_is_halved(sides, artists):
    reference, _, candidate, noises = sides
    names = artists[0]
    answer = external_figures(reference, candidate, noises, reference_groups=names, n_resamples=20)
    assert answer["external_n"] == {"reference": 60, "held_out": 60, "candidate": 120}
    first, second = _halves(120, names, 0)
    assert not {names[i] for i in first} & {names[i] for i in second}
    assert sorted([*first, *second]) == list(range(120))
    assert np.isfinite(answer["external_skill"])
    alone = external_figures(reference, candidate, noises, n_resamples=20)
    assert alone["external_n"]["reference"] == 60


def test_few_clips_have_reasons(sides):
    reference, held_out, candidate, noises = sides
    answer = external_figures(reference[:30], candidate[:4], noises, held_out, n_resamples=20)
    for name in ("external_skill", "external_skill_frechet", "detectability", "detectability_real"):
        assert np.isnan(answer[name])
        assert "expected at least 50" in answer["external_notes"][name]
    assert np.isnan(answer["external_coverage"])
    assert "6 clips on each side for coverage, got 4" in answer["external_notes"]["external_coverage"]


@pytest.mark.parametrize("length", [1, 2, 3, 7])
def test_halves_of_few_songs(length):
    first, second = _halves(length, None, 0)
    assert len(first) + len(second) == length
    assert len(first) == max(length // 2, 1)


NAN_ROW = np.full((1, 40), np.nan)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: {"reference": s[0][:0]}, r"at least 2 clips of reference, got 0"),
        (lambda s: {"reference": s[0][:1]}, r"at least 2 clips of reference, got 1"),
        (lambda s: {"reference": s[0][:3]}, r"halves have at least 2 songs, got halves of 1 and 2"),
        (lambda s: {"candidate": s[2][:0]}, r"at least 1 clips of candidate, got 0"),
        (lambda s: {"noises": {"hiss": s[1][:0]}}, r"at least 1 clips of hiss, got 0"),
        (lambda s: {"noises": [s[1]]}, r"noises as a dict of features by name, got list"),
        (lambda s: {"reference": np.concatenate([s[0], NAN_ROW])}, r"expected finite features of reference"),
        (lambda s: {"held_out": np.concatenate([s[1], NAN_ROW])}, r"expected finite features of held_out"),
        (lambda s: {"candidate": np.concatenate([s[2], NAN_ROW])}, r"expected finite features of candidate"),
        (lambda s: {"held_out": s[1][0]}, r"features \(N, D\) of held_out, got \(40,\)"),
        (lambda s: {"reference_groups": [None] * 120}, r"reference_groups: .*label for each item, got None at 0"),
        (lambda s: {"reference_groups": ["a"] * 120}, r"at least 2 artists in reference_groups, got 1"),
        (lambda s: {"held_out": s[1], "held_out_groups": ["a"] * 120}, r"2 artists in held_out_groups, got 1"),
        (lambda s: {"reference_groups": ["a"] * 119 + ["b"]}, r"got halves of (1 and 119|119 and 1)"),
        (lambda s: {"candidate_groups": ["a"] * 3}, r"candidate_groups: .*each of 120 items, got 3"),
    ],
)
def test_what_does_not_fit_is_named(sides, change, message):
    reference, _, candidate, noises = sides
    given = {"reference": reference, "candidate": candidate, "noises": noises, "n_resamples": 2}
    with pytest.raises(ValueError, match=message):
        external_figures(**given | change(sides))


def test_artists_on_both_sides_are_named(sides, artists):
    reference, held_out, candidate, noises = sides
    names, others = artists
    mixed = [names[0], names[0], *others[2:]]
    notes = external_figures(reference, candidate, noises, held_out, names, None, mixed, n_resamples=2)[
        "external_notes"
    ]
    assert notes["external_groups"].startswith("1 artists, such as a 0, are in the reference and among the held-out")
