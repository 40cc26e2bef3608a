"""The arms that are tried where there are few real songs, and the curve of their gain."""

import dataclasses
import json

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from safetensors.torch import load_file

from musemo_hf.data.folds import artist_groups, song_order, strata
from musemo_hf.evaluation.spaces import embedders
from musemo_hf.experiments.ablation.ablation import Ablation
from musemo_hf.experiments.ablation.arm_training import ArmTraining
from musemo_hf.experiments.ablation.arms import ALTERNATIVES, EXTERNAL, PROPOSED, alternatives_of
from musemo_hf.experiments.ablation.curve.curve import build_curve
from musemo_hf.experiments.ablation.curve.page import markdown, write_curve
from musemo_hf.experiments.ablation.curve.power import KNOWN, plan
from musemo_hf.experiments.ablation.split_work import SplitWork
from musemo_hf.experiments.ablation.tasks import run_ablation
from musemo_hf.experiments.ablation.teacher import Teacher
from musemo_hf.models.vit.texture import texture_size
from musemo_hf.pipelines.embedders.yamnet import NAME as YAMNET
from musemo_hf.pipelines.embedders.yamnet import load_yamnet
from musemo_hf.training.clips import Clips
from musemo_hf.training.configuration import load_configuration

TINY = [
    "flow.patch_size=[128, 8]",
    "flow.n_components=8",
    "flow.width=16",
    "flow.depth=1",
    "flow.n_heads=2",
    "flow.num_inference_steps=2",
    "flow_training.steps=2",
    "flow_training.batch_size=4",
    "recogniser.patch_size=[32, 32]",
    "recogniser.hidden_size=16",
    "recogniser.num_hidden_layers=1",
    "recogniser.num_attention_heads=2",
    "recogniser.intermediate_size=16",
    "recogniser.kernel_read_out=true",
    "recogniser_training.steps=5",
    "recogniser_training.batch_size=4",
    "ablation.generator=flow",
    "ablation.measure_generator=false",
    "ablation.n_folds=2",
    "ablation.n_real_songs=[10]",
    "ablation.n_resamples=50",
    "ablation.arms=[real, synthetic, pretrain_synthetic, synthetic_taught, variations, real_taught]",
]
N_FRAMES = 256
CORPUS = {"name": "noise", "procedural": True, "n_skipped": 0}


def make(songs, folder, *overrides) -> Ablation:
    return Ablation(load_configuration(None, [*TINY, *overrides]), songs, folder, Accelerator())


@pytest.fixture
def work(songs, tmp_path) -> SplitWork:
    ablation = make(songs, tmp_path)
    work = SplitWork(ablation, ablation.splits[0])
    work.train_generator()
    return work


def test_few_songs_are_drawn_by_artist_in_every_stratum_and_smaller_draws_are_parts_of_larger_ones():
    rng = np.random.default_rng(0)
    artists = [f"artist {number}" for number in rng.integers(0, 150, 400)]
    emotions, years = rng.uniform(-1, 1, (400, 2)), rng.integers(2013, 2016, 400).tolist()
    order = song_order(artists, emotions, years, seed=1)
    assert sorted(order) == list(range(400))
    groups = np.array(artist_groups(artists))[order]
    starts = np.flatnonzero(groups[1:] != groups[:-1])
    assert len(starts) + 1 == len(set(groups))  # the songs of an artist follow each other
    stratum = strata(emotions, years)
    for n in (100, 200):
        counts = np.bincount(stratum[order[:n]], minlength=12)
        assert np.abs(counts - n * np.bincount(stratum) / 400).max() < 6
    assert not np.array_equal(order, song_order(artists, emotions, years, seed=2))


def test_generator_and_recogniser_learn_from_the_chosen_number_of_songs_and_all_test_songs_are_predicted(work):
    split = work.split
    assert split.name == "fold0-10songs"
    assert len(split.train) == len(split.generator_train) == len(work.real) == 10
    assert len(split.test) == 12
    assert not {work.ablation.songs.artist[i] for i in split.train} & {
        work.ablation.songs.artist[i] for i in split.test
    }
    assert json.loads((work.dir / "flow.json").read_text())["n_clips"] == 10


@pytest.mark.parametrize("arm", ["real", "synthetic", "pretrain_synthetic", "synthetic_taught", "variations"])
def test_every_arm_makes_the_same_number_of_updates(work, monkeypatch, arm):
    updates = []
    training = ArmTraining(work.configuration, work.make_arm(arm, 0), 0, work.dir / arm, work.ablation.accelerator)
    trainer = training._trainer

    def counted(*given):
        made = trainer(*given)
        updates.append(made.steps)
        return made

    monkeypatch.setattr(training, "_trainer", counted)
    training.train()
    assert sum(updates) == 5
    assert len(updates) == (2 if arm == "pretrain_synthetic" else 1)
    figures = training.exposures()
    real, added = figures["times_each_real_clip"], figures["times_each_synthetic_clip"]
    assert 10 * (real + added) == pytest.approx(5 * 4)  # as many synthetic as real clips


