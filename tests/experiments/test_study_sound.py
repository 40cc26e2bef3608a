"""A study through sound: measured beside trainings or after them, against songs that are embedded once."""

import json
import pickle
import shutil

import numpy as np
import pytest
from accelerate import Accelerator

from musemo_hf.data.arrays import SongArrays
from musemo_hf.evaluation.spaces import embedders as registry
from musemo_hf.experiments.study import variant as variant_module
from musemo_hf.experiments.study.plan import StudyConfiguration
from musemo_hf.experiments.study.report.page import markdown, write_reports
from musemo_hf.experiments.study.report.report import build_report
from musemo_hf.experiments.study.report.sound import SOUND_FIGURES
from musemo_hf.experiments.study.sound import sound_figures
from musemo_hf.experiments.study.study import Study
from musemo_hf.experiments.study.tasks import run_study
from musemo_hf.experiments.study.variant import variants
from musemo_hf.pipelines.embedders.audio_embedder import audio_embedder
from musemo_hf.training.configuration import load_configuration

N_SONGS, N_FRAMES, N_CLIPS = 28, 256, 8
TINY = [
    "generator.generator_channels=8",
    "generator.group_norm_groups=1",
    "generator.discriminator_channels=4",
    "gan_training.steps=2",
    "gan_training.batch_size=4",
    *(f"flow.{value}" for value in ("n_components=8", "width=24", "depth=1", "n_heads=2")),
    "flow_training.batch_size=4",
    *(f"recogniser.{value}" for value in ("patch_size=[16, 16]", "hidden_size=16", "num_hidden_layers=1")),
    "recogniser.num_attention_heads=2",
    "recogniser.intermediate_size=16",
    "recogniser_training.steps=2",
    "recogniser_training.batch_size=4",
    "study.n_resamples=20",
    f"study.n_clips={N_CLIPS}",
    "study.sampling_steps=[1]",
    "variants.enhanced={}",
    "variants.flow={kind: flow}",
]
read: list[int] = []  # how many clips were embedded at a time


