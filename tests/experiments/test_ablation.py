"""The ablation's pieces: what they learn from, what they never see, and that none is computed twice."""

import dataclasses
import json

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from safetensors.torch import load_file

from musemo_hf.experiments.ablation.ablation import Ablation
from musemo_hf.experiments.ablation.arms import ARMS, SHARED, arm_and_share
from musemo_hf.experiments.ablation.finished import Finished
from musemo_hf.experiments.ablation.material import Material, draw_emotions
from musemo_hf.experiments.ablation.tasks import run_ablation
from musemo_hf.experiments.ablation.teacher import Teacher
from musemo_hf.training.clips import Clips
from musemo_hf.training.configuration import load_configuration
from musemo_hf.training.gan.trainer import GanTrainer
from musemo_hf.training.recogniser.trainer import RecogniserTrainer

N_SONGS, N_FRAMES = 24, 256
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
    "ablation.n_folds=2",
    "ablation.n_resamples=50",
]


def run(songs, folder, *overrides) -> Finished:
    ablation = Ablation(load_configuration(None, [*TINY, *overrides]), songs, folder, Accelerator())
    run_ablation(ablation)
    return Finished.of(ablation)


def test_every_song_is_tested_once_by_models_that_never_saw_its_artist(songs, tmp_path):
    ablation = run(songs, tmp_path)
    assert sorted(ablation.tested()) == list(range(N_SONGS))
    for split in ablation.splits:
        assert not {songs.artist[i] for i in split.train} & {songs.artist[i] for i in split.test}
    predictions = ablation.predictions()
    assert {arm: value.shape for arm, value in predictions.items()} == {
        "real": (1, N_SONGS, 2),
        "synthetic": (1, N_SONGS, 2),
    }


def test_permuting_the_test_labels_leaves_every_weight_and_prediction_as_it_was(songs, tmp_path, monkeypatch):
    # the folds are balanced by label, so they are held fixed; within them the test labels may say anything
    folds = np.arange(N_SONGS) // 2 % 2
    monkeypatch.setattr("musemo_hf.experiments.ablation.splits.artist_folds", lambda *_: folds)
    shuffled = songs.emotion.copy()
    shuffled[folds == 0] = np.random.default_rng(1).permutation(shuffled[folds == 0])
    first = run(songs, tmp_path / "a", "ablation.folds=[0]")
    other = run(dataclasses.replace(songs, emotion=shuffled), tmp_path / "b", "ablation.folds=[0]")
    weights = [load_file(tmp_path / name / "fold0/generator/model.safetensors") for name in "ab"]
    assert all(torch.equal(weights[0][key], weights[1][key]) for key in weights[0])
    for kind in ("predictions", "rescaled"):
        for arm, value in first.predictions(kind).items():
            np.testing.assert_array_equal(value, other.predictions(kind)[arm])


def test_finished_pieces_are_not_computed_again_and_missing_ones_are(songs, tmp_path, monkeypatch):
    run(songs, tmp_path)
    pieces = {path: path.read_text() for path in tmp_path.glob("fold*/*-seed0.json")}
    assert len(pieces) == 4
    lost = tmp_path / "fold1/synthetic-seed0.json"
    lost.unlink()
    trained = []
    original = RecogniserTrainer.train
    spy = lambda self, *given: trained.append(self.run_dir) or original(self, *given)  # noqa: E731
    monkeypatch.setattr(RecogniserTrainer, "train", spy)
    monkeypatch.setattr(GanTrainer, "train", lambda self, *_: pytest.fail("the generator was finished"))
    run(songs, tmp_path)
    assert [path.name for path in trained] == ["synthetic-seed0"]
    again, before = json.loads(lost.read_text()), json.loads(pieces[lost])
    assert again["predictions"] == before["predictions"]


def test_another_configuration_does_not_mix_with_the_pieces_of_a_folder(songs, tmp_path):
    run(songs, tmp_path)
    with pytest.raises(ValueError, match="holds the results of another configuration"):
        run(songs, tmp_path, "recogniser_training.lr=0.1")
    with pytest.raises(ValueError, match="holds the results of another configuration"):
        run(dataclasses.replace(songs, song_id=songs.song_id + 1), tmp_path)
    with pytest.raises(ValueError, match="holds the results of other spectrograms: choose another folder"):
        run(dataclasses.replace(songs, spectrogram=songs.spectrogram - 1), tmp_path)


def test_an_unknown_arm_is_refused_before_anything_is_trained(songs, tmp_path):
    with pytest.raises(ValueError, match="expected arms out of"):
        run(songs, tmp_path, "ablation.arms=[real, synthetic, magic]")
    assert not list(tmp_path.iterdir())


@pytest.fixture
def material(songs) -> Material:
    real = Clips.of_songs(songs)
    emotion = draw_emotions(real.emotion, 6, "training", seed=0)
    silence = lambda asked: torch.zeros(len(asked), 1, 128, N_FRAMES)  # noqa: E731
    vary = lambda clips, target: Clips(clips.spectrogram, torch.lerp(clips.emotion, target, 0.5))  # noqa: E731
    teach = lambda external: Teacher(real, np.arange(N_SONGS) // 2 % 3)  # noqa: E731
    return Material(real, emotion, silence, 0, vary, teach)


@pytest.mark.parametrize("name", sorted(ARMS))
def test_arms_are_what_they_say(material, name):
    arm = ARMS[name](material)
    n = len(material.real)
    joined = name in SHARED - {"synthetic_only", "pretrain_synthetic"}
    assert len(arm.clips) == (6 if name == "synthetic_only" else n + 6 if joined else n)
    if joined:
        assert torch.equal(arm.clips.spectrogram[:n], material.real.spectrogram)
        assert torch.equal(arm.clips.emotion[:n], material.real.emotion)
        same = torch.equal(arm.clips.emotion[n:], material.synthetic.emotion)
        others = ("synthetic_shuffled", "variations", "synthetic_taught", "synthetic_taught_external")
        assert same != (name in others)
    assert (arm.pretraining is not None) == (name == "pretrain_synthetic")
    if name == "copies":
        added = arm.clips.spectrogram[n:].flatten(1)
        assert (torch.cdist(added, material.real.spectrogram.flatten(1)).amin(1) < 1e-3).all()
    if name == "noise":
        added = arm.clips.spectrogram[n:]
        assert added.std() > 0.05
        assert abs(added.mean() - material.real.spectrogram.mean()) < 0.2
    if name.endswith("equal_exposure"):
        drawn = arm.steps_factor / len(arm.clips)
        assert drawn == pytest.approx(ARMS["real"](material).steps_factor / n)


def test_emotions_to_synthesise(songs):
    labels = torch.from_numpy(songs.emotion)
    uniform = draw_emotions(labels, 2000, "uniform", seed=0)
    training = draw_emotions(0.2 * labels, 2000, "training", seed=0)
    assert abs(uniform.std().item() - 3**-0.5) < 0.02
    assert training.abs().max() < 0.35
    assert not torch.equal(uniform, draw_emotions(labels, 2000, "uniform", seed=1))
    with pytest.raises(ValueError, match="'training' or 'uniform'"):
        draw_emotions(labels, 1, "some", seed=0)


def test_shares_of_arms_are_read_and_nonsense_is_refused():
    assert arm_and_share("synthetic@0.5") == ("synthetic", 0.5)
    assert arm_and_share("noise_equal_exposure") == ("noise_equal_exposure", None)
    for wrong in ("synthetic@much", "synthetic@0", "real@0.5", "magic@1"):
        with pytest.raises(ValueError, match="expected a"):
            arm_and_share(wrong)
