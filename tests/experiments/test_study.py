"""A study: what its tasks learn from, that none is computed twice, and that it compares what it says."""

import json
import pickle
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from accelerate import Accelerator

from musemo_hf import MusemoGanGenerator
from musemo_hf.data.arrays import SongArrays
from musemo_hf.experiments.study import variant as variant_module
from musemo_hf.experiments.study.networks import check_networks
from musemo_hf.experiments.study.plan import StudyConfiguration
from musemo_hf.experiments.study.recogniser import JUDGE, TEACHER, StudyRecogniser
from musemo_hf.experiments.study.report.report import build_report
from musemo_hf.experiments.study.study import Study
from musemo_hf.experiments.study.tasks import run_study
from musemo_hf.experiments.study.variant import variants
from musemo_hf.models.wavegan import MusemoWaveganGenerator
from musemo_hf.runner.engines import Engine, WorkerProcesses
from musemo_hf.training.checkpoint import save_checkpoint
from musemo_hf.training.configuration import load_configuration
from musemo_hf.training.loop import RedFlagError

N_SONGS, N_FRAMES = 40, 256
TINY = [
    "generator.generator_channels=8",
    "generator.group_norm_groups=1",
    "generator.discriminator_channels=4",
    "gan_training.steps=2",
    "gan_training.batch_size=4",
    "recogniser.patch_size=[16, 16]",
    "recogniser.hidden_size=16",
    "recogniser.num_hidden_layers=1",
    "recogniser.num_attention_heads=2",
    "recogniser.intermediate_size=16",
    "recogniser_training.steps=2",
    "recogniser_training.batch_size=4",
    "study.n_resamples=20",
]


