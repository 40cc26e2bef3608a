"""Adversarial losses on logits, and gradient penalties."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

NOISE = 0.01  # deviation of the finite-difference penalty's noise, on the normalised scale: 0.5 dB


def discriminator_loss(loss: str, real: Tensor, fake: Tensor, real_label: float = 1.0) -> Tensor:
    """Return the loss of the discriminator.

    Args:
        loss: "bce", max(0, 1 - D) hinge (Lim & Ye 2017), or "rpgan", softplus(-(D(real) - D(fake))) over pairs (Huang
            et al. 2024, equation 2; arXiv 2501.05441).
        real: The logits of real clips, `(B,)` or `(B, scales)`.
        fake: The logits of generated clips of the same emotions.
        real_label: The label of real clips with "bce".

    Returns:
        A scalar, averaged over clips and scales.
    """
    if loss == "rpgan":
        return functional.softplus(fake - real).mean()
    if loss == "hinge":
        return functional.relu(1 - real).mean() + functional.relu(1 + fake).mean()
    on_real = functional.binary_cross_entropy_with_logits(real, torch.full_like(real, real_label))
    return on_real + functional.binary_cross_entropy_with_logits(fake, torch.zeros_like(fake))


def generator_loss(loss: str, fake: Tensor, real: Tensor) -> Tensor:
    """Return the loss of the generator; only "rpgan" uses `real`, as a constant."""
    if loss == "rpgan":
        return functional.softplus(real - fake).mean()
    if loss == "hinge":
        return -fake.mean()
    return functional.binary_cross_entropy_with_logits(fake, torch.ones_like(fake))


def accuracy(loss: str, real: Tensor, fake: Tensor) -> Tensor:
    """Return the share of clips that are classified correctly; with "rpgan", of pairs in the right order."""
    if loss == "rpgan":
        return (real > fake).float().mean()
    return 0.5 * ((real > 0).float().mean() + (fake < 0).float().mean())


def gradient_penalty(logits: Tensor, inputs: Tensor) -> Tensor:
    """Return the squared norm of the logits' gradient for each clip, which can be differentiated itself.

    Args:
        logits: The logits `(B,)`, or `(B, scales)`, which are added up.
        inputs: The inputs that they were computed from, `(B, ...)`, with `requires_grad`.

    Returns:
        `(B,)`.
    """
    (gradient,) = torch.autograd.grad(logits.sum(), inputs, create_graph=True)
    return gradient.square().flatten(1).sum(dim=1)


def finite_difference_penalty(
    logits: Tensor, inputs: Tensor, discriminator: Callable[[Tensor], Tensor], noise: Tensor
) -> Tensor:
    """Estimate `gradient_penalty` as ((D(x + s n) - D(x)) / s)^2, by one more forward pass (Lin et al. 2025, eq. 4).

    Args:
        logits: The logits of `inputs`, `(B,)` or `(B, scales)`.
        inputs: The inputs of the discriminator, `(B, ...)`.
        discriminator: The discriminator, a function from inputs to logits.
        noise: Standard normal noise of the shape of `inputs`.

    Returns:
        `(B,)`.
    """
    change = (discriminator(inputs + NOISE * noise) - logits) / NOISE
    return change.reshape(len(change), -1).sum(dim=1).square()
