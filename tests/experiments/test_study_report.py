"""The study's table: what counts as a difference, which aims are met, and what is said of one seed."""

import numpy as np
import pytest

from musemo_hf.experiments.study.report.aims import aims, flow_against_sources
from musemo_hf.experiments.study.report.findings import findings
from musemo_hf.experiments.study.report.page import difference_table, markdown, table
from musemo_hf.experiments.study.report.report import FIGURES, differences, seed_spread, variant_rows

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
    assert not met["skill"]
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
    assert "| skill >= | 0.5 |" in text
    assert len(table(report)) == 5
    assert difference_table(report)[0]["KID"].endswith("*")