def test_pretraining_changes_the_network_and_leaves_the_kernel_regression_to_the_real_songs(work):
    models = {}
    for arm in ("real", "pretrain_synthetic"):
        made = work.make_arm(arm, 0)
        models[arm] = ArmTraining(work.configuration, made, 0, work.dir / arm, work.ablation.accelerator).train()
    real, other = (models[arm].state_dict() for arm in ("real", "pretrain_synthetic"))
    assert torch.equal(real["kernel.weight"], other["kernel.weight"])
    assert not torch.equal(real["regressor.weight"], other["regressor.weight"])


def test_synthetic_songs_have_the_labels_of_the_teacher_and_real_ones_half_of_them(work):
    requested, taught = work.make_arm("synthetic", 0).clips, work.make_arm("synthetic_taught", 0).clips
    assert torch.equal(requested.spectrogram, taught.spectrogram)
    assert torch.equal(requested.emotion[:10], taught.emotion[:10])
    assert torch.equal(taught.emotion[10:], work.teach(False).label(taught.spectrogram[10:]))
    assert (requested.emotion[10:] - taught.emotion[10:]).abs().max() > 0.01
    half = work.make_arm("real_taught", 0).clips.emotion
    torch.testing.assert_close(half, (work.real.emotion + work.teach(False).cross_fitted()) / 2)


def test_the_teacher_labels_a_song_without_having_seen_its_artist(songs):
    clips, folds = Clips.of_songs(songs), np.arange(len(songs)) // 2 % 3  # two songs of each artist
    inside = torch.from_numpy(folds == 0)
    other = torch.where(inside[:, None], -clips.emotion, clips.emotion)
    before, after = (Teacher(Clips(clips.spectrogram, emotion), folds)._inner for emotion in (clips.emotion, other))
    np.testing.assert_array_equal(before[inside], after[inside])
    assert np.abs(before[~inside] - after[~inside]).max() > 0.01


def test_variations_have_blended_labels_and_lie_between_their_song_and_new_ones(work):
    made = work.make_arm("variations", 0).clips
    n, emotion = len(work.real), work.emotions(None)
    torch.testing.assert_close(made.emotion[n:], (work.real.emotion + emotion) / 2)
    own = (made.spectrogram[n:] - work.real.spectrogram).square().mean()
    other = (work.generate(emotion) - work.real.spectrogram).square().mean()
    assert 0 < own < other


def test_permuting_the_test_labels_leaves_every_arm_as_it_was(songs, tmp_path, monkeypatch):
    # the folds are balanced by label, so they are held fixed; within them the test labels may say anything
    folds = np.arange(len(songs)) // 2 % 2
    within = "musemo_hf.experiments.ablation.splits.artist_folds"
    monkeypatch.setattr(within, lambda *_: folds)
    shuffled = songs.emotion.copy()
    shuffled[folds == 0] = np.random.default_rng(1).permutation(shuffled[folds == 0])
    found = []
    for name, given in (("a", songs), ("b", dataclasses.replace(songs, emotion=shuffled))):
        ablation = make(given, tmp_path / name, "ablation.folds=[0]")
        assert not run_ablation(ablation).failed
        folder = tmp_path / name / "fold0-10songs"
        weights = load_file(next((folder / "generator").glob("*.safetensors")))
        found.append((weights, {path.name: json.loads(path.read_text()) for path in folder.glob("*-seed0.json")}))
    (weights, results), (other_weights, other_results) = found
    assert all(torch.equal(value, other_weights[name]) for name, value in weights.items())
    assert len(results) == 6
    for name, result in results.items():
        assert result["predictions"] == other_results[name]["predictions"]
        assert result["rescaled"] == other_results[name]["rescaled"]


