"""The log-mels that vocoders expect are those of their own code, and ours are converted to them."""

import librosa
import numpy as np
import pytest
import torch
from bigvgan.env import AttrDict
from bigvgan.meldataset import mel_spectrogram
from transformers import SpeechT5FeatureExtractor

from musemo_hf.audio.decoding import read_audio, resample
from musemo_hf.audio.grid_conversion import convert_log_mel
from musemo_hf.audio.mel import MelSettings, log_mel, normalise
from musemo_hf.audio.vocoder_grid import PRESETS, VocoderGrid, grid_of

OURS = MelSettings()


def test_our_own_grid_is_that_of_the_feature_extractor(music):
    samples = torch.from_numpy(music(2))[None]
    expected = normalise(log_mel(samples))
    found = PRESETS["musemo"].log_mel(samples).clamp_max(1)
    inside = slice(3, -3)  # the signal is padded by zeros there, and by its reflection here
    torch.testing.assert_close(found[..., inside], expected[..., inside], atol=1e-4, rtol=0)
    torch.testing.assert_close(PRESETS["musemo"].decibels(torch.tensor([-1.0, 1.0])), torch.tensor([-60.0, 40.0]))


def test_the_grid_of_speecht5_is_that_of_its_feature_extractor(music):
    samples = music(1.5, 16000)
    expected = SpeechT5FeatureExtractor()(audio_target=samples, sampling_rate=16000).input_values[0].T
    found = PRESETS["speecht5"].log_mel(torch.from_numpy(samples)[None])[0].numpy()
    np.testing.assert_allclose(found[:, : expected.shape[1]], expected, atol=0.02)


@pytest.mark.parametrize("name", ["hifi-gan-22khz", "bigvgan-22khz-80band", "bigvgan-44khz-128band"])
def test_the_grids_of_hifigan_and_bigvgan_are_those_of_bigvgans_code(music, name):
    grid = PRESETS[name]
    samples = torch.from_numpy(music(1.5, grid.sampling_rate))[None]
    sizes = (grid.n_fft, grid.n_mels, grid.sampling_rate, grid.hop_length, grid.n_fft, grid.f_min, grid.f_max)
    expected = mel_spectrogram(samples, *sizes)
    found = grid.log_mel(samples)
    assert found.shape == expected.shape
    loud = expected > np.log(1e-2)  # their code adds 1e-9 to each power, which is heard in what is near to silence
    torch.testing.assert_close(found[loud], expected[loud], atol=2e-2, rtol=0)


def test_the_grid_of_audioldm_is_librosas(music):
    samples = music(1.5, 16000)
    options = {"n_fft": 1024, "hop_length": 160, "n_mels": 64, "fmin": 0, "fmax": 8000, "power": 1}
    mel = librosa.feature.melspectrogram(y=samples, sr=16000, pad_mode="reflect", **options)
    found = PRESETS["audioldm"].log_mel(torch.from_numpy(samples)[None])[0].numpy()
    np.testing.assert_allclose(found, np.log(np.maximum(mel, 1e-5)), atol=1e-2)


def conversion_error(samples, rate, name, method):
    """Mean absolute difference in dB between the converted log-mel and that of the audio, down to -80 dB."""
    grid = PRESETS[name]
    converted = convert_log_mel(log_mel(torch.from_numpy(resample(samples, rate, 22050))[None]), OURS, grid, method)
    true = grid.log_mel(torch.from_numpy(resample(samples, rate, grid.sampling_rate))[None])
    n_frames = min(converted.shape[-1], true.shape[-1])
    assert abs(converted.shape[-1] - true.shape[-1]) <= 1
    both = [grid.decibels(mel[..., :n_frames]).clamp_min(-80) for mel in (converted, true)]
    within = librosa.mel_frequencies(grid.n_mels + 2, fmin=grid.f_min, fmax=grid.f_max or grid.sampling_rate / 2)
    bands = within[2:] <= 11025
    return (both[0] - both[1])[:, bands].abs().mean().item()


GRIDS = [name for name in PRESETS if name != "musemo"]


@pytest.mark.deam
@pytest.mark.parametrize("name", GRIDS)
def test_the_conversion_is_near_to_the_log_mel_of_real_songs(real_songs, name):
    errors = {}
    for method in ("magnitude", "bands"):
        errors[method] = np.mean([conversion_error(read_audio(path), 22050, name, method) for path in real_songs[:4]])
    assert errors["magnitude"] < 3.5, errors  # dB, where neighbouring frames of these songs differ by as much
    assert errors["magnitude"] < errors["bands"] + 0.3, errors


