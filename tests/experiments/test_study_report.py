"""The study's table: what counts as a difference, which aims are met, and what is said of one seed."""

import re

import numpy as np
import pytest

from musemo_hf.experiments.study.report.aims import aims, flow_against_sources
from musemo_hf.experiments.study.report.findings import findings
from musemo_hf.experiments.study.report.page import difference_table, markdown, sound_table, table
from musemo_hf.experiments.study.report.report import FIGURES, differences, seed_spread, variant_rows, with_sound
from musemo_hf.experiments.study.report.sound import SOUND_FIGURES, real_songs, sound_sentences

BASE = {
    "quality_score": 70.0,
    "skill": -1.0,
    "skill_six": 0.1,
    "kid": 4.0,
    "coverage": 0.3,
    "coverage_of_real": 0.4,
    "authenticity": 0.9,
    "ccc_valence": 0.2,
    "ccc_arousal": 0.5,
    "diversity": 0.8,
    "sampling_seconds": 0.1,
}


def result(variant, seed, red_flag=None, samplings=("",), seconds=60.0, **changes):
    noise = (
        0.01
        * (np.array(FIGURES) != "sampling_seconds")
        * np.random.default_rng((seed, len(variant))).standard_normal(len(FIGURES))
    )
    figures = {name: value + change for (name, value), change in zip((BASE | changes).items(), noise, strict=True)}
    figures |= {f"{name}_interval": [value - 0.1, value + 0.1] for name, value in list(figures.items())}
    figures |= {"n_clips": 100, "kid_se": 0.1, "skill_aspect": "events", "authenticity_of_real": 0.95, "notes": {}}
    training = {
        "steps": 100,
        "seconds": seconds,
        "seconds_per_step": seconds / 100,
        "red_flag": red_flag,
        "has_generator": True,
        "n_parameters": 1000,
        "device": "cpu",
    }
    return {"rung": variant, "seed": seed, "training": training, "samplings": dict.fromkeys(samplings, figures)}


def test_the_spread_of_seeds_is_that_of_gans():
    gans = [result("enhanced", seed, kid=10.0 + seed) for seed in range(3)]
    flows = [result("flow", seed, samplings=("-1-steps", "-20-steps"), kid=1.0) for seed in range(3)]
    spread = seed_spread(variant_rows(gans + flows))
    assert spread["kid"] == {"deviation": pytest.approx(1.0, abs=0.05), "degrees": 2}
    assert seed_spread(variant_rows(flows)) == {}


@pytest.fixture
def report():
    done = [
        *(result("enhanced", seed) for seed in range(3)),
        *(result("modern", seed, kid=1.0, quality_score=92.0, ccc_arousal=0.8) for seed in range(3)),
        result("minus attention", 0, red_flag="mode collapse", kid=9.0),
        result("flow", 0, samplings=("-1-steps", "-20-steps"), sampling_seconds=1.0, seconds=7200.0),
    ]
    rows = variant_rows(done)
    spread = seed_spread(rows)
    made = {
        "budget": "test",
        "baseline": "enhanced",
        "candidate": "modern",
        "rows": rows,
        "differences": differences(rows, "enhanced", spread),
        "updates": {"steps": 100, "epochs": None, "batch_size": 16},
        "corpus": {
            "name": "DEAM",
            "config_name": "excerpt_10s",
            "labels": "corrected",
            "n_frames": 431,
            "n_training": 80,
            "n_held_out": 20,
            "fold": 0,
        },
        "judge": {"ccc_valence": 0.5, "ccc_arousal": 0.7},
        "missing": [],
        "sound": None,
        "missing_sound": [],
        "command": "accelerate launch training/study.py",
    }
    made["aims"], made["flow"] = aims(made), flow_against_sources(made)
    made["findings"] = findings(made)
    return made


def test_three_seeds_have_an_interval_over_seeds_and_one_over_clips(report):
    rows = {row["label"]: row["figures"]["kid"] for row in report["rows"]}
    assert rows["modern"]["over"] == "seeds"
    assert rows["modern"]["interval"][0] < rows["modern"]["value"] < rows["modern"]["interval"][1]
    assert rows["minus attention"]["over"] == "clips"
    assert {"flow, 1 steps", "flow, 20 steps"} <= set(rows)


def test_a_difference_of_seeds_alone_is_none(report):
    differing = report["differences"]["modern"]
    assert differing["kid"]["seeds"] == 3
    assert differing["kid"]["interval"][1] < 0
    low, high = differing["coverage"]["interval"]
    assert low < 0 < high
    assert report["differences"]["minus attention"]["kid"]["interval"][0] > 0  # by the finalists' seeds


def test_without_finalists_there_is_no_interval_and_no_claim():
    rows = variant_rows([result("enhanced", 0), result("other", 0, kid=1.0)])
    found = differences(rows, "enhanced", seed_spread(rows))
    assert all(figure["interval"] is None for figure in found["other"].values())


def test_aims_are_met_or_missed_by_the_candidates_figures(report):
    met = {aim["aim"].split()[0]: aim["met"] for aim in report["aims"]}
    assert met["quality"]
    assert not met["skill,"]
    assert met["KID"]
    assert not met["coverage,"]
    assert not met["authenticity,"]
    assert met["red"]


def test_an_undefined_figure_is_neither_met_nor_missed(report):
    report["rows"][1]["figures"]["skill"]["value"] = float("nan")
    assert next(aim["met"] for aim in aims(report) if aim["aim"].startswith("skill")) is None