def test_the_curve_reports_what_is_finished_and_says_what_is_missing(songs, tmp_path):
    run_ablation(make(songs, tmp_path))
    ablation = make(songs, tmp_path, "ablation.n_real_songs=[10, 11]", "ablation.seeds=[0, 1]")
    report = build_curve(ablation, CORPUS, "none")
    assert [size["n_real_songs"] for size in report["sizes"]] == [10]
    (size,) = report["sizes"]
    assert size["n_tested"] == len(songs)
    assert size["seeds"] == [0]
    assert len(size["missing"]) == 12
    assert set(size["gains"]) == {"synthetic", "pretrain_synthetic", "synthetic_taught", "variations"}
    real, taught = (size["arms"][arm]["ccc"]["mean"]["value"] for arm in ("real", "real_taught"))
    for arm, gain in size["gains"].items():
        assert gain["value"] == pytest.approx(size["arms"][arm]["ccc"]["mean"]["value"] - max(real, taught))
        assert gain["p_holm"] >= gain["p_value"]
    run_ablation(make(songs, tmp_path, "ablation.n_real_songs=[10, 11]"))
    report = build_curve(ablation, CORPUS, "none")
    assert [size["n_real_songs"] for size in report["sizes"]] == [10, 11]
    page = write_curve(ablation, report)
    assert page.with_suffix(".png").read_bytes().startswith(b"\x89PNG")
    text = markdown(report)
    assert "10 and 11 real songs" in text.splitlines()[2]
    assert "24 results of the plan are not finished" in text
    assert "melodies in the public domain" in text


def test_an_arm_with_external_data_is_the_only_one_compared_with_another_such_arm():
    for arm in PROPOSED:
        assert ("real_taught_external" in alternatives_of(arm)) == (arm in EXTERNAL)
        assert alternatives_of(arm) >= ALTERNATIVES


def test_the_plan_says_beforehand_what_can_be_detected(songs, tmp_path):
    ablation = make(songs, tmp_path, "ablation.n_real_songs=[10, 11]")
    text = plan(ablation)
    assert "Tasks: 29, of which 0 are done." in text
    assert "Comparisons with the best arm without synthesis: 8" in text
    error = KNOWN[0].standard_error * (KNOWN[0].n_songs / len(songs)) ** 0.5
    assert f"- {2.8016 * error:.3f} and " in text
    assert not tmp_path.joinpath("locks").exists()


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("ablation.n_real_songs=[13]", "expected n_real_songs from 2 to the 12 songs of fold0, got 13"),
        ("ablation.n_real_songs=[]", "expected numbers of real songs, each once"),
        ("ablation.n_real_songs=[5, 5]", "expected numbers of real songs, each once"),
        ("ablation.variation_strength=1.5", "expected variation_strength in"),
    ],
)
def test_bad_settings_are_refused_before_anything_is_trained(songs, tmp_path, override, message):
    with pytest.raises(ValueError, match=message):
        assert make(songs, tmp_path, override).splits
    assert not list(tmp_path.iterdir())


def test_a_generator_without_variations_is_named(songs, tmp_path):
    overrides = ["ablation.generator=gan", "ablation.arms=[real, variations]", "gan_training.steps=1"]
    sizes = ["generator.generator_channels=8", "generator.group_norm_groups=1", "generator.discriminator_channels=4"]
    outcome = run_ablation(make(songs, tmp_path, *overrides, *sizes, "ablation.folds=[0]"))
    assert "expected a generator that makes variations" in outcome.failed["fold0-10songs/variations-seed0"]


@pytest.mark.pretrained
def test_a_teacher_with_external_data_labels_real_and_synthetic_songs_through_the_same_inversion(
    work, pretrained_dir, tmp_path, monkeypatch
):
    monkeypatch.setenv("MUSEMO_PRETRAINED", str(pretrained_dir))
    monkeypatch.setenv("MUSEMO_CACHE", str(tmp_path / "cache"))
    teacher = work.teach(True)
    assert [features.shape for features in teacher.features] == [(10, texture_size(N_FRAMES)), (10, 2048)]
    taught, requested = (work.make_arm(arm, 0).clips for arm in ("synthetic_taught_external", "synthetic"))
    assert torch.equal(taught.spectrogram, requested.spectrogram)
    assert torch.equal(taught.emotion[10:], teacher.label(taught.spectrogram[10:]))
    assert (taught.emotion[10:] - work.make_arm("synthetic_taught", 0).clips.emotion[10:]).abs().max() > 1e-3
    half = work.make_arm("real_taught_external", 0).clips.emotion
    torch.testing.assert_close(half, (work.real.emotion + teacher.cross_fitted()) / 2)


def test_without_the_pretrained_model_only_the_arms_that_need_it_fail(songs, tmp_path, monkeypatch):
    (tmp_path / "nothing").mkdir()
    monkeypatch.setenv("MUSEMO_PRETRAINED", str(tmp_path / "nothing"))
    monkeypatch.delitem(embedders._REGISTRY, YAMNET, raising=False)  # of a test before
    load_yamnet.cache_clear()
    overrides = ["ablation.arms=[real, real_taught_external]", "ablation.folds=[0]"]
    outcome = run_ablation(make(songs, tmp_path / "run", *overrides))
    assert list(outcome.failed) == ["fold0-10songs/real_taught_external-seed0"]
    assert "PretrainedModelError: YAMNet" in outcome.failed["fold0-10songs/real_taught_external-seed0"]
