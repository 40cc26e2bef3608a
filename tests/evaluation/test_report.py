import json

import numpy as np
import pytest

from musemo_hf.evaluation.score.composite import WEIGHTS
from musemo_hf.evaluation.score.reducer import ClipReducer
from musemo_hf.evaluation.score.report import Evidence, quality_report
from musemo_hf.evaluation.spaces.embedders import Embedder


def _report(references, predictions, embedder="modulation-v1", **options):
    reducer = ClipReducer(embedder)
    real, fake = reducer.references(references), reducer.predictions(predictions)
    return quality_report(Evidence(real, fake, reducer, reducer.statistics, **options))


ANSWER = {
    "quality_score",
    "tier",
    "frechet_score",
    "moment_score",
    "smoothness_score",
    "frequency_score",
    "range_score",
    "frechet_distance",
    "published_score",
    "skill",
    "kid",
    "kid_se",
    "precision",
    "recall",
    "density",
    "coverage",
    "authenticity",
    "modulation_distance",
    "ladder",
    "n_references",
    "n_predictions",
    "embedder",
    "notes",
}


@pytest.fixture(scope="module")
def answer(musical):
    options = {"confidence": 0.95, "n_resamples": 60}
    reducer = ClipReducer()
    training, held_out = (reducer.embed(musical(30, seed=seed), "clips") for seed in (7, 8))
    return _report(musical(80), musical(60, seed=1), training=training, held_out=held_out, **options)


def test_everything_promised_is_answered(answer):
    assert set(answer) >= ANSWER
    assert (answer["n_references"], answer["n_predictions"], answer["embedder"]) == (80, 60, "modulation-v1")
    json.dumps({name: value for name, value in answer.items() if name != "ladder"})


def test_every_figure_has_an_interval_around_it(answer):
    figures = [*WEIGHTS, "quality_score", "frechet_distance", "published_score", "kid", "precision", "recall"]
    for name in [*figures, "density", "coverage", "authenticity", "modulation_distance"]:
        low, high = answer[f"{name}_interval"]
        assert low <= answer[name] <= high or answer[name] == pytest.approx((low + high) / 2, rel=0.2), name
        if name.endswith("_score") and name != "published_score":
            assert 0 <= low <= high <= 100
    assert set(answer["ladder_interval"]) == set(answer["ladder"])
    assert "skill_interval" in answer


def test_real_music_stands_above_every_noise_in_its_own_figures(musical):
    real = _report(musical(80), musical(60, seed=1), ladder=False)
    noise = np.random.default_rng(0).normal(-10, 12, (60, 128, 256))
    fake = _report(musical(80), noise, ladder=False)
    assert real["quality_score"] > 90 > fake["quality_score"]
    assert real["kid"] < 3 * real["kid_se"]
    assert fake["kid"] > 10 * real["kid_se"]
    assert real["precision"] > 0.5 > fake["precision"]
    assert real["modulation_distance"] < fake["modulation_distance"]


def test_copies_are_not_authentic(musical):
    reducer = ClipReducer()
    training, held_out = (reducer.embed(musical(40, seed=seed), "clips") for seed in (0, 5))
    options = {"training": training, "held_out": held_out, "ladder": False}
    copies, fresh = _report(musical(40), musical(40), **options), _report(musical(40), musical(40, seed=6), **options)
    assert copies["authenticity"] == 0
    assert fresh["authenticity"] > 0.8


def test_authenticity_without_training_clips_says_why(musical):
    reducer = ClipReducer()
    training = reducer.embed(musical(5), "training")
    answer = _report(musical(20), musical(20, seed=1), training=training, ladder=False)
    assert answer["authenticity"] is None
    assert answer["notes"]["authenticity"] == "needs held_out clips or their embeddings"


def test_the_order_of_the_clips_does_not_matter(musical):
    real, fake = musical(30), musical(24, seed=1)
    options = {"confidence": 0.9, "n_resamples": 20}
    first, second = _report(real, fake, **options), _report(real[::-1], fake[::-1], **options)
    for name in ("kid", "skill", "quality_score_interval", "frechet_distance_extrapolated", "precision_interval"):
        assert first[name] == pytest.approx(second[name], abs=1e-9, nan_ok=True), name
    assert first["ladder"] == pytest.approx(second["ladder"], abs=1e-6)


def test_the_reference_scale_can_be_left_out(musical):
    answer = _report(musical(20), musical(20, seed=1), ladder=False)
    assert answer["ladder"] == {}
    assert np.isnan(answer["skill"])
    assert {"ladder", "skill", "surrogates"} <= set(answer["notes"])


@pytest.mark.parametrize("n", [1, 2])
def test_one_or_two_predictions_answer_what_they_can(musical, n):
    answer = _report(musical(30), musical(n, seed=1))
    assert np.isfinite(answer["moment_score"])
    assert np.isnan(answer["frechet_score"]) == (n == 1)
    assert (answer["tier"] is None) == (n == 1)
    assert np.isnan(answer["precision"])
    assert np.isnan(answer["skill"])
    assert {"frechet_distance", "kid", "precision", "skill", "frechet_distance_extrapolated"} <= set(answer["notes"])
    assert "two clips" in answer["notes"]["frechet_distance"] or "dimensions" in answer["notes"]["frechet_distance"]


