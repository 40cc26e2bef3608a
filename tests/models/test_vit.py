import copy

import numpy as np
import pytest
import torch
from transformers import AutoModel

from musemo_hf import MusemoViTConfig, MusemoViTForEmotionRegression
from musemo_hf.models.vit import concordance_loss


def clips(n=4, n_frames=40, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(n, 1, 128, n_frames, generator=generator) * 2 - 1, torch.rand(n, 2, generator=generator) * 2 - 1


def independent_ccc(x, y):
    """Lin 1989, written with numpy's own covariance."""
    covariance = np.cov(x, y, bias=True)
    return 2 * covariance[0, 1] / (covariance[0, 0] + covariance[1, 1] + (x.mean() - y.mean()) ** 2)


@pytest.mark.parametrize(("n_frames", "patch"), [(40, (16, 16)), (431, (16, 16)), (1292, (16, 17)), (1292, (16, 16))])
def test_first_and_last_frame_change_the_output(vit_config, n_frames, patch):
    model = MusemoViTForEmotionRegression(vit_config(n_frames=n_frames, patch_size=patch)).eval()
    mel, _ = clips(1, n_frames)
    before = model(spectrogram=mel).emotion
    assert before.shape == (1, 2)
    for frame in (0, n_frames - 1):
        changed = mel.clone()
        changed[..., frame] = -changed[..., frame]
        assert not torch.equal(model(spectrogram=changed).emotion, before)


def test_every_frame_and_band_has_a_gradient(vit_config):
    model = MusemoViTForEmotionRegression(vit_config(n_frames=37))
    mel, labels = clips(3, 37)
    model(spectrogram=mel.requires_grad_(), labels=labels).loss.backward()
    assert (mel.grad.abs().sum(dim=(0, 1, 2)) > 0).all()
    assert (mel.grad.abs().sum(dim=(0, 1, 3)) > 0).all()


def test_default_grid_pads_nothing():
    config = MusemoViTConfig()
    assert config.padded_frames == config.n_frames == 1292
    assert MusemoViTConfig(n_frames=431, patch_size=(16, 16)).padded_frames == 432


@pytest.mark.parametrize("kind", ["mse", "ccc"])
def test_losses_equal_an_independent_computation(vit_config, kind):
    model = MusemoViTForEmotionRegression(vit_config(regression_loss=kind)).eval()
    mel, labels = clips(6)
    output = model(spectrogram=mel, labels=labels)
    predicted, truth = output.emotion.detach().double().numpy(), labels.double().numpy()
    concordance = 1 - np.mean([independent_ccc(predicted[:, i], truth[:, i]) for i in range(2)])
    squared = np.mean((predicted - truth) ** 2)
    expected = {"mse": squared, "ccc": concordance}[kind]
    assert output.loss.item() == pytest.approx(expected, rel=1e-4)


def test_concordance_loss_knows_its_ends():
    labels = torch.tensor([[0.1, -0.5], [0.4, 0.9], [-0.8, 0.2]])
    assert concordance_loss(labels, labels).item() == pytest.approx(0, abs=1e-6)
    centred = labels - labels.mean(0)
    assert concordance_loss(-centred, centred).item() == pytest.approx(2, abs=1e-6)
    assert concordance_loss(labels, labels + 0.5).item() > 0.1  # a shift costs, which a correlation would not see


def test_losses_stay_finite_where_concordance_is_undefined(vit_config):
    model = MusemoViTForEmotionRegression(vit_config(regression_loss="ccc"))
    mel, labels = clips(1)
    single = model(spectrogram=mel, labels=labels)
    assert single.loss.item() == pytest.approx(((single.emotion - labels) ** 2).mean().item(), rel=1e-5)
    same = model(spectrogram=mel.repeat(3, 1, 1, 1), labels=labels.repeat(3, 1))
    same.loss.backward()
    assert all(torch.isfinite(p.grad).all() for p in model.parameters() if p.grad is not None)


def test_gradient_reaches_every_parameter_and_a_few_steps_fit_a_batch(vit_config):
    torch.manual_seed(0)
    model = MusemoViTForEmotionRegression(vit_config(regression_loss="mse"))
    mel, labels = clips(8)
    optimizer = torch.optim.Adam(model.parameters(), 3e-3)
    losses = []
    for _ in range(40):
        loss = model(spectrogram=mel, labels=labels).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    unreached = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert unreached == []
    assert losses[-1] < 0.3 * losses[0]


def test_the_output_does_not_depend_on_the_rest_of_the_batch(vit_config):
    model = MusemoViTForEmotionRegression(vit_config()).train()  # no dropout by default
    mel, _ = clips(4)
    batch = model(spectrogram=mel).emotion
    for i in range(4):
        torch.testing.assert_close(model(spectrogram=mel[i : i + 1]).emotion[0], batch[i])


def test_output_shapes(vit_config):
    mel, labels = clips(3)
    output = MusemoViTForEmotionRegression(vit_config())(spectrogram=mel)
    assert (output.emotion.shape, output.pooled.shape, output.loss) == ((3, 2), (3, 16), None)
    assert MusemoViTForEmotionRegression(vit_config())(spectrogram=mel, labels=labels).loss.ndim == 0


def test_full_size_at_128_x_1292():
    model = MusemoViTForEmotionRegression(MusemoViTConfig(num_hidden_layers=2)).eval()
    mel, _ = clips(1, 1292)
    with torch.no_grad():
        assert torch.isfinite(model(spectrogram=mel).emotion).all()
    assert model.vit.embeddings.position_embeddings.shape == (1, 8 * 76 + 1, 384)


@pytest.mark.parametrize("shape", [(1, 1, 128, 39), (1, 1, 64, 40), (1, 3, 128, 40), (1, 128, 40), (128, 40)])
def test_refuses_other_shapes(vit_config, shape):
    with pytest.raises(ValueError, match=r"expected spectrogram of shape \(B, 1, 128, 40\), got"):
        MusemoViTForEmotionRegression(vit_config())(spectrogram=torch.zeros(shape))


@pytest.mark.parametrize("shape", [(2,), (1, 2), (2, 1), (2, 3)])
def test_refuses_other_labels(vit_config, shape):
    with pytest.raises(ValueError, match=r"expected labels of shape \(2, 2\), got"):
        MusemoViTForEmotionRegression(vit_config())(spectrogram=clips(2)[0], labels=torch.zeros(shape))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"regression_loss": "huber"}, "expected regression_loss to be one of"),
        ({"patch_size": (15, 16)}, "expected patch_size"),
        ({"patch_size": (16,)}, "expected patch_size"),
        ({"hidden_size": 15}, "expected hidden_size to be a multiple of the 2 heads, got 15"),
    ],
)
def test_configuration_refuses(vit_config, changes, message):
    with pytest.raises(ValueError, match=message):
        vit_config(**changes)