@pytest.mark.parametrize("name", GRIDS)
def test_the_level_of_noise_and_of_a_tone_is_kept(name):
    """A wrong factor between windows, rates or bands would be a constant error of several dB."""
    generator = torch.Generator().manual_seed(0)
    noise = 0.1 * torch.randn(1, 66150, generator=generator)
    tone = 0.5 * torch.sin(2 * torch.pi * 1000 * torch.arange(66150) / 22050)[None]
    grid = PRESETS[name]
    for samples, tolerance in ((noise, 1.0), (tone, 2.0)):
        converted = grid.decibels(convert_log_mel(log_mel(samples), OURS, grid))[0, :, 20:-20]
        audio = torch.from_numpy(resample(samples[0].numpy(), 22050, grid.sampling_rate))[None]
        true = grid.decibels(grid.log_mel(audio))[0, :, 20:-20]
        loudest = true.mean(dim=1) > true.mean(dim=1).max() - (12 if samples is noise else 1)
        assert (converted.mean(dim=1) - true.mean(dim=1))[loudest].mean().abs() < tolerance


def test_bands_above_the_source_are_silent(music):
    grid = PRESETS["bigvgan-44khz-128band"]
    for method in ("magnitude", "bands"):
        converted = convert_log_mel(log_mel(torch.from_numpy(music(1))[None]), OURS, grid, method)
        centres = librosa.mel_frequencies(130, fmin=0, fmax=22050)
        silent = converted[0, centres[:-2] > 11100]
        torch.testing.assert_close(silent, torch.full_like(silent, np.log(1e-5)))


def test_a_part_of_a_song_is_converted_as_within_it(music):
    mel = log_mel(torch.from_numpy(music(4))[None])
    whole = convert_log_mel(mel, OURS, PRESETS["audioldm"])
    assert whole.shape == (1, 64, 400)
    part = convert_log_mel(mel, OURS, PRESETS["audioldm"], start=123, stop=207)
    torch.testing.assert_close(part, whole[..., 123:207], atol=1e-3, rtol=0)


@pytest.mark.parametrize(
    ("mel", "options", "message"),
    [
        (torch.zeros(1, 64, 9), {}, r"expected log-mels \(B, 128, n_frames\) in dB, got \(1, 64, 9\)"),
        (torch.zeros(1, 128, 0), {}, r"got \(1, 128, 0\)"),
        (torch.zeros(1, 128, 9), {"method": "guess"}, "expected a method out of magnitude, bands, got 'guess'"),
    ],
)
def test_conversion_refuses(mel, options, message):
    with pytest.raises(ValueError, match=message):
        convert_log_mel(mel, OURS, PRESETS["audioldm"], **options)


@pytest.mark.parametrize(
    ("name", "sizes"),
    [
        ("musemo", (128, 22050, (8, 8, 4, 2))),
        ("audioldm", (64, 16000, (5, 4, 2, 2, 2))),
        ("speecht5", (80, 16000, (4, 4, 4, 4))),
        ("hifi-gan-22khz", (80, 22050, (8, 8, 2, 2))),
    ],
)
def test_a_vocoder_is_known_by_its_sizes(tiny_vocoder, name, sizes):
    assert grid_of(tiny_vocoder(*sizes)) == PRESETS[name]


def test_a_vocoder_says_its_grid(tiny_vocoder):
    said = {"hop_length": 256, "n_fft": 1024, "f_min": 20.0, "log_base": 10.0, "mean": -2.0}
    found = grid_of(tiny_vocoder(100, 24000, (8, 8, 4), mel_grid=said))
    assert found == VocoderGrid(24000, 100, 256, 1024, f_min=20.0, log_base=10.0, mean=-2.0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({}, r"expected a vocoder of a known grid, got 100 bands with a hop of 256 at 24000 Hz: set vocoder.config"),
        (
            {"mel_grid": {"hop_length": 300, "n_fft": 1024}},
            "expected a grid of 100 bands with a hop of 256, .* and 300",
        ),
        ({"mel_grid": {"hop": 256}}, "expected mel_grid of a vocoder's configuration with sampling_rate, n_mels"),
        ({"mel_grid": "audioldm"}, "got 'audioldm'"),
    ],
)
def test_a_vocoder_of_an_unknown_grid_is_refused(tiny_vocoder, changes, message):
    with pytest.raises(ValueError, match=message):
        grid_of(tiny_vocoder(100, 24000, (8, 8, 4), **changes))


def test_what_is_no_vocoder_is_refused():
    with pytest.raises(TypeError, match="expected a vocoder such as SpeechT5HifiGan, got Linear"):
        grid_of(torch.nn.Linear(2, 2))
    incomplete = torch.nn.Linear(2, 2)
    incomplete.h = AttrDict({"sampling_rate": 22050, "num_mels": 80, "hop_size": 256, "n_fft": 1024, "win_size": 800})
    with pytest.raises(ValueError, match="expected a vocoder whose window is as long as n_fft 1024, got win_size 800"):
        grid_of(incomplete)
    incomplete.h = AttrDict({"num_mels": 80, "hop_size": 256})
    with pytest.raises(ValueError, match="got no sampling_rate, n_fft"):
        grid_of(incomplete)