@pytest.fixture(scope="module", autouse=True)
def _one_thread():
    """As many threads as a worker process has: a sum in another order rounds otherwise."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def songs() -> SongArrays:
    rng = np.random.default_rng(0)
    emotion = rng.uniform(-1, 1, (N_SONGS, 2)).astype(np.float32)
    level = 20 * emotion[:, 1, None, None]
    return SongArrays(
        spectrogram=(level - 20 + 10 * rng.standard_normal((N_SONGS, 128, N_FRAMES))).astype(np.float32),
        emotion=emotion,
        emotion_std=np.full((N_SONGS, 2), 0.2, dtype=np.float32),
        fold=(np.arange(N_SONGS) // 2 % 2).astype(np.int8),
        song_id=np.arange(N_SONGS, dtype=np.int32),
        artist=[f"artist {i // 2}" for i in range(N_SONGS)],
        genre=["rock"] * N_SONGS,
        year=np.full(N_SONGS, 2014, dtype=np.int16),
    )


def run(study: Study, engine: Engine | None = None) -> None:
    outcome = run_study(study, engine)
    assert outcome.failed == {}
    assert outcome.left == []


def make(songs, folder, *overrides) -> Study:
    configuration = load_configuration(None, [*TINY, *overrides], StudyConfiguration())
    return Study(configuration, songs, folder, Accelerator())


VARIANTS = (
    "variants.enhanced={}",
    "variants.no-attention={generator: {attention_stage: -1}}",
    "study.finalists=[enhanced]",
    "study.finalist_seeds=[0, 1]",
)


@pytest.fixture(scope="module")
def finished(songs, tmp_path_factory):
    """A study of two variants, one of them with two seeds."""
    study = make(songs, tmp_path_factory.mktemp("study"), *VARIANTS)
    run(study)
    return study


def test_every_variant_and_seed_is_trained_saved_and_measured(finished):
    names = {"locks", "judge", "enhanced-seed0", "enhanced-seed1", "no-attention-seed0"}
    assert {folder.name for folder in finished.run_dir.iterdir()} == names
    for variant in variants(finished):
        result = variant.figures()
        assert (result["rung"], result["seed"], result["training"]["steps"]) == (variant.name, variant.seed, 2)
        figures = result["samplings"][""]
        assert figures["n_clips"] == len(finished.held_out) == N_SONGS // 2
        assert 0 <= figures["quality_score"] <= 100
        assert {"skill", "skill_six", "kid", "ccc_valence", "ccc_arousal_interval", "coverage_of_real"} <= set(figures)
        generator = MusemoGanGenerator.from_pretrained(variant.checkpoint)
        assert (generator.attention is None) == (variant.name == "no-attention")
        assert np.load(variant.folder / "examples.npy").shape == (5, 128, N_FRAMES)
        assert not list((variant.folder / "run").glob("checkpoint-*"))


def test_no_artist_is_trained_on_and_judged_by(finished):
    assert not set(finished.training_songs.artist) & set(finished.held_out.artist)
    assert len(finished.training_songs) + len(finished.held_out) == N_SONGS


def test_finished_results_are_read_and_lost_ones_made_again(finished, songs, monkeypatch):
    lost = finished.run_dir / "enhanced-seed1/figures.json"
    before = json.loads(lost.read_text())
    lost.write_text("")  # of a full disk
    monkeypatch.setattr(variant_module, "create_trainer", lambda *_: pytest.fail("the generator was trained"))
    again = make(songs, finished.run_dir, *VARIANTS)
    run(again)
    assert json.loads(lost.read_text())["samplings"] == before["samplings"]


def test_a_folder_takes_new_variants_and_refuses_other_settings_of_those_it_has(finished, songs):
    path = finished.run_dir / "enhanced-seed0"
    (path / "figures.json").rename(path / "kept.json")
    try:
        outcome = run_study(make(songs, finished.run_dir, *VARIANTS, "gan_training.generator_lr=0.1"))
        assert list(outcome.failed) == ["enhanced-seed0"]
        assert "was begun with other settings" in outcome.failed["enhanced-seed0"]
    finally:
        (path / "kept.json").rename(path / "figures.json")
    run(make(songs, finished.run_dir, *VARIANTS))


def test_minutes_that_are_over_leave_the_rest_for_a_later_start(songs, tmp_path):
    outcome = run_study(make(songs, tmp_path, "study.minutes=0"))
    assert outcome.left == ["judge", "enhanced-seed0"]
    assert [path.name for path in tmp_path.iterdir()] == ["locks"]


def test_a_red_flag_is_told_and_the_last_good_checkpoint_measured(songs, tmp_path, monkeypatch):
    study = make(songs, tmp_path)
    original = variant_module.create_trainer

    def failing(*arguments):
        trainer = original(*arguments)

        def train(accept_other_hardware):
            save_checkpoint(trainer.run_dir, 1, {"averaged_generator": trainer.averaged_model}, {})
            trainer.step = 2
            raise RedFlagError("red flag at step 2: mode collapse")

        trainer.train = train
        return trainer

    monkeypatch.setattr(variant_module, "create_trainer", failing)
    run(study)
    result = variants(study)[0].figures()
    assert result["training"]["red_flag"] == "mode collapse"
    assert np.isfinite(result["samplings"][""]["quality_score"])


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("study.candidate=modern", "expected variants out of enhanced, got modern"),
        (
            "variants.more={gan_training: {steps: 9}}",
            "expected equal steps, epochs, batch_size, seed in all, got steps",
        ),
        ("variants.more={recogniser: {}}", "expected kind or one of generator"),
        ("variants.more={gan_training: {magic: 1}}", "variants: more: gan_training: expected one of"),
        ("variants.more={kind: diffusion}", "variants: more: kind: expected one of gan, flow, unet, wavegan, got"),
        ("study.fold=7", "expected a fold out of"),
    ],
)
def test_an_unfair_or_unknown_comparison_is_refused_before_training(songs, tmp_path, override, message):
    with pytest.raises(ValueError, match=message):
        make(songs, tmp_path, override)
    assert not list(tmp_path.iterdir())


def test_judge_and_generators_are_the_same_in_worker_processes_and_in_any_order(finished, songs, tmp_path):
    other = make(songs, tmp_path)
    run(other, WorkerProcesses(2))
    weights = [
        MusemoGanGenerator.from_pretrained(folder / "enhanced-seed0/generator").state_dict()
        for folder in (finished.run_dir, tmp_path)
    ]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


CONFIGS = Path(__file__).parents[2] / "training/configs/study"


@pytest.mark.parametrize("budget", ["smoke", "budget", "full"])
def test_every_variant_of_the_shipped_budgets_is_one_that_trains(budget):
    configuration = load_configuration(CONFIGS / f"{budget}.yaml", [], StudyConfiguration())
    configuration.check()
    check_networks(configuration, n_frames=431)
    smallest = load_configuration(CONFIGS / "smoke.yaml", [], StudyConfiguration())
    assert list(configuration.variants) == list(smallest.variants)
    assert configuration.study.budget == budget
    merged = [configuration.of_variant(variant) for variant in configuration.variants]
    common = [(one.generator, one.gan_training) for one in merged if one.flow_training == merged[0].flow_training]
    assert sum(values == common[0] for values in common) == 4  # `enhanced`, and three kinds, which leave it as it is


def test_a_misspelt_value_of_a_network_is_refused(songs, tmp_path):
    with pytest.raises(ValueError, match="variants: more: generator: expected known values, got atention_stage"):
        make(songs, tmp_path, "variants.more={generator: {atention_stage: -1}}")


WAVEGAN = (
    "variants.enhanced={}",
    "variants.wavegan={kind: wavegan, wavegan_training: {batch_size: 2, discriminator_channels: 2}}",
    "wavegan.channels=1",
)


def test_a_wavegan_learns_from_the_audio_of_the_songs_and_gives_log_mels(songs, tmp_path):
    audio = tmp_path / "DEAM/MEMD_audio"
    audio.mkdir(parents=True)
    (tmp_path / "DEAM/annotations").mkdir()
    (tmp_path / "DEAM/annotations/static_annotations_averaged_songs_1_2000.csv").write_text("song_id")
    rng = np.random.default_rng(0)
    for song in songs.song_id:
        soundfile.write(audio / f"{song}.flac", 0.1 * rng.standard_normal(6 * 22050), 22050)
    configuration = load_configuration(None, [*TINY, *WAVEGAN], StudyConfiguration())
    study = Study(configuration, songs, tmp_path / "study", Accelerator(), data_dir=tmp_path / "DEAM")
    run(pickle.loads(pickle.dumps(study)))  # as a worker process receives it
    result = variants(study)[1].figures()
    assert list(result["samplings"]) == [""]
    assert result["samplings"][""]["n_clips"] == N_SONGS // 2
    assert np.isfinite(result["samplings"][""]["quality_score"])
    assert result["training"]["seconds"] >= variants(study)[0].figures()["training"]["seconds"]
    folder = tmp_path / "study/wavegan-seed0"
    generator = MusemoWaveganGenerator.from_pretrained(folder / "generator")
    assert generator.generate_audio([[0.0, 0.0]], seed=0).shape == (1, generator.n_samples)
    assert np.load(folder / "examples.npy").shape == (5, 128, N_FRAMES)
    report = build_report(study, {"name": "noise", "procedural": False}, "a command")
    assert [row["label"] for row in report["rows"]] == ["enhanced", "wavegan"]
    assert report["curves"]["wavegan-seed0"]["discriminator_loss"]["value"]


def test_a_wavegan_without_audio_fails_by_name_and_the_others_go_on(songs, tmp_path):
    study = make(songs, tmp_path, *WAVEGAN)
    outcome = run_study(study)
    assert list(outcome.failed) == ["wavegan-seed0"]
    assert "expected the folder of DEAM for a variant of the kind wavegan" in outcome.failed["wavegan-seed0"]
    assert variants(study)[0].done


def test_variants_may_ask_the_teacher_and_the_judge_is_another(songs, tmp_path):
    study = make(
        songs,
        tmp_path,
        "variants.cycle={gan_training: {cycle_weight: 1.0, recogniser: teacher}}",
        "variants.projected={generator: {pretrained_discriminator: teacher}}",
        "variants.flow={kind: flow, flow_training: {batch_size: 4}}",
        *(f"flow.{value}" for value in ("n_components=8", "width=24", "depth=1", "n_heads=2")),
        "study.sampling_steps=[1, 2]",
    )
    run(study)
    assert {"judge", "teacher", "cycle-seed0", "projected-seed0"} <= {path.name for path in tmp_path.iterdir()}
    judge, teacher = (StudyRecogniser(study, name).model.state_dict() for name in (JUDGE, TEACHER))
    assert any(not torch.equal(judge[name], teacher[name]) for name in judge)
    flow = json.loads((tmp_path / "flow-seed0/figures.json").read_text())
    assert set(flow["samplings"]) == {"-1-steps", "-2-steps"}
    assert flow["training"]["steps"] >= 1
