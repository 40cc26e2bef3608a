"""What the velocity network and the detail of a flow depend on, and what they do not."""

import pytest
import torch

from musemo_hf.models.flow.patch_transform import PatchTransform
from musemo_hf.models.flow.velocity_network import VelocityNetwork

EMOTIONS = torch.tensor([[0.8, 0.7], [-0.8, -0.6]])
TIMES = torch.tensor([0.3, 0.8])


@pytest.fixture
def network():
    """Two rows of five patches, two blocks of 16; no weight is zero."""
    torch.manual_seed(0)
    network = VelocityNetwork(n_profile=6, grid=(2, 5), n_components=3, width=16, depth=2, n_heads=2)
    for name, value in network.named_parameters():
        if name != "position":
            torch.nn.init.normal_(value, std=0.3)
    return network


@pytest.fixture
def latents():
    generator = torch.Generator().manual_seed(1)
    return torch.randn(2, 6, generator=generator), torch.randn(2, 10, 3, generator=generator)


def test_the_prediction_depends_on_time_beyond_the_preconditioning(network, latents):
    early, late = (network(*latents, torch.full((2,), t), EMOTIONS) for t in (0.3, 0.35))
    for first, second in zip(early, late, strict=True):
        assert (first - second).abs().mean() > 0.01 * first.abs().mean()
    again = network(*latents, torch.full((2,), 0.3), EMOTIONS)
    assert all(torch.equal(first, second) for first, second in zip(early, again, strict=True))


def test_positions_alone_tell_patches_apart(network, latents):
    profile, patches = latents
    order = torch.tensor([3, 0, 1, 2, 4, 9, 5, 6, 7, 8])

    def made(shuffled):
        return network(profile, patches[:, order] if shuffled else patches, TIMES, EMOTIONS)[1]

    assert (made(True) - made(False)[:, order]).abs().max() > 0.1
    torch.nn.init.zeros_(network.position)
    torch.testing.assert_close(made(True), made(False)[:, order])


@pytest.mark.parametrize("rows", [1, 3])
def test_every_place_has_a_position_of_its_own(rows):
    network = VelocityNetwork(n_profile=2, grid=(rows, 7), n_components=3, width=16, depth=1, n_heads=2)
    distances = torch.cdist(network.position, network.position) + torch.eye(7 * rows)
    assert distances.min() > 0.1


def test_every_token_attends_to_every_other(network, latents):
    profile, patches = (part.requires_grad_() for part in latents)
    for index in range(10):
        made = network(profile, patches, TIMES, EMOTIONS)[1][0, index].sum()
        from_profile, from_patches = torch.autograd.grad(made, (profile, patches))
        assert (from_profile[0].abs() > 1e-6).all()
        assert (from_patches[0].abs().sum(dim=-1) > 1e-5).all()
        assert from_patches[1].abs().max() == 0  # nothing of the other clip
    (from_patches,) = torch.autograd.grad(network(profile, patches, TIMES, EMOTIONS)[0][0].sum(), patches)
    assert (from_patches[0].abs().sum(dim=-1) > 1e-5).all()


def test_a_dropped_emotion_has_no_influence_and_the_others_keep_theirs(network, latents):
    mask = torch.tensor([True, False])
    first, second = (network(*latents, TIMES, emotion, mask)[1] for emotion in (EMOTIONS, -EMOTIONS))
    assert torch.equal(first[0], second[0])
    assert (first[1] - second[1]).abs().mean() > 0.01
    torch.testing.assert_close(first[1], network(*latents, TIMES, EMOTIONS)[1][1])


def test_an_untrained_network_predicts_nothing():
    network = VelocityNetwork(n_profile=6, grid=(1, 4), n_components=3, width=16, depth=2, n_heads=2)
    profile, patches = network(torch.randn(2, 6), torch.randn(2, 4, 3), TIMES, EMOTIONS)
    assert profile.abs().max() == patches.abs().max() == 0


@pytest.mark.parametrize(("exponent", "power"), [(-1.0, 0.0), (0.0, 0.0), (0.5, 0.5), (1.0, 1.0), (2.0, 1.0)])
def test_the_detail_follows_the_local_energy_at_most_in_proportion(exponent, power):
    patches, generator = PatchTransform(128, 64, (128, 4), n_components=64), torch.Generator().manual_seed(0)
    energy = torch.rand(60, 1, 16, 1, generator=generator).mul(2).sub(1).exp()
    drawn = torch.randn(60, 1, 16, patches.n_detail, generator=generator)
    patches._fit_detail(energy, 0.3 * drawn * energy**exponent)
    torch.testing.assert_close(patches.detail_power, torch.full((448,), power), atol=0.05, rtol=0)
    if exponent == power:
        torch.testing.assert_close(patches.detail_deviation.mean().item(), 0.3, atol=0.02, rtol=0)


@pytest.mark.parametrize("power", [0.5, 1.0])
def test_the_detail_of_a_patch_is_scaled_by_its_local_energy_down_to_a_limit(power):
    patches = PatchTransform(128, 64, (128, 4), n_components=64)
    patches.detail_power.fill_(power)
    patches.detail_deviation.fill_(2.0)
    usual = torch.cat([torch.rand(1, 1, 16, 32), torch.ones(1, 1, 16, 32)], dim=-1)  # the finer half counts
    drawn = torch.randn(1, 1, 16, 448)

    def detail(energy):
        return patches._patches(patches.decode(energy * usual, drawn))[..., 64:]

    for energy in (3.0, 1.0, 0.2, 0.06):
        torch.testing.assert_close(detail(energy), 2 * energy**power * drawn)
    for quieter in (0.04, 0.001, 0.0):
        torch.testing.assert_close(detail(quieter), 2 * 0.05**power * drawn)