def test_words_claim_nothing_from_one_seed(report):
    sentences = {sentence.split(" against")[0]: sentence for sentence in report["findings"] if " against" in sentence}
    assert "over 3 seeds: better in quality score" in sentences["modern"]
    assert "KID -3" in sentences["modern"]
    assert "supports no claim" in sentences["minus attention"]
    assert "not shown to help" in sentences["flow, 1 steps"]
    assert any("red flag (seed 0, update 100: mode collapse)" in sentence for sentence in report["findings"])
    assert any("10.0 times the sampling time of enhanced (they say 50)" in text for text in report["findings"])


def test_the_page_shows_every_row_with_its_budget_and_counts(report):
    text = markdown(report)
    for row in report["rows"]:
        assert f"| {row['label']} |" in text
    assert "Budget: **test**" in text
    assert "80 training songs, 20 songs of other artists held out (fold 0)" in text
    assert "| skill, own space >= | 0.5 |" in text
    assert "No variant was measured through sound, which would decide." in text
    assert "| skill, own space | skill, own space, modulation-v1 and six noises |" in text
    assert text.count("does not decide") == 1
    assert not re.search(r"\| skill \||\bskill [+-]?\d", text)  # no skill that does not say in which space
    assert len(table(report)) == 5
    assert difference_table(report)[0]["KID"].endswith("*")


def heard(skill, detectability=0.9, sampling=""):
    """What a variant's sound gives; only the skill and the detectability differ."""
    agreement = {"pearson_r": [0.5, 0.8], "ccc": [0.4, 0.7]}
    agreement |= {f"{name}_interval": [[value - 0.1, value + 0.1] for value in agreement[name]] for name in agreement}
    measured = {
        "external_skill": skill,
        "external_skill_interval": [skill - 0.1, skill + 0.1],
        "detectability": detectability,
        "detectability_interval": [detectability - 0.02, detectability + 0.02],
        "detectability_real": 0.6,
        "detectability_real_interval": [0.55, 0.65],
        "external_coverage": 0.5,
        "external_coverage_real": 0.9,
        "external_best_noise": "joint-gaussian",
        "external_n": {"reference": 323, "held_out": 323, "candidate": 96},
        "external_notes": {},
        "n_training": 1292,
        "requested": agreement,
        "songs": agreement,
    }
    return {"embedder": "yamnet-v1", "samplings": {sampling: measured}}


@pytest.fixture
def sounding(report):
    """The same study with sound, which the finalists have with three seeds."""
    sounds = [
        *(heard(0.1 + 0.01 * seed) for seed in range(3)),
        *(heard(0.4 + 0.02 * seed, 0.8) for seed in range(3)),
        heard(float("nan")),
    ]
    done = [
        *(result("enhanced", seed) for seed in range(3)),
        *(result("modern", seed) for seed in range(3)),
        result("other", 0),
    ]
    rows = variant_rows([with_sound(*pair) for pair in zip(done, sounds, strict=True)])
    report |= {"rows": rows, "sound": real_songs(sounds)}
    report["differences"] = differences(rows, "enhanced", seed_spread(rows))
    report["aims"], report["flow"] = aims(report), flow_against_sources(report)
    return report | {"findings": findings(report)}


def test_sound_has_intervals_over_seeds_and_stands_beside_real_songs(sounding):
    skill = sounding["rows"][1]["figures"]["external_skill"]
    assert skill["value"] == pytest.approx(0.42)
    assert skill["over"] == "seeds"
    half = 4.3027 * 0.02 / np.sqrt(3)  # Student's t of two degrees of freedom
    assert skill["interval"] == pytest.approx([0.42 - half, 0.42 + half], abs=1e-4)
    cells = {row["variant"]: row for row in sound_table(sounding)}
    assert cells["modern"]["skill through sound"].startswith("0.42 [0.37, 0.47]")
    assert cells["other"]["skill through sound"] == "not defined"
    assert cells["other"]["arousal CCC, recognised"] == "0.70 [0.60, 0.80]"
    assert cells["real songs"]["skill through sound"] == "1.00"
    assert cells["real songs"]["detectability"] == "0.60 [0.55, 0.65]"
    assert not {"skill through sound", "detectability"} & set(table(sounding)[0])


def test_sound_is_said_first_the_best_variant_before_the_others(sounding):
    (sentence,) = sound_sentences(sounding)
    assert sounding["findings"][1] == sentence
    assert "in the space of yamnet-v1, which took no part in any training" in sentence
    places = [sentence.index(words) for words in ("modern 0.42 [", "enhanced 0.11 [", "other not defined (one seed)")]
    assert places == sorted(places)
    compared = next(text for text in sounding["findings"] if text.startswith("modern against enhanced"))
    assert "better in skill through sound +0.31 [" in compared
    assert "detectability through sound -0.1 [" in compared
    assert "worse" not in compared


def test_an_undefined_difference_is_no_finding(sounding):
    figure = sounding["differences"]["other"]["external_skill"]
    assert np.isnan(figure["value"])
    assert figure["interval"] is None
    assert not any("nan" in text for text in sounding["findings"])
    titles = [title for title in difference_table(sounding, SOUND_FIGURES)[0] if title != "variant"]
    assert len(titles) == len(SOUND_FIGURES)


def test_a_variant_of_which_one_seed_lacks_sound_has_no_figure_of_it():
    done = [with_sound(result("enhanced", 0), heard(0.3)), with_sound(result("enhanced", 1), None)]
    (row,) = variant_rows(done)
    assert set(row["figures"]) == set(FIGURES)
