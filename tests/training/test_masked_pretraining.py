import copy
import math

import pytest
import torch

from musemo_hf import MusemoViTConfig, MusemoViTForEmotionRegression
from musemo_hf.training.log import read_statistics
from musemo_hf.training.recogniser.masked_pretraining import MaskedAutoencoder, MaskedPretraining, draw_mask


@pytest.fixture
def model(vit_config):
    torch.manual_seed(0)
    return MusemoViTForEmotionRegression(vit_config)


def mask(n, grid=(8, 2), **changes):
    arguments = {"share": 0.75, "block": 1, "generator": torch.Generator().manual_seed(0)} | changes
    return draw_mask(n, grid, **arguments)


@pytest.mark.parametrize(("share", "block"), [(0.75, 1), (0.75, 2), (0.3, 3), (0.5, 100)])
def test_exactly_the_share_is_hidden(share, block):
    drawn = mask(500, (8, 27), share=share, block=block) if block < 100 else mask(5, (8, 27), share=share, block=9)
    assert (drawn.sum(dim=1) == round(share * 216)).all()


def test_blocks_are_hidden_whole():
    drawn = mask(200, (8, 26), share=0.75, block=2).view(200, 4, 2, 13, 2).sum(dim=(2, 4))
    assert ((drawn == 0) | (drawn == 4)).float().mean() > 0.98  # the block at the limit of the share may be cut
    apart = mask(200, (8, 26), share=0.75, block=1).view(200, 4, 2, 13, 2).sum(dim=(2, 4))
    assert ((apart == 0) | (apart == 4)).float().mean() < 0.5


def test_every_patch_is_hidden_equally_often():
    rate = mask(4000, (4, 6), share=0.75, block=2).float().mean(dim=0)
    assert (rate - 0.75).abs().max() < 0.05


@pytest.mark.parametrize(("share", "block"), [(0.0, 1), (1.0, 1), (0.75, 0), (0.01, 1)])
def test_masks_that_are_refused(share, block):
    with pytest.raises(ValueError, match="expected a mask share that hides some of 16 patches"):
        mask(2, share=share, block=block)


def test_patches_are_those_of_the_spectrogram(model, clips):
    patches = MaskedAutoencoder(model).patches(clips.spectrogram)
    assert patches.shape == (40, 16, 256)
    assert torch.equal(patches[3, 5].view(16, 16), clips.spectrogram[3, 0, 32:48, 16:32])


def test_the_loss_is_over_hidden_patches_alone_and_nothing_hidden_reaches_the_encoder(model, clips):
    network, hidden = MaskedAutoencoder(model).eval(), mask(40)
    network.requires_grad_(False)
    noisy = clips.spectrogram.clone().requires_grad_()
    taken = network._decoder_input(network.patches(noisy), hidden)
    taken.square().sum().backward()
    gradient = network.patches(noisy.grad)
    assert (gradient[hidden] == 0).all()
    assert (gradient[~hidden] != 0).any(dim=-1).all()
    loss = network(clips.spectrogram, hidden)
    patches = network.patches(clips.spectrogram).double()
    drawn = network.decoder(network._decoder_input(network.patches(clips.spectrogram), hidden)).double()
    target = (patches - patches.mean(-1, keepdim=True)) / (patches.var(-1, keepdim=True, unbiased=False) + 1e-4).sqrt()
    by_hand = sum(((drawn - target)[i, j] ** 2).mean().item() for i, j in hidden.nonzero().tolist()) / hidden.sum()
    assert loss.item() == pytest.approx(by_hand.item(), rel=1e-4)


def test_it_learns_to_predict_what_is_hidden(model, recogniser_training, clips, tmp_path):
    before = copy.deepcopy(model.state_dict())
    training = recogniser_training(pretraining_steps=60, pretraining_lr=3e-3)
    MaskedPretraining(model, clips.spectrogram, training, tmp_path).train()
    losses = [line["loss"] for line in read_statistics(tmp_path / "pretraining.jsonl")]
    assert len(losses) == 60
    assert all(map(math.isfinite, losses))
    assert sum(losses[-5:]) < 0.97 * sum(losses[:5])  # most of these clips is noise, which nothing can predict
    unchanged = {name for name, value in model.state_dict().items() if torch.equal(value, before[name])}
    assert unchanged == {"regressor.weight", "regressor.bias"}


def test_the_same_seed_gives_the_same_weights(vit_config, recogniser_training, clips):
    weights = []
    for seed in (0, 0, 1):
        torch.manual_seed(7)
        model = MusemoViTForEmotionRegression(vit_config)
        torch.rand(seed + 3)  # the global generator's state does not matter
        MaskedPretraining(model, clips.spectrogram, recogniser_training(pretraining_steps=3, seed=seed)).train()
        weights.append(model.vit.layers[0].mlp.fc1.weight)
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_silence_and_padding_stay_finite(recogniser_training, vit_config):
    config = MusemoViTConfig(**{**vit_config.to_diff_dict(), "n_frames": 37})
    model = MusemoViTForEmotionRegression(config)
    run = MaskedPretraining(model, torch.full((4, 1, 128, 37), -1.0), recogniser_training(pretraining_steps=2))
    run.train()
    assert math.isfinite(run.values["loss"])
