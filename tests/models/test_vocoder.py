"""The vocoder with an inverse STFT: its audio before training, and its saved form."""

import pytest
import torch

from musemo_hf import MusemoVocoder
from musemo_hf.audio.mel import MelSettings, log_mel, normalise
from musemo_hf.audio.vocoder_grid import PRESETS, grid_of


@pytest.fixture
def vocoder():
    torch.manual_seed(0)
    return MusemoVocoder(channels=16, layers=2, expansion=2).eval()


def test_an_untrained_vocoder_has_the_level_of_the_log_mel(vocoder):
    """The magnitude begins as the interpolated log-mel, so that only the fine structure is left to be learnt."""
    time, noise = torch.arange(66150) / 22050, torch.randn(66150, generator=torch.Generator().manual_seed(0))
    chord = sum(torch.sin(2 * torch.pi * frequency * time) for frequency in (110, 220, 277, 330, 1400))
    mel = log_mel((0.1 * chord * (1.2 + torch.sin(4 * time)) + 0.01 * noise)[None])
    with torch.no_grad():
        audio = vocoder(normalise(mel).transpose(1, 2))
    assert audio.shape == (1, mel.shape[-1] * 512)
    found = log_mel(audio)[..., : mel.shape[-1]]
    loud = (mel > mel.amax() - 40)[..., 3:-3]
    difference = (found - mel)[..., 3:-3][loud]
    assert difference.abs().mean() < 6  # dB; the phases cancel some of it


def test_a_batch_is_played_as_its_songs(vocoder):
    mel = 2 * torch.rand(3, 20, 128, generator=torch.Generator().manual_seed(0)) - 1
    with torch.no_grad():
        torch.testing.assert_close(vocoder(mel)[1:2], vocoder(mel[1:2]), atol=1e-5, rtol=1e-4)


def test_every_weight_is_reached_by_a_gradient(vocoder):
    torch.nn.init.normal_(vocoder.to_magnitude.weight, std=0.1)
    vocoder(torch.rand(1, 20, 128)).square().sum().backward()
    assert all(value.grad is not None and value.grad.abs().sum() > 0 for value in vocoder.parameters())


def test_it_is_saved_and_loaded(vocoder, tmp_path):
    vocoder.register_to_config(refinement=4)
    vocoder.save_pretrained(tmp_path)
    loaded = MusemoVocoder.from_pretrained(tmp_path)
    assert loaded.config.refinement == 4
    assert grid_of(loaded) == PRESETS["musemo"]
    assert MelSettings(**loaded.mel_settings) == MelSettings()
    mel = torch.rand(1, 20, 128)
    with torch.no_grad():
        torch.testing.assert_close(loaded(mel), vocoder(mel))
    half = MusemoVocoder.from_pretrained(tmp_path, torch_dtype=torch.bfloat16)
    with torch.no_grad():
        audio = half(mel.bfloat16())
    assert audio.dtype == torch.float32
    assert torch.isfinite(audio).all()
    weights = tmp_path / "diffusion_pytorch_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x01")
    with pytest.raises(OSError, match="the file was damaged or changed"):
        MusemoVocoder.from_pretrained(tmp_path)


def test_another_hop_is_refused():
    with pytest.raises(ValueError, match="expected hop_length as a quarter of n_fft 2048, got 256"):
        MusemoVocoder(hop_length=256)
