"""The protocol's other parts: runs cut short or extended, failed generators, shares, as-run, and their report."""

import html
import json

import numpy as np
import pytest
from accelerate import Accelerator

from musemo_hf.evaluation.statistics.concordance import concordance_correlation
from musemo_hf.experiments.ablation.ablation import Ablation
from musemo_hf.experiments.ablation.fold_generator import FoldGenerator
from musemo_hf.experiments.ablation.leak_probes import leak_probes
from musemo_hf.experiments.ablation.report.answer import answer
from musemo_hf.experiments.ablation.report.page import markdown, write_reports
from musemo_hf.experiments.ablation.report.report import build_report
from musemo_hf.experiments.ablation.splits import Split
from musemo_hf.experiments.ablation.tasks import run_ablation
from musemo_hf.training.configuration import load_configuration
from musemo_hf.training.loop import RedFlagError

TINY = [
    "generator.generator_channels=8",
    "generator.group_norm_groups=1",
    "generator.discriminator_channels=4",
    "gan_training.steps=1",
    "gan_training.batch_size=4",
    "recogniser.patch_size=[32, 32]",
    "recogniser.hidden_size=16",
    "recogniser.num_hidden_layers=1",
    "recogniser.num_attention_heads=2",
    "recogniser.intermediate_size=16",
    "recogniser_training.steps=2",
    "recogniser_training.batch_size=4",
    "ablation.n_folds=2",
    "ablation.n_resamples=50",
]
CORPUS = {"name": "noise", "procedural": True, "n_skipped": 0}


def make(songs, folder, *overrides) -> Ablation:
    return Ablation(load_configuration(None, [*TINY, *overrides]), songs, folder, Accelerator())


@pytest.mark.parametrize("broken", ["generator/config.json", "generated.npy"])
@pytest.mark.parametrize("content", [b"", b"\x93NUMPY", b"{"])
def test_an_empty_or_broken_file_of_a_generator_does_not_count_as_done(tmp_path, broken, content):
    work = FoldGenerator(load_configuration(None, TINY), tmp_path, Accelerator())
    assert not work.settled
    (tmp_path / "generator").mkdir()
    (tmp_path / "generator" / "config.json").write_text("{}")
    np.save(tmp_path / "generated.npy", np.zeros((2, 128, 8), np.float16))
    assert work.settled
    (tmp_path / broken).write_bytes(content)
    assert not work.settled


def test_clips_that_were_cut_off_do_not_count_as_done(tmp_path):
    work = FoldGenerator(load_configuration(None, TINY), tmp_path, Accelerator())
    (tmp_path / "generator").mkdir()
    (tmp_path / "generator" / "config.json").write_text("{}")
    np.save(work.made, np.zeros((2, 128, 8), np.float16))
    work.made.write_bytes(work.made.read_bytes()[:-100])
    assert not work.trained


def test_a_failed_generator_loses_only_the_arms_that_need_it(songs, tmp_path, monkeypatch):
    train = FoldGenerator._train

    def fails_once(self, clips, *rest):
        if self.folder.name == "fold1":
            raise RedFlagError("diversity under 10 %")
        train(self, clips, *rest)

    monkeypatch.setattr(FoldGenerator, "_train", fails_once)
    ablation = make(songs, tmp_path, "ablation.baselines=[mean, ridge]")
    run_ablation(ablation)
    report = build_report(ablation, CORPUS, "none")
    assert report["failures"] == {"fold1": "diversity under 10 %"}
    assert report["missing"] == ["fold1/synthetic-seed0"]
    assert list(report["corpus"]["splits"]) == ["fold0"]
    assert (tmp_path / "fold1/real-seed0.json").is_file()
    assert "The generator of fold1 failed (diversity under 10 %)" in markdown(report)
    write_reports(ablation, report, tmp_path / "a-pack.safetensors")  # which has no recordings
    page = (tmp_path / "report.html").read_text()
    opening = page[: page.index("<details")]
    told = answer(report)
    assert told.verdict.split(".")[0] in ("Yes", "No", "Not shown")
    assert html.escape(told.sentence, quote=False) in opening
    assert [name for name, _, _ in told.rows] == ["real songs", "real + synthetic"]
    assert opening.count("<th>") == 3
    assert len(list((tmp_path / "sounds").glob("*.mp3"))) == 10  # of each preset a re-synthesised and a generated one
    for line in ("Verdict: ", "change from real songs", "real + synthetic"):
        assert line in told.text()


def test_no_generator_is_trained_where_no_arm_needs_one(songs, tmp_path):
    ablation = make(songs, tmp_path, "ablation.arms=[real, specaugment]", "ablation.folds=[0]")
    run_ablation(ablation)
    assert not (tmp_path / "fold0/generator").exists()
    report = build_report(ablation, CORPUS, "none")
    assert list(report["arms"]) == ["real", "specaugment"]
    assert report["quality"] is None
    assert report["conditioning"] is None
    assert report["missing"] == []


