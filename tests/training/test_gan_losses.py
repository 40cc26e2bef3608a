import math

import pytest
import torch
from torch.nn import functional

from musemo_hf.training.gan.losses import (
    accuracy,
    discriminator_loss,
    finite_difference_penalty,
    generator_loss,
    gradient_penalty,
)

REAL, FAKE = torch.tensor([2.0, -0.5, 0.25]), torch.tensor([-1.0, 0.75, -2.0])


def mean(values):
    values = list(values)
    return sum(values) / len(values)


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


PAIRS = list(zip(REAL.tolist(), FAKE.tolist(), strict=True))
BY_HAND = {
    "bce": (
        mean(-0.9 * math.log(sigmoid(r)) - 0.1 * math.log(1 - sigmoid(r)) - math.log(1 - sigmoid(f)) for r, f in PAIRS),
        mean(-math.log(sigmoid(f)) for _, f in PAIRS),
        0.5 * (2 / 3 + 2 / 3),
    ),
    "hinge": (
        mean(max(0, 1 - r) + max(0, 1 + f) for r, f in PAIRS),
        mean(-f for _, f in PAIRS),
        0.5 * (2 / 3 + 2 / 3),
    ),
    "rpgan": (
        mean(math.log(1 + math.exp(-(r - f))) for r, f in PAIRS),
        mean(math.log(1 + math.exp(-(f - r))) for r, f in PAIRS),
        2 / 3,
    ),
}


@pytest.mark.parametrize("loss", BY_HAND)
def test_losses_by_hand(loss):
    of_discriminator, of_generator, told_apart = BY_HAND[loss]
    assert discriminator_loss(loss, REAL, FAKE, 0.9).item() == pytest.approx(of_discriminator, rel=1e-5)
    assert generator_loss(loss, FAKE, REAL).item() == pytest.approx(of_generator, rel=1e-5)
    assert accuracy(loss, REAL, FAKE).item() == pytest.approx(told_apart)


@pytest.mark.parametrize("loss", BY_HAND)
def test_each_network_descends_its_own_way(loss):
    real, fake = REAL.clone().requires_grad_(), FAKE.clone().requires_grad_()
    discriminator_loss(loss, real, fake).backward()
    assert (real.grad <= 0).all()  # up on real clips
    assert (fake.grad >= 0).all()
    assert real.grad.sum() < 0 < fake.grad.sum()
    fake.grad = None
    generator_loss(loss, fake, REAL).backward()
    assert (fake.grad < 0).all()


def test_the_relativistic_loss_knows_differences_only():
    for shift in (0.0, 100.0):
        assert discriminator_loss("rpgan", REAL + shift, FAKE + shift).item() == pytest.approx(
            discriminator_loss("rpgan", REAL, FAKE).item()
        )


@pytest.mark.parametrize("loss", BY_HAND)
def test_scales_count_alike(loss):
    two = torch.stack([REAL, REAL], dim=1), torch.stack([FAKE, FAKE], dim=1)
    assert discriminator_loss(loss, *two).item() == pytest.approx(discriminator_loss(loss, REAL, FAKE).item())
    assert generator_loss(loss, two[1], two[0]).item() == pytest.approx(generator_loss(loss, FAKE, REAL).item())


def linear(weight):
    return lambda clips: functional.linear(clips.flatten(1), weight)[:, 0]


def test_the_penalty_of_a_linear_discriminator_is_its_squared_norm():
    weight = torch.randn(1, 6, generator=torch.Generator().manual_seed(0), requires_grad=True)
    clips = torch.randn(5, 1, 2, 3, requires_grad=True)
    penalty = gradient_penalty(linear(weight)(clips), clips)
    torch.testing.assert_close(penalty, weight.square().sum().expand(5))
    penalty.mean().backward()
    torch.testing.assert_close(weight.grad, 2 * weight.detach())  # it can be descended


def test_the_penalty_of_a_quadratic_discriminator():
    clips = torch.randn(4, 3, requires_grad=True)
    penalty = gradient_penalty(clips.square().sum(dim=1), clips)
    torch.testing.assert_close(penalty, 4 * clips.square().sum(dim=1))


def test_scales_add_up_in_the_penalty():
    weight, clips = torch.randn(1, 6), torch.randn(5, 1, 2, 3, requires_grad=True)
    logits = torch.stack([linear(weight)(clips), 2 * linear(weight)(clips)], dim=1)
    torch.testing.assert_close(gradient_penalty(logits, clips), 9 * weight.square().sum().expand(5))


def test_finite_differences_come_to_the_same_in_expectation():
    generator = torch.Generator().manual_seed(0)
    weight, clips = torch.randn(1, 6, generator=generator), torch.randn(20_000, 1, 2, 3, generator=generator)
    judge = linear(weight)
    noise = torch.randn(clips.shape, generator=generator)
    penalty = finite_difference_penalty(judge(clips), clips, judge, noise)
    assert penalty.mean().item() == pytest.approx(weight.square().sum().item(), rel=0.05)