def bands(waveforms, sampling_rate):
    """The levels of sixteen octave-like bands of the sound, and how much each changes."""
    read.append(len(waveforms))
    spectra = [np.abs(np.fft.rfft(x[: len(x) // 1024 * 1024].reshape(-1, 1024), axis=1)) for x in waveforms]
    levels = [
        np.log(np.stack([s[:, 4 + 16 * k : 20 + 16 * k].mean(axis=1) for k in range(16)]) + 1e-6) for s in spectra
    ]
    return np.array([np.concatenate([b.mean(axis=1), b.std(axis=1)]) for b in levels], dtype=np.float32)


@pytest.fixture(scope="module", autouse=True)
def _registered(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:  # fixtures of the module are made before that of each test
        patch.setenv("MUSEMO_CACHE", str(tmp_path_factory.getbasetemp() / "musemo-cache"))
        registry.register_embedder_factory("bands-v7", lambda: audio_embedder("bands-v7", 32, 22050, bands))
        yield
    registry._FACTORIES.pop("bands-v7")
    registry._REGISTRY.pop("bands-v7", None)


@pytest.fixture(autouse=True)
def _counted():
    read.clear()


@pytest.fixture(scope="module")
def songs(small_songs) -> SongArrays:
    return small_songs(np.arange(N_SONGS) // 2 % 2, N_FRAMES)


def make(songs, folder, embedder="bands-v7") -> Study:
    configuration = load_configuration(None, TINY, StudyConfiguration())
    return Study(configuration, songs, folder, Accelerator(), embedder=embedder)


def report_of(study) -> dict:
    return build_report(study, {"name": "noise", "procedural": False}, "a command")


@pytest.fixture(scope="module")
def silent(songs, tmp_path_factory):
    """A study that was made without sound."""
    study = make(songs, tmp_path_factory.mktemp("silent"), embedder=None)
    assert not run_study(study).failed
    return study


@pytest.fixture(scope="module")
def heard(songs, tmp_path_factory):
    """A study whose variants were measured through sound."""
    study = make(songs, tmp_path_factory.mktemp("heard"))
    outcome = run_study(pickle.loads(pickle.dumps(study)))  # as a worker process receives it
    assert (outcome.failed, outcome.left) == ({}, [])
    return study


def test_every_way_of_sampling_is_measured_through_sound(heard):
    for variant in variants(heard):
        found = sound_figures(variant)
        assert found["embedder"] == "bands-v7"
        assert list(found["samplings"]) == list(variant.figures()["samplings"])
        for measured in found["samplings"].values():
            assert measured["external_n"] == {"reference": 14, "held_out": 14, "candidate": N_CLIPS}
            assert measured["requested"]["n"] == N_CLIPS
            assert measured["songs"]["n"] == 14
            assert measured["songs"]["ccc"][1] > 0.5  # the level is the arousal, and the sound has it
            assert "at least 50" in measured["external_notes"]["external_skill"]
        assert not list(variant.folder.glob("clips*"))


def test_songs_and_noises_are_embedded_once(heard):
    stored = np.load(heard.run_dir / "sound/features.npz")
    assert {len(stored[name]) for name in stored.files} == {14}
    assert len(stored.files) == 5
    figures = heard.run_dir / "enhanced-seed0/sound.json"
    before = json.loads(figures.read_text())
    figures.unlink()
    (figures.parent / "heard.json").unlink()
    again = Study(heard.configuration, heard.songs, heard.run_dir, Accelerator(), embedder="bands-v7")
    assert run_study(again).computed == ["enhanced-seed0-sound"]
    assert sum(read) == 0  # the clips, sampled again, are those that are in the cache
    assert json.loads(figures.read_text()) == before


def test_sound_is_added_to_a_finished_study_without_training(silent, heard, songs, tmp_path, monkeypatch):
    assert report_of(silent)["sound"] is None
    shutil.copytree(silent.run_dir, tmp_path / "study")
    monkeypatch.setattr(variant_module, "create_trainer", lambda *_: pytest.fail("a generator was trained"))
    study = make(songs, tmp_path / "study")
    assert set(run_study(study).computed) == {"sound", "enhanced-seed0-sound", "flow-seed0-sound"}
    enhanced = [sound_figures(variants(one)[0]) for one in (study, heard)]
    assert enhanced[0] == enhanced[1]
    assert (silent.run_dir / "flow-seed0/sound.json").exists() is False


def test_the_page_shows_what_decides_first(heard):
    report = report_of(heard)
    row = report["rows"][0]
    assert tuple(row["figures"])[: len(SOUND_FIGURES)] == SOUND_FIGURES
    assert row["figures"]["recognised_ccc_arousal"]["interval"][0] <= row["figures"]["recognised_ccc_arousal"]["value"]
    measured = sound_figures(variants(heard)[0])["samplings"][""]
    assert row["figures"]["external_coverage"]["value"] == measured["external_coverage"]
    assert row["figures"]["recognised_r_valence"]["value"] == measured["requested"]["pearson_r"][0]
    assert "external_skill" in row["sound_notes"]
    text = markdown(report)
    assert text.index("## Through sound, which decides") < text.index("## Of arrays, in the project's own statistics")
    assert "| real songs |" in text
    assert "of bands-v7, which took no part in any training: up to 8 clips of each variant, against 14 held-out" in text
    assert "in the space of bands-v7" in report["findings"][1]
    assert report["missing_sound"] == []
    page = (write_reports(heard, report) / "report.html").read_text()
    assert page.index("Through sound, which decides") < page.index("Of arrays, in the project")


def test_a_study_without_sound_says_so(silent):
    report = report_of(silent)
    text = markdown(report)
    assert "No variant was measured through sound, which would decide." in text
    assert "## Through sound" not in text
    assert not set(report["rows"][0]["figures"]) & set(SOUND_FIGURES)


def test_a_study_with_some_sound_names_the_rest(heard, tmp_path, songs):
    shutil.copytree(heard.run_dir, tmp_path / "study")
    (tmp_path / "study/flow-seed0/sound.json").unlink()
    report = report_of(make(songs, tmp_path / "study"))
    assert report["missing_sound"] == ["flow, seed 0"]
    text = markdown(report)
    assert "Not measured through sound: flow, seed 0." in text
    assert "| flow, 1 steps | 0 | not defined |" in text


def test_another_embedder_or_one_of_arrays_is_refused(heard, songs, tmp_path):
    with pytest.raises(ValueError, match="expected an embedder of audio, such as yamnet, got modulation-v1"):
        make(songs, tmp_path, embedder="modulation-v1")
    assert not list(tmp_path.iterdir())
    shutil.copytree(heard.run_dir, tmp_path / "study")
    (tmp_path / "study/sound/figures.json").unlink()
    registry.register_embedder_factory("bands-v8", lambda: audio_embedder("bands-v8", 32, 22050, bands))
    try:
        outcome = run_study(make(songs, tmp_path / "study", embedder="bands-v8"))
    finally:
        registry._FACTORIES.pop("bands-v8")
        registry._REGISTRY.pop("bands-v8", None)
    assert "was begun with other settings" in outcome.failed["sound"]
