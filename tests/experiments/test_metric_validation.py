import json
import re

import numpy as np
import pytest

from musemo_hf.evaluation.distances.neighbours import authenticity
from musemo_hf.evaluation.score.reducer import SKILL_SPACE
from musemo_hf.evaluation.score.reference_scale import draw_surrogates, mixed_order
from musemo_hf.evaluation.score.report import Evidence, quality_report
from musemo_hf.evaluation.spaces.embedders import get_embedder, standardise
from musemo_hf.evaluation.surrogates.samplers import NOISES
from musemo_hf.evaluation.surrogates.skill import skill
from musemo_hf.experiments.metric_validation.page import FIGURES, missed, movements, number, unordered, write_page
from musemo_hf.experiments.metric_validation.validation import REDUCER, SCORES, Judge, fit, load_excerpts, validate


@pytest.fixture(scope="module")
def results(deam_dir):
    """Few clips: whether it runs, not what it finds."""
    return validate(load_excerpts(deam_dir, 96), 24, say=lambda part: None)


@pytest.mark.deam
@pytest.mark.slow
def test_the_page_is_made_of_the_results(results, tmp_path):
    page = write_page(results, tmp_path, "the command")
    text = page.read_text(encoding="utf-8")
    assert "the command" in text
    assert number(results["ladder"]["other songs"]["quality_score"], 1) in text
    pictures = re.findall(r"\]\((\S+\.png)\)", text)
    assert len(pictures) == 3
    for picture in pictures:
        assert 5_000 < (tmp_path / picture).stat().st_size < 150_000
    for line in text.splitlines():  # every row of a table has the columns of its heading
        if line.startswith("| ---"):
            width = line.count("|")
        elif line.startswith("|") and not line.startswith("| |"):
            assert line.count("|") >= 8
    assert width >= 9
    assert "Undefined" not in text
    json.dumps(results)


def made_up():
    songs = {name: 0.5 for name in FIGURES} | {"quality_score": 99.0, "published_score": 99.0, "skill": 1.0}
    again = songs | {"quality_score": 98.0, "published_score": 98.0}
    blind = {"unit": "%", "steps": [{**songs, "skill": 0.4}, {**songs, "skill": 0.1, "published_score": 120.0}]}
    seen = {"unit": "%", "steps": [{**songs, "skill": 0.4}, {**songs, "skill": 0.7, "published_score": 20.0}]}
    return {
        "ladder": {"other songs": songs, "other songs again": again},
        "degradations": {"blind": blind, "seen": seen},
    }


def test_what_is_missed_and_what_is_out_of_order():
    results = made_up()
    assert missed(results) == ["blind"]
    assert unordered(results) == ["seen"]
    moved = movements(results)
    assert moved["blind"]["published_score"] == pytest.approx(-21)
    assert moved["seen"]["published_score"] == pytest.approx(79)
    assert moved["blind"]["skill"] == pytest.approx(90)


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [(np.nan, 2, "-"), (-0.001, 2, "0.00"), (-1.234, 2, "-1.23"), (41234.4, 0, "41,234"), (604179.97, 2, "6.0e+05")],
)
def test_numbers(value, digits, text):
    assert number(value, digits) == text


@pytest.fixture(scope="module")
def made():
    """Clips with a beat, `(3, 40, 128, 256)`: reference, held-out and candidate."""
    rng = np.random.default_rng(0)
    beat = 9 * np.exp(-(np.arange(256) % rng.integers(9, 26, (120, 1))) / 4)[:, None]
    noise = rng.normal(0, 3, (120, 128, 256)) + rng.normal(0, 3, (120, 128, 1)) - np.linspace(5, 35, 128)[:, None]
    return (noise + beat).astype(np.float32).reshape(3, 40, 128, 256)


def test_the_judge_reads_the_quality_report(made):
    reference, held_out, candidate = (
        rows[mixed_order(REDUCER.moments(rows))] for rows in map(REDUCER.predictions, made)
    )
    surrogates = draw_surrogates(fit(made[0]), 40, seed=1)
    figures = Judge(reference, held_out, surrogates).figures(candidate)
    report = quality_report(Evidence(reference, candidate, REDUCER, ladder=False))
    for name in (*SCORES, "kid_se"):
        assert figures[name] == report[name], name
    space = get_embedder(SKILL_SPACE)
    sides = [REDUCER.features(rows, SKILL_SPACE) for rows in (reference, held_out, candidate)]
    noises = {name: surrogates[name].features[SKILL_SPACE] for name in NOISES}
    expected = skill(*sides, noises, space.feature_groups, n_resamples=40)
    assert (figures["skill"], figures["low"], figures["high"]) == (expected.skill, expected.low, expected.high)
    assert {name: figures[name] for name in space.feature_groups} == expected.group_skills
    real, fake, other = standardise(*(REDUCER.features(rows) for rows in (reference, candidate, held_out)))
    assert figures["authenticity"] == authenticity(fake, real, other).share
