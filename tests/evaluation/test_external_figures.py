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
