"""The training of a WaveGAN: a run that is cut off and resumed, and what it learns from."""

import numpy as np
import pytest
import torch

from musemo_hf.training.configuration import load_configuration
from musemo_hf.training.log import read_statistics
from musemo_hf.training.wavegan.settings import WaveganConfiguration, WaveganTraining
from musemo_hf.training.wavegan.trainer import WaveganTrainer, as_int16

CONFIG = {"n_frames": 8, "channels": 1, "noise_dim": 4}
SAMPLES = 7 * 512


@pytest.fixture(scope="module")
def songs():
    """Six tones whose level is the arousal."""
    emotion = np.random.default_rng(0).uniform(-1, 1, (6, 2))
    time = np.arange(SAMPLES) / 22050
    tones = [(0.3 + 0.2 * arousal) * np.sin(2 * np.pi * 440 * time) for arousal in emotion[:, 1]]
    return [tone.astype(np.float32) for tone in tones], emotion


@pytest.fixture
def trainer(songs, tmp_path):
    def make(folder="run", **changes):
        short = {"steps": 6, "batch_size": 4, "discriminator_channels": 2, "log_every": 1, "checkpoint_every": 2}
        return WaveganTrainer(CONFIG, WaveganTraining(**(short | changes)), *songs, tmp_path / folder)

    return make


def test_a_run_that_was_cut_off_goes_on_to_the_same_weights(trainer, state, assert_same, interrupt):
    whole = trainer("whole")
    whole.train()
    interrupt(trainer("cut"), 3)
    again = trainer("cut")
    again.train()
    assert again.step == 6
    assert_same(state(again), state(whole))


def test_both_networks_learn_and_the_average_is_returned(trainer, tmp_path):
    run = trainer(ema_decay=0.5)
    before = {
        name: [value.clone() for value in run.objects[name].parameters()] for name in ("generator", "discriminator")
    }
    model = run.train()
    for name, values in before.items():
        assert any(not torch.equal(a, b) for a, b in zip(values, run.objects[name].parameters(), strict=True)), name
    assert model is run.averaged_model
    assert all(parameter.requires_grad for parameter in run.discriminator.parameters())
    lines = list(read_statistics(tmp_path / "run/wavegan.jsonl"))
    assert len(lines) == 6
    assert {"generator_loss", "discriminator_loss", "penalty", "accuracy"} <= set(lines[-1])


def test_the_discriminator_learns_to_tell_songs(trainer, tmp_path):
    trainer(steps=25, generator_lr=1e-5, discriminator_lr=5e-3, gamma=0.0).train()
    accuracy = [line["accuracy"] for line in read_statistics(tmp_path / "run/wavegan.jsonl")]
    assert np.mean(accuracy[-10:]) > 0.9
    assert "penalty" not in next(iter(read_statistics(tmp_path / "run/wavegan.jsonl")))


def test_what_cannot_be_trained_is_refused(trainer, songs, tmp_path):
    waveforms, emotion = songs
    training = WaveganTraining(steps=2, batch_size=2)
    for wrong, got in ((waveforms[0][:-1], rf"\[{SAMPLES - 1}, {SAMPLES}\]"), (None, "none")):
        given = [] if wrong is None else [wrong, *waveforms[1:]]
        with pytest.raises(ValueError, match=rf"expected songs of {SAMPLES} samples, got {got}"):
            WaveganTrainer(CONFIG, training, given, emotion, tmp_path)
    with pytest.raises(ValueError, match="expected an emotion for each song, got 6 and 5"):
        WaveganTrainer(CONFIG, training, waveforms, emotion[:5], tmp_path)
    with pytest.raises(ValueError, match=r"expected valence and arousal in \[-1, 1\]"):
        WaveganTrainer(CONFIG, training, waveforms, 5 + emotion, tmp_path)
    with pytest.raises(ValueError, match="expected gamma of at least 0, got -1"):
        WaveganTraining(gamma=-1)
    trainer(steps=2).train()
    with pytest.raises(ValueError, match="was made with other data"):
        WaveganTrainer(CONFIG, trainer(steps=2).training, waveforms, -emotion, tmp_path / "run").train()


def test_samples_are_kept_as_int16():
    np.testing.assert_array_equal(as_int16(np.array([-2.0, -1.0, 0.0, 0.5, 1.0])), [-32767, -32767, 0, 16384, 32767])


def test_the_configuration_is_one_of_a_wavegan(songs, tmp_path):
    found = load_configuration("training/configs/wavegan_small.yaml", None, WaveganConfiguration())
    trainer = WaveganTrainer(CONFIG | found.wavegan, found.wavegan_training, *songs, tmp_path)
    assert trainer.averaged_model.config.channels == 8
    assert trainer.budget == 900
