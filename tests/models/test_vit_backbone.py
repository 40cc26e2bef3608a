"""Pretrained ViTs and ASTs as backbones; tiny ones, saved on the spot."""

import json
import shutil

import pytest
import torch
from torch.nn import functional
from transformers import ASTConfig, ASTModel, AutoModel, BertConfig, ViTConfig, ViTForImageClassification, ViTModel

from musemo_hf import MusemoViTConfig, MusemoViTForEmotionRegression
from musemo_hf.models.vit.backbone import load_backbone, resample_positions

TINY = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 24}


@pytest.fixture
def vit(tmp_path):
    """An image classifier of the Hub's kind: square, RGB, with a head that is dropped."""
    torch.manual_seed(1)
    model = ViTForImageClassification(ViTConfig(**TINY, image_size=64, patch_size=16, num_labels=5))
    model.save_pretrained(tmp_path / "vit")
    return tmp_path / "vit"


@pytest.fixture
def ast(tmp_path):
    torch.manual_seed(1)
    model = ASTModel(ASTConfig(**TINY, patch_size=16, max_length=64, num_mel_bins=128))
    torch.nn.init.normal_(model.embeddings.position_embeddings)
    model.save_pretrained(tmp_path / "ast")
    return tmp_path / "ast"


def recogniser(folder, **changes):
    model = MusemoViTForEmotionRegression(MusemoViTConfig(backbone=str(folder), **({"n_frames": 75} | changes)))
    load_backbone(model)
    return model.eval()


def by_hand(positions, n_prefix, old, new):
    grid = positions[0, n_prefix:].T.reshape(1, -1, *old)
    return functional.interpolate(grid, size=new, mode="bicubic")[0].flatten(1).T


def test_a_square_rgb_vit_becomes_a_non_square_grey_one(vit):
    model, source = recogniser(vit), ViTModel.from_pretrained(vit)
    config = model.config
    assert (config.hidden_size, config.num_hidden_layers, config.patch_size, config.grid) == (16, 2, [16, 16], (8, 5))
    own, theirs = model.vit.embeddings, source.embeddings
    expected = by_hand(theirs.position_embeddings, 1, (4, 4), (8, 5))
    torch.testing.assert_close(own.position_embeddings[0, 1:], expected)
    assert torch.equal(own.position_embeddings[:, :1], theirs.position_embeddings[:, :1])
    mel = torch.rand(2, 1, 16, 16) * 2 - 1
    torch.testing.assert_close(
        own.patch_embeddings.projection(mel), theirs.patch_embeddings.projection(mel.expand(-1, 3, -1, -1))
    )
    assert torch.equal(model.vit.layers[1].mlp.fc2.weight, source.layers[1].mlp.fc2.weight)


def test_on_its_own_grid_a_vit_says_what_it_said(tmp_path):
    torch.manual_seed(0)
    source = ViTModel(ViTConfig(**TINY, image_size=[128, 32], patch_size=16, hidden_act="relu", layer_norm_eps=1e-3))
    source.eval().save_pretrained(tmp_path)
    model, mel = recogniser(tmp_path, n_frames=32), torch.rand(2, 1, 128, 32) * 2 - 1
    with torch.no_grad():
        expected = source(mel.expand(-1, 3, -1, -1)).last_hidden_state[:, 1:].mean(dim=1)
        torch.testing.assert_close(model(spectrogram=mel).pooled, expected)


def test_on_its_own_grid_an_ast_says_what_it_said(ast):
    source = ASTModel.from_pretrained(ast).eval()
    model, mel = recogniser(ast, n_frames=64), torch.rand(2, 1, 128, 64) * 2 - 1
    assert model.config.padded_frames == 66  # the last two frames, which a grid of 64 leaves out, are seen
    padded = functional.pad(mel, (0, 2), value=-1.0)
    assert model.config.grid == (12, 6)
    theirs = source.embeddings.position_embeddings
    positions = torch.cat([theirs[:, :2], by_hand(theirs, 2, (12, 5), (12, 6))[None]], dim=1)
    torch.testing.assert_close(model.vit.embeddings.position_embeddings, positions)
    source.embeddings.position_embeddings = torch.nn.Parameter(positions)
    with torch.no_grad():
        expected = source(padded[:, 0].transpose(1, 2)).last_hidden_state[:, 2:].mean(dim=1)
        torch.testing.assert_close(model(spectrogram=mel).pooled, expected)


@pytest.mark.parametrize("kind", ["vit", "ast"])
def test_every_frame_has_a_gradient_and_a_step_is_made(kind, request):
    model = recogniser(request.getfixturevalue(kind), uncertainty=True)
    mel = (torch.rand(3, 1, 128, 75) * 2 - 1).requires_grad_()
    loss = model(spectrogram=mel, labels=torch.rand(3, 2)).loss
    loss.backward()
    assert (mel.grad.abs().sum(dim=(0, 1, 2)) > 0).all()
    torch.optim.SGD(model.parameters(), 1e-3).step()
    assert model(spectrogram=mel, labels=torch.zeros(3, 2)).loss.isfinite()


@pytest.mark.parametrize("kind", ["vit", "ast"])
def test_our_checkpoint_needs_the_backbone_no_more(kind, request, tmp_path):
    folder = request.getfixturevalue(kind)
    model = recogniser(folder)
    model.save_pretrained(tmp_path / "ours")
    shutil.rmtree(folder)
    assert json.loads((tmp_path / "ours/config.json").read_text())["backbone_config"]["hidden_size"] == 16
    loaded = AutoModel.from_pretrained(tmp_path / "ours").eval()
    mel = torch.rand(2, 1, 128, 75)
    assert torch.equal(loaded(spectrogram=mel).emotion, model(spectrogram=mel).emotion)


def test_positions_of_the_same_grid_are_the_same():
    positions = torch.rand(1, 2 + 12, 8)
    assert torch.equal(resample_positions(positions, (3, 4), (3, 4), 2), positions)


def test_positions_that_are_not_of_the_grid():
    with pytest.raises(ValueError, match=r"expected 1 \+ 3 x 4 position embeddings, got 12"):
        resample_positions(torch.rand(1, 12, 8), (3, 4), (2, 2))


def test_refuses(tmp_path):
    BertConfig().save_pretrained(tmp_path / "bert")
    with pytest.raises(
        ValueError, match=r"expected a backbone of type audio-spectrogram-transformer or vit, got 'bert'"
    ):
        MusemoViTConfig(backbone=str(tmp_path / "bert"))
    with pytest.raises(ValueError, match="expected a configuration with a backbone, got backbone=None"):
        load_backbone(MusemoViTForEmotionRegression(MusemoViTConfig(n_frames=40, patch_size=(16, 16), **TINY)))
