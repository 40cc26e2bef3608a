"""`compute(external=...)` adds the figures of features that the caller made from sound."""

import evaluate
import numpy as np
import pytest

from musemo_hf.evaluation.external.external_figures import external_figures
from musemo_hf.metrics import metric_path

RNG = np.random.default_rng(0)
CLIPS = RNG.normal(-20, 10, (6, 128, 32)).astype(np.float32)


def features(n_clips, shift=0.0):
    return RNG.normal(shift, 1, (n_clips, 8))


SIDES = {"reference": features(120), "candidate": features(60, 0.5), "noises": {"hiss": features(60, 3.0)}}


@pytest.fixture
def compute(tmp_path):
    metric = evaluate.load(metric_path("spectrogram_quality"), cache_dir=str(tmp_path))
    return lambda **options: metric.compute(predictions=CLIPS, references=CLIPS, ladder=False, **options)


def test_the_figures_stand_beside_the_others(compute):
    answer = compute(external=SIDES | {"embedder": "ears-v1"}, confidence=0.9, seed=3)
    expected = external_figures(**SIDES, confidence=0.9, n_resamples=400, seed=3)
    expected.pop("external_notes")
    assert answer["external_embedder"] == "ears-v1"
    for name, value in expected.items():
        assert answer[name] == value, name
    assert 0 < answer["external_skill"] < 1
    assert answer["quality_score"] == pytest.approx(100)
    assert "external_skill" not in compute()


def test_a_figure_that_is_not_defined_has_its_reason_among_the_notes(compute):
    answer = compute(external=SIDES | {"candidate": SIDES["candidate"][:20]})
    assert np.isnan(answer["external_skill"])
    assert "expected at least 50 clips on every side" in answer["notes"]["external_skill"]
    assert "ladder" in answer["notes"]
    assert not [name for name in answer if name.endswith("_interval")]  # no confidence was given


@pytest.mark.parametrize(
    "changes", [{"candidate": np.full((60, 8), np.nan)}, {"candidate": features(60)[:, :5]}, {"noises": {}}]
)
def test_features_that_do_not_fit_are_refused(compute, changes):
    with pytest.raises(ValueError, match="expected"):
        compute(external=SIDES | changes)


@pytest.mark.parametrize("n_resamples", [8, 50, 90])
def test_intervals_are_of_the_number_of_draws_that_was_asked_for(compute, n_resamples):
    answer = compute(external=SIDES, confidence=0.95, n_resamples=n_resamples)
    expected = external_figures(**SIDES, n_resamples=n_resamples)
    for name in ("external_skill", "external_skill_frechet", "detectability", "detectability_real"):
        assert answer[f"{name}_interval"] == expected[f"{name}_interval"]


def test_a_missing_decision_is_said(compute):
    note = compute()["notes"]["external_skill"]
    assert note.startswith("not computed, though it decides")
    assert "compute(external=...)" in note
    assert "external_skill" not in compute(external=SIDES)["notes"]


@pytest.mark.parametrize(
    ("external", "got"),
    [
        ("yamnet", "got str"),
        (np.zeros((60, 8)), "got ndarray"),
        (SIDES | {"heldout": features(60)}, "got 'heldout'"),
        ({"reference": features(60)}, "got none of candidate, noises"),
    ],
)
def test_another_external_than_a_dict_of_the_known_keys_is_refused(compute, external, got):
    with pytest.raises(
        ValueError, match=r"dict with reference, candidate, noises, and perhaps held_out.*embedder"
    ) as e:
        compute(external=external)
    assert str(e.value).endswith(got)
