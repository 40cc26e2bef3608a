"""Kernel head, windows and uncertainty: each a value of the configuration."""

import numpy as np
import pytest
import torch

from musemo_hf import MusemoViTForEmotionRegression
from musemo_hf.models.vit.losses import deviation_loss

VALUES = {
    "default": {},
    "squared error": {"regression_loss": "mse"},
    "kernel": {"kernel_read_out": True},
    "windows": {"window_frames": 24},
    "uncertainty": {"uncertainty": True},
    "all": {"kernel_read_out": True, "window_frames": 24, "uncertainty": True},
}


def clips(n=6, n_frames=40, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(n, 1, 128, n_frames, generator=generator) * 2 - 1, torch.rand(n, 2, generator=generator) * 2 - 1


@pytest.fixture(params=VALUES)
def model(vit_config, request):
    torch.manual_seed(0)
    model = MusemoViTForEmotionRegression(vit_config(**VALUES[request.param]))
    model.fit_in_closed_form(*clips(8, seed=1))
    return model


def test_a_step_reaches_every_parameter(model):
    mel, labels = clips()
    output = model.eval()(spectrogram=mel, labels=labels, emotion_deviation=torch.full((6, 2), 0.2))
    assert output.pooled.shape == (6, 16)
    output.loss.backward()
    assert [name for name, p in model.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0] == []
    before = output.loss.item()
    torch.optim.SGD(model.parameters(), 1e-3).step()
    assert model(spectrogram=mel, labels=labels, emotion_deviation=torch.full((6, 2), 0.2)).loss.item() < before


def test_first_and_last_frame_and_band_change_the_emotion(model):
    model.eval()
    mel, _ = clips(1)
    before = model(spectrogram=mel).emotion
    for place in (np.s_[..., 0], np.s_[..., -1], np.s_[..., 0, :], np.s_[..., -1, :]):
        changed = mel.clone()
        changed[place] = -changed[place]
        assert not torch.equal(model(spectrogram=changed).emotion, before)


def test_saved_and_loaded_bit_for_bit(model, tmp_path):
    model.eval().save_pretrained(tmp_path)
    loaded = MusemoViTForEmotionRegression.from_pretrained(tmp_path).eval()
    state = loaded.state_dict()
    assert [name for name, value in model.state_dict().items() if not torch.equal(state[name], value)] == []
    mel, labels = clips(3)
    first, second = (m(spectrogram=mel, labels=labels) for m in (model, loaded))
    assert first.keys() == second.keys()
    assert all(torch.equal(first[key], second[key]) for key in first)


@pytest.mark.parametrize("level", [-1e4, -1.0, 0.0, 1.0, 1e4])
def test_extreme_input_stays_finite(model, level):
    mel, labels = torch.full((2, 1, 128, 40), level), torch.tensor([[1.0, -1.0], [-1.0, 1.0]])
    output = model(spectrogram=mel, labels=labels)
    output.loss.backward()
    assert all(torch.isfinite(value).all() for value in output.values())
    assert all(torch.isfinite(p.grad).all() for p in model.parameters())


def test_deviation_loss_is_torchs_and_averages_over_raters(vit_config):
    mel, labels = clips(5)
    model = MusemoViTForEmotionRegression(vit_config(uncertainty=True, regression_loss="mse")).eval()
    output = model(spectrogram=mel, labels=labels)
    likelihood = torch.nn.functional.gaussian_nll_loss(output.emotion, labels, output.deviation.square())
    squared = (output.emotion - labels).square().mean()
    torch.testing.assert_close(output.loss, squared + likelihood)
    raters = labels + 0.3 * torch.tensor([-1.0, 1.0]).view(2, 1, 1)  # two raters, whose deviation is 0.3
    each = [torch.nn.functional.gaussian_nll_loss(output.emotion, rater, output.deviation.square()) for rater in raters]
    spread = model(spectrogram=mel, labels=labels, emotion_deviation=torch.full((5, 2), 0.3)).loss
    torch.testing.assert_close(spread, squared + (each[0] + each[1]) / 2)


def test_the_loss_of_the_deviation_sends_no_gradient_to_the_prediction():
    deviation, predicted, labels = (torch.rand(5, 2).add(0.1).requires_grad_() for _ in range(3))
    deviation_loss(deviation, predicted, labels, torch.rand(5, 2)).backward()
    assert predicted.grad is None
    assert (deviation.grad != 0).all()


@pytest.mark.parametrize("kind", ["mse", "ccc"])
def test_uncertainty_leaves_the_gradient_of_the_prediction_as_it_was(vit_config, kind):
    mel, labels = clips()
    plain = MusemoViTForEmotionRegression(vit_config(regression_loss=kind))
    uncertain = MusemoViTForEmotionRegression(vit_config(regression_loss=kind, uncertainty=True))
    uncertain.load_state_dict(plain.state_dict(), strict=False)
    for model in (plain, uncertain):
        model(spectrogram=mel, labels=labels).loss.backward()
    torch.testing.assert_close(uncertain.regressor.weight.grad, plain.regressor.weight.grad)


def test_the_deviation_learns_the_raters_spread(vit_config):
    torch.manual_seed(0)
    mel, labels = clips(16)
    model = MusemoViTForEmotionRegression(vit_config(uncertainty=True, regression_loss="mse"))
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    for _ in range(150):
        loss = model(
            spectrogram=mel, labels=0 * labels, emotion_deviation=torch.tensor([[0.1, 0.4]]).repeat(16, 1)
        ).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    torch.testing.assert_close(model(spectrogram=mel).deviation.mean(0), torch.tensor([0.1, 0.4]), atol=0.03, rtol=0)


def test_a_calibrated_scale_multiplies_the_deviation_alone(vit_config):
    model = MusemoViTForEmotionRegression(vit_config(uncertainty=True)).eval()
    mel, labels = clips(3)
    before = model(spectrogram=mel, labels=labels)
    model.config.deviation_scale = [2.0, 0.5]
    after = model(spectrogram=mel, labels=labels)
    torch.testing.assert_close(after.deviation, before.deviation * torch.tensor([2.0, 0.5]))
    assert torch.equal(after.loss, before.loss)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"stem": "convolution"}, "stem was removed, with the value patch left, got stem='convolution'"),
        ({"pooling": "mean+deviation"}, "pooling was removed, with the value mean left"),
        ({"statistics_read_out": True}, "statistics_read_out was removed, with the value False left"),
        ({"read_outs": "two"}, "read_outs was removed, with the value one left"),
        ({"head_dropout": 0.1}, "head_dropout was removed, with the value 0.0 left"),
        ({"regression_loss": "ccc+mse"}, r"expected regression_loss to be one of \('ccc', 'mse'\), got 'ccc\+mse'"),
    ],
)
def test_refuses(vit_config, changes, message):
    with pytest.raises(ValueError, match=message):
        vit_config(**changes)


def test_refuses_other_emotion_deviations(vit_config):
    model = MusemoViTForEmotionRegression(vit_config(uncertainty=True))
    mel, labels = clips(2)
    with pytest.raises(ValueError, match=r"expected emotion_deviation of shape \(2, 2\), got \(2,\)"):
        model(spectrogram=mel, labels=labels, emotion_deviation=torch.zeros(2))
