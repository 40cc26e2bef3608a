import librosa
import numpy as np
import pytest
import torch

from musemo_hf.audio.decoding import read_audio
from musemo_hf.audio.mel import MelSettings, denormalise, log_mel, mel_filters, mel_power, normalise


def librosa_power(samples, settings=MelSettings()):  # noqa: B008 (frozen)
    return librosa.feature.melspectrogram(
        y=samples,
        sr=settings.sampling_rate,
        n_fft=settings.n_fft,
        hop_length=settings.hop_length,
        n_mels=settings.n_mels,
        pad_mode="constant",
    )


def assert_equals_librosa(samples):
    expected = librosa_power(samples)
    power = mel_power(torch.from_numpy(samples)).numpy()
    assert power.shape == expected.shape
    assert np.abs(power - expected).max() <= 1e-5 * expected.max()
    expected_db = librosa.power_to_db(expected, ref=1.0, amin=1e-10, top_db=None)
    difference = np.clip(log_mel(torch.from_numpy(samples)).numpy(), -60, 40) - np.clip(expected_db, -60, 40)
    assert np.abs(difference).max() <= 2e-3


@pytest.mark.parametrize(("seconds", "frames"), [(10, 431), (30, 1292), (0.7, 31), (0.1, 5)])
def test_equals_librosa(music, seconds, frames):
    samples = music(seconds)
    assert log_mel(torch.from_numpy(samples)).shape == (128, frames)
    assert_equals_librosa(samples)


@pytest.mark.parametrize("gain", [1e-4, 1.0, 30.0])
def test_equals_librosa_at_any_level(music, gain):
    assert_equals_librosa(gain * music(2))


@pytest.mark.deam
def test_equals_librosa_on_real_songs(real_songs):
    for path in real_songs:
        samples = read_audio(path)
        assert len(samples) > 22050
        assert_equals_librosa(samples)


def test_other_settings_equal_librosa(music):
    settings = MelSettings(sampling_rate=16000, n_fft=1024, hop_length=256, n_mels=64)
    samples = music(1.5, 16000)
    expected = librosa_power(samples, settings)
    np.testing.assert_allclose(
        mel_power(torch.from_numpy(samples), settings).numpy(), expected, atol=1e-5 * expected.max()
    )


def test_a_clip_is_the_same_in_any_batch(music):
    clips = torch.from_numpy(np.stack([music(1, seed=seed) for seed in range(6)]))
    batch = log_mel(clips)
    assert batch.shape == (6, 128, 44)
    assert all(torch.equal(log_mel(clip), mel) for clip, mel in zip(clips, batch, strict=True))
    assert torch.equal(log_mel(clips.reshape(2, 3, -1)), batch.reshape(2, 3, 128, 44))


def test_silence_is_the_floor_and_nothing_is_clipped_relative_to_a_clip():
    samples = torch.zeros(22050)
    assert (log_mel(samples) == -100).all()
    samples[:4096] = torch.sin(torch.arange(4096) * 0.3) * 0.9  # loud: librosa's top_db would lift the rest
    assert log_mel(samples).min() == -100


def test_louder_by_20_db_is_louder_by_20_db(music):
    samples = torch.from_numpy(music(1) + 0.01 * np.random.default_rng(0).standard_normal(22050).astype(np.float32))
    louder = log_mel(10 * samples) - log_mel(samples)
    assert torch.allclose(louder, torch.tensor(20.0), atol=2e-3)


@pytest.mark.parametrize(("frames", "samples"), [(431, 220_500), (1292, 661_500), (2, 512), (100, 100 * 512 - 512)])
def test_samples_of_frames(frames, samples):
    settings = MelSettings()
    assert settings.n_frames(settings.n_samples(frames)) == frames
    assert abs(settings.n_samples(frames) - samples) < 512
    if frames in (431, 1292):
        assert settings.n_samples(frames) == samples


def test_samples_give_back_their_frames_for_every_length():
    settings = MelSettings()
    assert all(settings.n_frames(settings.n_samples(frames)) == frames for frames in range(2, 2000))


def test_normalised_scale_is_fixed_and_inverts():
    decibels = torch.tensor([-100.0, -60, -10, 15, 40, 90])
    assert torch.equal(normalise(decibels), torch.tensor([-1.0, -1, 0, 0.5, 1, 1]))
    inside = torch.linspace(-60, 40, 201)
    assert torch.allclose(denormalise(normalise(inside)), inside, atol=1e-5)


def test_filters_are_librosas():
    expected = librosa.filters.mel(sr=22050, n_fft=2048, n_mels=128)
    np.testing.assert_array_equal(mel_filters(MelSettings()).numpy(), expected)


@pytest.mark.parametrize("waveform", [torch.zeros(100, dtype=torch.int16), torch.zeros(0), torch.tensor(1.0)])
def test_refuses_what_is_not_audio(waveform):
    with pytest.raises(ValueError, match=r"expected floating-point audio of shape \(..., samples\)"):
        log_mel(waveform)


@pytest.mark.parametrize("n_mels", [20, 128, 300])  # not a multiple of anything; with bands that no bin reaches
def test_any_number_of_bands_and_double_precision(music, n_mels):
    settings = MelSettings(n_mels=n_mels)
    samples = torch.from_numpy(music(1)).double()
    spectrum = torch.stft(
        samples,
        2048,
        512,
        window=torch.hann_window(2048, dtype=torch.float64),
        pad_mode="constant",
        return_complex=True,
    )
    expected = mel_filters(settings).double() @ spectrum.abs().square()
    torch.testing.assert_close(mel_power(samples, settings), expected, rtol=1e-6, atol=1e-9)


def test_no_gradient_and_the_input_is_left_alone(music):
    samples = torch.from_numpy(music(1))
    before = samples.clone()
    assert not log_mel(samples.requires_grad_()).requires_grad
    assert torch.equal(samples.detach(), before)