def test_an_unfinished_run_is_reported_and_extended(songs, tmp_path):
    run_ablation(make(songs, tmp_path, "ablation.arms=[real]", "ablation.folds=[0]", "gan_training.steps=1"))
    planned = make(songs, tmp_path, "ablation.arms=[real, specaugment, synthetic]", "ablation.seeds=[0, 1]")
    before = (tmp_path / "fold0/real-seed0.json").stat().st_mtime_ns
    report = build_report(planned, CORPUS, "none")
    assert list(report["arms"]) == ["real"]
    assert len(report["missing"]) == 11
    assert report["validation"]["verdict"] == "NOT MEASURED"
    assert "Not finished: 11 tasks" in " ".join(report["findings"])
    write_reports(planned, report)
    assert (tmp_path / "forest.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "fold0/real-seed0.json").stat().st_mtime_ns == before
    with pytest.raises(ValueError, match="result of the arm 'real'"):
        build_report(make(songs, tmp_path, "ablation.folds=[1]"), CORPUS, "none")


def test_as_run_tests_a_mixture_that_the_generator_has_seen(songs, tmp_path):
    overrides = ("ablation.protocol=as-run", "ablation.synthetic_share=1.776", "ablation.emotions=uniform")
    ablation = make(songs, tmp_path, *overrides)
    (split,) = ablation.splits
    n_synthetic = round(1.776 * len(songs))
    assert len(split.generator_train) == len(songs)
    n_test = len(split.test) + split.n_synthetic_test
    assert n_test == round(len(songs) + n_synthetic) - round(0.9 * (len(songs) + n_synthetic))
    run_ablation(ablation)
    report = build_report(ablation, CORPUS, "none")
    measured = report["as_run"]["synthetic"]
    assert measured["mixed"]["n"] == n_test
    piece = json.loads((tmp_path / "as-run/synthetic-seed0.json").read_text())
    alone = concordance_correlation(np.array(piece["predictions"]), songs.emotion[split.test])
    assert measured["real"]["ccc"] == pytest.approx(list(alone))
    assert piece["n_clips"] == len(split.train) + split.n_synthetic_train
    assert "As the study was run" in markdown(report)


def test_baselines_stand_in_the_table_with_labels_of_both_kinds(songs, tmp_path):
    ablation = make(songs, tmp_path, "ablation.baselines=[mean, ridge, kernel, cnn]", "ablation.arms=[real]")
    run_ablation(ablation)
    report = build_report(ablation, CORPUS, "none")
    tables = report["baselines"]["labels"]
    assert {kind: set(table) for kind, table in tables.items()} == {
        "corrected": {"mean", "ridge", "kernel", "cnn"},
        "published": {"mean", "ridge", "kernel"},
    }
    # every song here is of 2013, so that the other labels are these with the columns swapped
    swapped = [tables["published"]["ridge"]["ccc"][name]["value"] for name in ("arousal", "valence")]
    ours = [tables["corrected"]["ridge"]["ccc"][name]["value"] for name in ("valence", "arousal")]
    assert swapped == pytest.approx(ours, abs=0.1)
    assert report["baselines"]["real_to_best"]["mean"]["best"] in ("ridge", "cnn")
    assert report["baselines"]["real_to_kernel"]["mean"]["best"] == "kernel"
    text = markdown(report)
    assert "minus the kernel regression that the recogniser contains" in text
    assert "baseline: ridge (published labels)" in text
    assert "baseline: small CNN" in text


def test_leak_probes_see_artists_and_copies(songs, tmp_path):
    songs.emotion[:] = np.repeat(np.random.default_rng(0).uniform(-1, 1, (12, 2)), 2, axis=0)  # the artist is all
    songs.spectrogram[5] = songs.spectrogram[4]
    features = songs.spectrogram.mean(axis=-1)
    even, odd = np.arange(0, 24, 2), np.arange(1, 24, 2)
    leaky = leak_probes(songs, [Split("a", even, odd, even)], features)
    assert leaky["shared_artists"]["these_splits"] == 1
    assert leaky["artist_lookup"]["these_splits"]["ccc_mean"] == pytest.approx(1)
    assert leaky["duplicates"] == {"pairs": 1, "across_splits": 1, "near_across_splits": 1}
    first, last = np.arange(12), np.arange(12, 24)
    disjoint = leak_probes(songs, [Split("a", first, last, first)], features)
    assert disjoint["shared_artists"]["these_splits"] == 0
    assert np.isnan(disjoint["artist_lookup"]["these_splits"]["ccc_mean"])  # of a constant
    assert disjoint["duplicates"]["across_splits"] == 0
