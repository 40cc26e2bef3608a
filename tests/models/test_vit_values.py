"""Stem, pooling, read-outs and uncertainty: each a value of the configuration."""

import numpy as np
import pytest
import torch

from musemo_hf import MusemoViTForEmotionRegression
from musemo_hf.models.vit.heads import band_statistics
from musemo_hf.models.vit.stem import stem_strides

VALUES = {
    "default": {},
    "convolution": {"stem": "convolution"},
    "flat patch": {"stem": "convolution", "patch_size": (32, 4)},
    "deviation of tokens": {"pooling": "mean+deviation"},
    "statistics": {"statistics_read_out": True, "head_dropout": 0.1},
    "kernel": {"kernel_read_out": True},
    "windows": {"window_frames": 24},
    "two": {"read_outs": "two"},
    "uncertainty": {"uncertainty": True},
    "all": {
        "stem": "convolution",
        "pooling": "mean+deviation",
        "statistics_read_out": True,
        "read_outs": "two",
        "uncertainty": True,
        "head_dropout": 0.2,
        "regression_loss": "ccc+mse",
    },
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
    output = model.eval()(spectrogram=mel, labels=labels, label_deviation=torch.full((6, 2), 0.2))
    assert output.pooled.shape == (6, 16)
    output.loss.backward()
    assert [name for name, p in model.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0] == []
    before = output.loss.item()
    torch.optim.SGD(model.parameters(), 1e-3).step()
    assert model(spectrogram=mel, labels=labels, label_deviation=torch.full((6, 2), 0.2)).loss.item() < before


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


def test_every_pixel_has_a_gradient_through_the_convolutional_stem(vit_config):
    model = MusemoViTForEmotionRegression(vit_config(stem="convolution", n_frames=37))
    mel, _ = clips(2, 37)
    model(spectrogram=mel.requires_grad_()).emotion.sum().backward()
    assert (mel.grad.abs().sum(dim=(0, 1)) > 0).all()


def test_the_convolutional_stem_has_the_grid_of_the_patches(vit_config):
    for patch in ((16, 16), (32, 4), (4, 8), (16, 64)):
        config = vit_config(stem="convolution", patch_size=patch, n_frames=70)
        model = MusemoViTForEmotionRegression(config)
        grid = (128 // patch[0]) * (config.padded_frames // patch[1])
        padded = torch.zeros(2, 1, 128, config.padded_frames)
        assert model.vit.embeddings.patch_embeddings(padded).shape == (2, grid, 16)
        assert np.prod(stem_strides(patch), axis=0).tolist() == list(patch)


def test_the_stem_neither_fades_nor_explodes(vit_config):
    model = MusemoViTForEmotionRegression(vit_config(stem="convolution", hidden_size=64))
    tokens = model.vit.embeddings.patch_embeddings(torch.nn.functional.pad(clips(4)[0], (0, 8)))
    assert 0.1 < tokens.std().item() < 3


def test_band_statistics_are_numpys():
    mel, _ = clips(3)
    array = mel[:, 0].double().numpy()
    expected = np.concatenate([array.mean(-1), array.std(-1), np.diff(array, axis=-1).std(-1)], axis=1)
    np.testing.assert_allclose(band_statistics(mel).numpy(), expected, rtol=2e-5, atol=2e-6)


def test_statistics_are_standardised_by_the_training_songs(vit_config):
    model = MusemoViTForEmotionRegression(vit_config(statistics_read_out=True))
    mel, labels = clips(300)
    model.fit_in_closed_form(mel, labels)
    values = (band_statistics(mel) - model.statistics.mean) / model.statistics.scale
    torch.testing.assert_close(values.mean(0), torch.zeros(384), atol=1e-4, rtol=0)
    assert (values.std(0, unbiased=False) <= 1 + 1e-3).all()
    # the level, which a normalisation within the clip would take out, arrives
    model.eval()
    assert not torch.allclose(model.statistics(mel[:1] * 0.5), model.statistics(mel[:1] * 0.5 + 0.2), atol=1e-3)


def test_two_read_outs_learn_by_their_own_losses(vit_config):
    mel, labels = clips(16)
    model = MusemoViTForEmotionRegression(vit_config(read_outs="two")).eval()
    output = model(spectrogram=mel, labels=labels)
    one = (output.emotion_least_squares - labels).square().mean()
    torch.testing.assert_close(output.loss, one + concordance(output.emotion, labels))
    assert not torch.equal(output.emotion, output.emotion_least_squares)


def concordance(x, y):
    covariance = ((x - x.mean(0)) * (y - y.mean(0))).mean(0)
    return (1 - 2 * covariance / (x.var(0, False) + y.var(0, False) + (x.mean(0) - y.mean(0)) ** 2)).mean()


def test_deviation_loss_is_torchs_and_averages_over_raters(vit_config):
    mel, labels = clips(5)
    model = MusemoViTForEmotionRegression(vit_config(uncertainty=True, regression_loss="mse")).eval()
    output = model(spectrogram=mel, labels=labels)
    likelihood = torch.nn.functional.gaussian_nll_loss(output.emotion, labels, output.deviation.square())
    squared = (output.emotion - labels).square().mean()
    torch.testing.assert_close(output.loss, squared + likelihood)
    raters = labels + 0.3 * torch.tensor([-1.0, 1.0]).view(2, 1, 1)  # two raters, whose deviation is 0.3
    each = [torch.nn.functional.gaussian_nll_loss(output.emotion, rater, output.deviation.square()) for rater in raters]
    spread = model(spectrogram=mel, labels=labels, label_deviation=torch.full((5, 2), 0.3)).loss
    torch.testing.assert_close(spread, squared + (each[0] + each[1]) / 2)


def test_the_deviation_learns_the_raters_spread(vit_config):
    torch.manual_seed(0)
    mel, labels = clips(16)
    model = MusemoViTForEmotionRegression(vit_config(uncertainty=True, regression_loss="mse"))
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    for _ in range(150):
        loss = model(spectrogram=mel, labels=0 * labels, label_deviation=torch.tensor([[0.1, 0.4]]).repeat(16, 1)).loss
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
        ({"stem": "conv"}, "expected stem to be 'patch' or 'convolution', got 'conv'"),
        ({"pooling": "max"}, r"expected pooling to be 'mean' or 'mean\+deviation', got 'max'"),
        ({"read_outs": "three"}, "expected read_outs to be 'one' or 'two', got 'three'"),
        ({"stem": "convolution", "patch_size": (16, 20)}, r"powers of two from 4 .*got \(16, 20\)"),
        ({"stem": "convolution", "patch_size": (2, 16)}, r"powers of two from 4 .*got \(2, 16\)"),
        ({"head_dropout": 1.0}, "expected head_dropout from 0 to below 1, got 1.0"),
        ({"statistics_size": 0}, "expected statistics_size of at least 1, got 0"),
    ],
)
def test_refuses(vit_config, changes, message):
    with pytest.raises(ValueError, match=message):
        vit_config(**changes)


def test_refuses_other_label_deviations(vit_config):
    model = MusemoViTForEmotionRegression(vit_config(uncertainty=True))
    mel, labels = clips(2)
    with pytest.raises(ValueError, match=r"expected label_deviation of shape \(2, 2\), got \(2,\)"):
        model(spectrogram=mel, labels=labels, label_deviation=torch.zeros(2))
