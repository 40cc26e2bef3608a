"""One measurement path: the reference set, the quality report and the figures by hand agree."""

import numpy as np
import pytest

from musemo_hf.evaluation.distances.frechet import features_frechet
from musemo_hf.evaluation.distances.kernel import kernel_distance
from musemo_hf.evaluation.distances.neighbours import authenticity, prdc
from musemo_hf.evaluation.score.moments import clip_row, mel_statistics
from musemo_hf.evaluation.score.reducer import ClipReducer
from musemo_hf.evaluation.score.reference_scale import draw_surrogates, mixed_order
from musemo_hf.evaluation.score.reference_set import SIX_NOISES, ReferenceSet
from musemo_hf.evaluation.score.report import Evidence, quality_report
from musemo_hf.evaluation.spaces.embedders import get_embedder, standardise
from musemo_hf.evaluation.surrogates.samplers import NOISES, PROTOCOL_NOISES
from musemo_hf.evaluation.surrogates.skill import skill

OPTIONS = {"confidence": 0.9, "n_resamples": 30, "seed": 3}
V1, V3 = get_embedder("modulation-v1"), get_embedder("modulation-v3")


@pytest.fixture(scope="module")
def songs(musical):
    """Real, training and generated clips, the real ones in the order of a reference set."""
    real = musical(120)
    order = mixed_order(np.stack([clip_row(clip) for clip in real]))
    return real[order], musical(40, seed=2), musical(50, seed=1)


@pytest.fixture(scope="module")
def measured(songs):
    real, training, fake = songs
    return ReferenceSet(real, training, **OPTIONS).measure(fake)


@pytest.fixture(scope="module")
def report(songs):
    real, training, fake = songs
    reducer = ClipReducer()
    rows = reducer.references(real), reducer.predictions(fake)
    sides = {"training": reducer.embed(training, "training"), "held_out": reducer.embed(real[::2], "held_out")}
    return quality_report(Evidence(*rows, reducer, reducer.statistics, **sides, **OPTIONS))


def test_the_reference_set_reports_what_the_metric_does(measured, report):
    same = {name for name in measured if name in report} - {"notes"}
    assert same >= {"quality_score", "published_score", "tier", "skill", "kid", "kid_se", "coverage", "authenticity"}
    assert same >= {"skill_interval", "kid_interval", "coverage_interval", "authenticity_interval", "skill_n"}
    for name in same:
        assert measured[name] == report[name], name
    assert np.isfinite(measured["skill"])
    assert measured["skill_noise"] == report["best_noise"]
    assert (measured["n_clips"], measured["n_real"]) == (report["n_predictions"], report["n_references"])


@pytest.fixture(scope="module")
def skills(songs):
    """`skills(space, names)`: the skill by hand, from clips and surrogates, all in the order of a report."""
    real, _, fake = songs
    reducer = ClipReducer()
    reducer.references(real)
    drawn = draw_surrogates(reducer.statistics, 60, seed=3)
    made = fake[mixed_order(np.stack([clip_row(clip) for clip in fake]))]

    def compute(space, names):
        sides = (space.embed(clips).astype(np.float32).astype(float) for clips in (real[::2], real[1::2], made))
        noises = {name: drawn[name].features[space.name] for name in names}
        return skill(*sides, noises, space.feature_groups, confidence=0.9, seed=3)

    return compute


def test_each_skill_has_its_own_space_and_noises(measured, report, skills):
    names = {"skill": (V3, NOISES), "protocol_skill": (V1, PROTOCOL_NOISES)}
    for name, (space, noises) in names.items():
        expected = skills(space, noises)
        assert report[name] == pytest.approx(expected.skill, rel=1e-6, nan_ok=True), name
        assert report[f"{name}_interval"] == pytest.approx([expected.low, expected.high], rel=1e-6, nan_ok=True)
    assert report["aspect_skills"] == pytest.approx(skills(V3, NOISES).group_skills, rel=1e-6)
    assert report["skill_aspect"] == skills(V3, NOISES).group
    assert measured["skill_six"] == pytest.approx(skills(V1, SIX_NOISES).skill, rel=1e-6, nan_ok=True)
    assert np.isfinite([report["skill"], report["protocol_skill"]]).all()
    assert abs(report["skill"] - report["protocol_skill"]) > 1e-4


def test_figures_in_the_embedders_space_by_hand(songs, report):
    real, training, fake = songs
    base, made, known, held_out = standardise(*(V1.embed(clips) for clips in (real, fake, training, real[::2])))
    assert report["modulation_distance"] == pytest.approx(features_frechet(base, made), rel=1e-4)
    assert (report["kid"], report["kid_se"]) == pytest.approx(kernel_distance(base, made), rel=1e-4)
    assert {name: report[name] for name in prdc(base, made)} == pytest.approx(prdc(base, made))
    assert report["authenticity"] == authenticity(made, known, held_out).share


def test_figures_beside_those_of_real_songs(songs, measured):
    real, training, fake = songs
    half, other, made = standardise(*(V1.embed(clips) for clips in (real[::2], real[1::2], fake)))
    possible, covered = prdc(half, other)["coverage"], prdc(half, made)["coverage"]
    assert measured["coverage_of_real"] == pytest.approx(covered / possible)
    _, known, half, other = standardise(*(V1.embed(clips) for clips in (real, training, real[::2], real[1::2])))
    assert measured["authenticity_of_real"] == authenticity(other, known, half).share
    _, spread, made = standardise(*(mel_statistics(np.stack([clip_row(c) for c in s])) for s in (real, real, fake)))
    means = [np.mean([np.linalg.norm(a - b) for i, a in enumerate(rows) for b in rows[:i]]) for rows in (made, spread)]
    assert measured["diversity"] == pytest.approx(means[0] / means[1])


def test_too_few_or_too_short_songs_are_refused(musical):
    with pytest.raises(ValueError, match="at least 12 held-out songs to measure by, got 11"):
        ReferenceSet(musical(11), musical(2))
    with pytest.raises(ValueError, match="to measure by: surrogates are fitted to clips of at least 256 frames"):
        ReferenceSet(np.random.default_rng(0).normal(-20, 9, (12, 128, 60)), musical(2))
