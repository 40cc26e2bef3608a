"""The gains that make a U-Net's predictions unbiased."""

import pytest
import torch

from musemo_hf import MusemoUNetGenerator
from musemo_hf.models.unet.prediction_gains import COMPONENTS, LARGEST, apply_gains, components
from musemo_hf.training.unet.gain_fit import fit_gains

UNET = {"n_frames": 40, "channels": (32, 32), "attention": (False, True), "condition_width": 16}
EMOTIONS = torch.tensor([[0.8, 0.7], [-0.8, -0.6]])
LOGITS = (6.0, 2.0, 0.0, -3.0)
ONES = [[logit, *(1.0 for _ in COMPONENTS)] for logit in LOGITS]


@pytest.fixture
def unet():
    torch.manual_seed(0)
    model = MusemoUNetGenerator(**UNET)
    for value in model.parameters():
        torch.nn.init.normal_(value, std=0.1)
    return model.eval()


def test_components_add_up_and_do_not_overlap():
    data = torch.randn(2, 1, 128, 40) + torch.randn(2, 1, 128, 1) + torch.randn(2, 1, 1, 40) + torch.randn(2, 1, 1, 1)
    parts = components(data)
    torch.testing.assert_close(parts.sum(0), data)
    products = torch.einsum("ibcmf,jbcmf->ij", parts, parts)
    torch.testing.assert_close(products, products.diag().diag(), atol=0.05, rtol=0)
    assert (products.diag() > 1).all()


@pytest.mark.parametrize(("hertz", "name"), [(0.5, "below 1 Hz"), (2, "1 to 4 Hz"), (7, "4 to 10 Hz"), (15, "above")])
def test_levels_of_frames_are_divided_by_how_fast_they_change(hertz, name):
    """A clip of ten seconds that gets louder and quieter at one rate."""
    beat = torch.cos(2 * torch.pi * hertz * 512 / 22050 * (torch.arange(432) + 0.5))
    power = components(beat.expand(1, 1, 128, 432)).square().sum((1, 2, 3, 4))
    assert power.argmax() == next(i for i, each in enumerate(COMPONENTS) if name in each)
    assert power.max() > 0.9 * power.sum()


def test_gains_of_1_change_nothing_and_others_do(unet):
    options = {"seed": 0, "num_inference_steps": 3, "guidance_scale": 1.5}
    plain = unet.generate(EMOTIONS, **options)
    unet.register_to_config(prediction_gains=ONES)
    torch.testing.assert_close(unet.generate(EMOTIONS, **options), plain, atol=1e-4, rtol=1e-4)
    unet.register_to_config(prediction_gains=[[logit, *(1.0 for _ in COMPONENTS[1:]), 0.5] for logit in LOGITS])
    assert (unet.generate(EMOTIONS, **options) - plain).abs().max() > 0.01


@pytest.mark.parametrize("component", range(len(COMPONENTS)))
def test_each_component_of_the_predicted_data_has_its_gain_at_its_time(component):
    gains = [[2.0, *(1.0 for _ in COMPONENTS)], [-2.0, *(1.0 for _ in COMPONENTS)]]
    gains[0][1 + component] = 0.5
    t = torch.tensor([2.0, 0.0]).sigmoid()
    latents, data = torch.randn(2, 2, 1, 128, 40)
    velocity = (latents - data) / t.view(-1, 1, 1, 1)
    made = latents - t.view(-1, 1, 1, 1) * apply_gains(velocity, latents, t, gains)
    removed = torch.tensor([0.5, 0.25]).view(-1, 1, 1, 1) * components(data)[component]  # half-way at time 0.5
    torch.testing.assert_close(made, data - removed, atol=1e-4, rtol=1e-4)


def test_clips_of_a_network_whose_predictions_are_too_even_vary_as_songs_do_with_gains(unet, monkeypatch):
    """Songs with onsets, and a network that predicts the levels of frames at 0.8 of their size at every time."""
    songs = torch.randn(48, 1, 128, 40) + 2 * torch.randn(48, 1, 1, 40) + torch.randn(48, 1, 1, 1)
    unet.bands.deviation.fill_(0.1)
    spectrogram = unet.bands.decode(songs).clamp(-1, 1)
    unet.fit(spectrogram)
    for value in unet.network.unet.conv_out.parameters():  # predict nothing beyond the best linear prediction
        torch.nn.init.zeros_(value)
    plain = unet.forward

    def too_even(latents, t, emotion, drop_mask=None, conditions=None, return_dict=True):
        made, time = plain(latents, t, emotion, drop_mask, conditions), t.view(-1, 1, 1, 1)
        parts = components(latents - time * made.velocity)
        parts[2:6] *= 0.8
        made.velocity = (latents - parts.sum(0)) / time
        return made

    def spread(gains):
        unet.register_to_config(prediction_gains=gains)
        made = unet.generate(torch.zeros(48, 2), seed=0, guidance_scale=1)
        return made.mean(2).std().item() / spectrogram.mean(2).std().item()

    monkeypatch.setattr(unet, "forward", too_even)
    unet.register_to_config(guidance_scale=1.0)
    gains = fit_gains(unet, spectrogram, torch.zeros(48, 2))
    assert len(gains) == unet.config.num_inference_steps
    assert all(0 <= gain <= LARGEST for row in gains for gain in row[1:])
    assert spread(None) < 0.8
    assert spread(gains) == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize("gains", [[[1.0, 1.0]], [[0.0, *[1] * 7], [1.0, *[1] * 7]], [1.0, *[1] * 7]])
def test_gains_of_another_shape_or_order_are_refused(gains):
    with pytest.raises(ValueError, match=r"expected rows \(logit, level, bands, .* detail\) with falling logits"):
        MusemoUNetGenerator(**UNET, prediction_gains=gains)


def test_gains_are_saved_with_the_model(unet, tmp_path):
    unet.register_to_config(prediction_gains=ONES)
    unet.save_pretrained(tmp_path)
    loaded = MusemoUNetGenerator.from_pretrained(tmp_path)
    assert [list(row) for row in loaded.config.prediction_gains] == ONES