def test_saved_and_loaded_bit_for_bit(vit_config, tmp_path):
    model = MusemoViTForEmotionRegression(vit_config(patch_size=(16, 20), regression_loss="mse")).eval()
    model.save_pretrained(tmp_path)
    mel, labels = clips(2)
    expected = model(spectrogram=mel, labels=labels)
    for loaded in (
        MusemoViTForEmotionRegression.from_pretrained(tmp_path),
        AutoModel.from_pretrained(tmp_path),
        copy.deepcopy(model),
    ):
        assert isinstance(loaded, MusemoViTForEmotionRegression)
        assert all(torch.equal(loaded.state_dict()[name], value) for name, value in model.state_dict().items())
        output = loaded.eval()(spectrogram=mel, labels=labels)
        assert torch.equal(output.emotion, expected.emotion)
        assert torch.equal(output.loss, expected.loss)


def test_gradient_checkpointing_gives_the_same_gradient(vit_config):
    torch.manual_seed(0)
    model = MusemoViTForEmotionRegression(vit_config()).train()
    mel, labels = clips(3)
    gradients = []
    for checkpointed in (False, True):
        if checkpointed:
            model.gradient_checkpointing_enable()
        model.zero_grad()
        model(spectrogram=mel, labels=labels).loss.backward()
        gradients.append([p.grad.clone() for p in model.parameters()])
    for plain, checkpointed in zip(*gradients, strict=True):
        torch.testing.assert_close(plain, checkpointed)
