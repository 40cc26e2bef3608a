"""The WaveGAN: shapes, chance, saving, and what it refuses."""

import numpy as np
import pytest
import torch

from musemo_hf.audio.mel import log_mel, normalise
from musemo_hf.models.wavegan import MusemoWaveganDiscriminator, MusemoWaveganGenerator
from musemo_hf.models.wavegan.discriminator_wavegan import shuffle_phase
from musemo_hf.pipelines.generators import load_generator

EMOTION = [[0.5, 0.7], [-0.8, -0.6]]


@pytest.fixture(scope="module")
def generator():
    torch.manual_seed(0)
    return MusemoWaveganGenerator(n_frames=44, channels=2, noise_dim=8)


@pytest.mark.parametrize(("n_frames", "n_samples"), [(44, 22050), (431, 220500)])
def test_audio_and_log_mel_have_the_length_of_a_clip(n_frames, n_samples):
    model = MusemoWaveganGenerator(n_frames=n_frames, channels=1, noise_dim=4)
    audio = model.generate_audio(EMOTION, seed=0)
    assert audio.shape == (2, n_samples)
    assert audio.abs().max() <= 1
    mel = model.generate(EMOTION, seed=0)
    assert mel.shape == (2, 1, 128, n_frames)
    torch.testing.assert_close(mel[:, 0], normalise(log_mel(audio)))


def test_the_first_waveforms_have_the_level_of_music(generator):
    level = generator.generate_audio([[0.0, 0.0]] * 8, seed=0).square().mean().sqrt()
    assert 0.03 < level < 0.3


def test_a_sample_depends_on_its_seed_and_emotion_alone(generator):
    both, one = generator.generate_audio(EMOTION, seed=3), generator.generate_audio(EMOTION[1:], seed=4)
    torch.testing.assert_close(both[1:], one)
    assert not torch.allclose(both, generator.generate_audio(EMOTION, seed=5))
    assert not torch.allclose(one, generator.generate_audio([[0.8, -0.6]], seed=4))


def test_saved_and_loaded_it_sounds_the_same(generator, tmp_path):
    generator.save_pretrained(tmp_path)
    again = MusemoWaveganGenerator.from_pretrained(tmp_path)
    assert torch.equal(again.generate_audio(EMOTION, seed=1), generator.generate_audio(EMOTION, seed=1))
    with pytest.raises(ValueError, match=r"expected a generator .* got 'MusemoWaveganGenerator'"):
        load_generator(tmp_path)  # of log-mels, which pipelines play through an inversion
    torch.manual_seed(1)
    critic = MusemoWaveganDiscriminator(channels=2).eval()
    critic.save_pretrained(tmp_path / "discriminator")
    loaded = MusemoWaveganDiscriminator.from_pretrained(tmp_path / "discriminator")
    audio, emotion = generator.generate_audio(EMOTION, seed=1), torch.tensor(EMOTION)
    assert torch.equal(loaded(audio, emotion), critic(audio, emotion))


def test_the_discriminator_compares_sound_and_emotion():
    torch.manual_seed(0)
    critic = MusemoWaveganDiscriminator(channels=2).eval()
    audio, emotion = 0.1 * torch.randn(2, 8192), torch.tensor(EMOTION)
    logits = critic(audio, emotion)
    assert logits.shape == (2,)
    assert not torch.allclose(logits, critic(audio, -emotion))
    critic.train()
    assert not torch.allclose(logits, critic(audio, emotion))  # phase shuffle, in training alone
    assert torch.allclose(logits, MusemoWaveganDiscriminator.forward(critic.eval(), audio, emotion))


def test_phase_shuffle_shifts_each_clip_by_a_few_positions():
    hidden = torch.arange(40.0).repeat(200, 3, 1)
    torch.manual_seed(0)
    shifted = shuffle_phase(hidden, 2)
    assert shifted.shape == hidden.shape
    middle = (shifted - hidden)[:, 0, 10]
    assert sorted(set(middle.tolist())) == [-2, -1, 0, 1, 2]
    assert torch.equal(shifted[:, 0], shifted[:, 2])
    assert set(shifted[:, 0, 0].tolist()) == {0, 1, 2}  # reflected where it began before the clip
    assert shuffle_phase(hidden, 0) is hidden


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda g: MusemoWaveganGenerator(channels=0), "expected n_frames, channels and noise_dim of at least 1, got"),
        (
            lambda g: MusemoWaveganDiscriminator(phase_shuffle=-1),
            "expected channels and a shift from 0 on, got 8 and -1",
        ),
        (lambda g: g.generate([[6.0, 4.0]]), r"expected valence and arousal in \[-1, 1\], .* DEAM's 1-9 maps"),
        (lambda g: g.generate([[np.nan, 0.0]]), "expected finite valence and arousal"),
        (lambda g: g.generate(EMOTION, noise=torch.zeros(2, 9)), r"expected noise of shape \(2, 8\), got \(2, 9\)"),
        (
            lambda g: MusemoWaveganDiscriminator(2)(torch.zeros(2, 1, 8192), torch.zeros(2, 2)),
            r"expected audio \(B, samples\), got \(2, 1, 8192\)",
        ),
    ],
)
def test_bad_input_is_refused(generator, call, message):
    with pytest.raises(ValueError, match=message):
        call(generator)
