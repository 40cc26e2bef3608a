"""The reference of the training benchmark is the published recipe, and it trains."""

import torch

from benchmarks.baseline_gan import BaselineGan


def test_it_trains_both_networks_and_generates():
    emotion = torch.rand(6, 2) * 2 - 1
    plain = BaselineGan(torch.rand(6, 1, 128, 40) * 2 - 1, emotion, 2, channels=16, discriminator_channels=4)
    before = [
        {name: value.clone() for name, value in network.state_dict().items()}
        for network in (plain.generator, plain.discriminator)
    ]
    discriminator_loss, generator_loss, accuracy = plain.step()
    assert discriminator_loss > 0
    assert generator_loss > 0
    assert 0 <= accuracy <= 1
    for network, old in zip((plain.generator, plain.discriminator), before, strict=True):
        assert any(not torch.equal(value, old[name]) for name, value in network.state_dict().items())
    made = plain.generate(emotion)
    assert made.shape == (6, 1, 128, 40)
    assert made.abs().max() <= 1


def test_it_has_the_published_widths():
    plain = BaselineGan(torch.zeros(2, 1, 128, 1292), torch.zeros(2, 2), 1)
    assert plain.generator.project.in_features == 356
    assert plain.generator.project.out_features == 256 * 8 * 81
    assert plain.discriminator.convolutions[0].out_channels == 64