@pytest.mark.parametrize("n", [1, 2])
def test_one_or_two_references_answer_what_they_can(musical, n):
    answer = _report(musical(n), musical(30, seed=1))
    assert np.isfinite(answer["smoothness_score"])
    assert ("ladder" in answer["notes"]) == (n == 1)
    assert np.isnan(answer["quality_score"]) == (n == 1)


def test_an_empty_side_is_an_error(musical):
    reducer = ClipReducer()
    rows = reducer.references(musical(3))
    for real, fake, side in ((rows, rows[:0], "predictions"), (rows[:0], rows, "references")):
        with pytest.raises(ValueError, match=f"at least one clip of {side}, got none"):
            quality_report(Evidence(real, fake, reducer))


def test_two_units_are_an_error(musical):
    with pytest.raises(ValueError, match="got normalised predictions"):
        _report(musical(4), (np.clip(musical(4), -60, 40) + 10) / 50)


def test_both_sides_normalised_is_the_same_answer(musical):
    real, fake = np.clip(musical(40), -60, 40), np.clip(musical(40, seed=1), -60, 40)
    decibels, normalised = _report(real, fake, ladder=False), _report((real + 10) / 50, (fake + 10) / 50, ladder=False)
    for name in (*WEIGHTS, "quality_score", "kid", "modulation_distance", "published_score"):
        assert normalised[name] == pytest.approx(decibels[name], abs=2e-3), name


def test_constant_predictions_are_judged_and_noted(musical):
    answer = _report(musical(30), np.full((10, 128, 256), -20.0))
    assert answer["smoothness_score"] == 0
    assert "10 of 10 clips are constant" in answer["notes"]["constant_predictions"]
    with pytest.raises(ValueError, match="references that vary"):
        _report(np.full((10, 128, 256), -20.0), musical(10))


def test_other_lengths_are_compared_and_noted(musical):
    answer = _report(musical(30), musical(30, 300, seed=1), ladder=False)
    assert "[256]" in answer["notes"]["n_frames"]
    assert "[300]" in answer["notes"]["n_frames"]
    assert answer["quality_score"] > 50


def test_short_clips_have_a_score_and_no_modulation():
    rng = np.random.default_rng(0)
    answer = _report(*np.cumsum(rng.normal(0, 1, (2, 20, 128, 60)), axis=3))
    assert answer["quality_score"] > 50
    assert np.isnan(answer["skill"])
    assert {"modulation_distance", "skill", "surrogates", "kid"} <= set(answer["notes"])


def test_fewer_clips_than_dimensions_is_said(musical):
    answer = _report(musical(20), musical(70, seed=1), ladder=False)
    assert "20 clips in 64 dimensions" in answer["notes"]["frechet_distance"]


def test_the_answer_is_a_function_of_the_seed(musical):
    first, again, other = (_report(musical(30), musical(30, seed=1), seed=seed) for seed in (0, 0, 1))
    assert json.dumps(first, default=str) == json.dumps(again, default=str)
    assert first["ladder"]["white"] != other["ladder"]["white"]
    assert first["quality_score"] == other["quality_score"]


def test_the_embedder_is_named_and_used(musical):
    answer = _report(musical(30), musical(30, seed=1), embedder="mel-statistics-v1", ladder=False)
    other = _report(musical(30), musical(30, seed=1), ladder=False)
    assert answer["embedder"] == "mel-statistics-v1"
    assert answer["kid"] != other["kid"]
    assert answer["modulation_distance"] == other["modulation_distance"]


def _planar(clips):
    return np.stack([clips[:, :64].mean(axis=(1, 2)), clips[:, 64:].mean(axis=(1, 2))], axis=1)


def _at(points):
    """Clips whose two planar features are these."""
    noise = np.random.default_rng(1).normal(-20, 5, (len(points), 128, 256))
    return noise + np.repeat(points, 64, axis=1)[:, :, None]


def test_every_interval_of_the_neighbours_is_that_of_its_own_figure():
    """Candidates of little variety: all four figures are far apart, and each interval lies about its own."""
    rng = np.random.default_rng(0)
    real = _at(rng.normal(size=(100, 2)))
    fake = _at(np.concatenate([0.25 * rng.normal(size=(60, 2)), 0.5 * rng.normal(size=(20, 2)) + 2]))
    answer = _report(real, fake, Embedder("planar-v1", 2, _planar), ladder=False, confidence=0.95, n_resamples=400)
    figures = {name: answer[name] for name in ("precision", "recall", "density", "coverage")}
    values = sorted(figures.values())
    assert np.diff(values).min() > 0.06, values
    for name, value in figures.items():
        low, high = answer[f"{name}_interval"]
        assert low <= value <= high, name
        if name != "density":  # the mean of independent yes or no
            error = np.sqrt(value * (1 - value) / (100 if name in ("recall", "coverage") else 80))
            assert [low, high] == pytest.approx([value - 1.96 * error, value + 1.96 * error], abs=0.03), name
