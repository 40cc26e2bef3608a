"""The gains that make a U-Net's predictions unbiased."""

import pytest
import torch

from musemo_hf import MusemoUNetGenerator
from musemo_hf.models.unet.prediction_gains import COMPONENTS, LOGITS, apply_gains, components, time_of
from musemo_hf.training.unet.gain_fit import fit_gains

UNET = {"n_frames": 40, "channels": (32, 32), "attention": (False, True), "condition_width": 16}
EMOTIONS = torch.tensor([[0.8, 0.7], [-0.8, -0.6]])
ONES = [[logit, 1.0, 1.0, 1.0, 1.0] for logit in LOGITS]


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


def test_gains_of_1_change_nothing_and_others_do(unet):
    options = {"seed": 0, "num_inference_steps": 3, "guidance_scale": 1.5}
    plain = unet.generate(EMOTIONS, **options)
    unet.register_to_config(prediction_gains=ONES)
    torch.testing.assert_close(unet.generate(EMOTIONS, **options), plain, atol=1e-4, rtol=1e-4)
    unet.register_to_config(prediction_gains=[[logit, 1.0, 1.0, 1.0, 0.5] for logit in LOGITS])
    assert (unet.generate(EMOTIONS, **options) - plain).abs().max() > 0.01


@pytest.mark.parametrize("component", range(len(COMPONENTS)))
def test_each_component_of_the_predicted_data_has_its_gain_at_its_time(component):
    gains = [[2.0, *(1.0 for _ in COMPONENTS)], [-2.0, *(1.0 for _ in COMPONENTS)]]
    gains[0][1 + component] = 0.5
    t = torch.tensor([time_of(2.0), 0.5])
    latents, data = torch.randn(2, 2, 1, 128, 40)
    velocity = (latents - data) / t.view(-1, 1, 1, 1)
    made = latents - t.view(-1, 1, 1, 1) * apply_gains(velocity, latents, t, gains)
    removed = torch.tensor([0.5, 0.25]).view(-1, 1, 1, 1) * components(data)[component]  # half-way at time 0.5
    torch.testing.assert_close(made, data - removed, atol=1e-4, rtol=1e-4)


def test_gains_of_predictions_that_are_too_small_are_found(unet, monkeypatch):
    """Data whose detail is predicted at half its size, and whose levels of bands are predicted exactly."""
    latents = torch.randn(12, 1, 128, 40) + torch.randn(12, 1, 128, 1)
    spectrogram = unet.bands.decode(latents).clamp(-1, 1)
    scale = torch.tensor([1.0, 1.0, 1.0, 0.5]).view(4, 1, 1, 1, 1)
    truth = iter(unet.bands.encode(spectrogram) for _ in LOGITS)
    plain = unet.forward

    def predicted(noisy, t, emotion, conditions):
        made = plain(noisy, t, emotion, conditions=conditions)
        made.velocity = (noisy - (scale * components(next(truth))).sum(0)) / t.view(-1, 1, 1, 1)
        return made

    monkeypatch.setattr(unet, "forward", predicted)
    for logit, *found in fit_gains(unet, spectrogram, torch.zeros(12, 2)):
        assert logit in LOGITS
        assert found == pytest.approx([1, 1, 1, 2], abs=0.01)


@pytest.mark.parametrize("gains", [[[1.0, 1.0]], [[0.0, 1, 1, 1, 1], [1.0, 1, 1, 1, 1]], [1.0, 1, 1, 1, 1]])
def test_gains_of_another_shape_or_order_are_refused(gains):
    with pytest.raises(ValueError, match=r"expected rows \(logit, level, bands, frames, detail\) with falling logits"):
        MusemoUNetGenerator(**UNET, prediction_gains=gains)


def test_gains_are_saved_with_the_model(unet, tmp_path):
    unet.register_to_config(prediction_gains=ONES)
    unet.save_pretrained(tmp_path)
    loaded = MusemoUNetGenerator.from_pretrained(tmp_path)
    assert [list(row) for row in loaded.config.prediction_gains] == ONES
