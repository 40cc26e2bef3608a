"""Losses of the recogniser."""

import torch
from torch import Tensor
from torch.nn import functional


def concordance_loss(predicted: Tensor, labels: Tensor) -> Tensor:
    """Return 1 - CCC (Lin 1989, population moments), averaged over the dimensions of predictions and labels `(B, D)`.

    The small constant keeps the gradient finite for a batch of identical labels and predictions.
    """
    predicted_mean, label_mean = predicted.mean(0), labels.mean(0)
    covariance = ((predicted - predicted_mean) * (labels - label_mean)).mean(0)
    spread = predicted.var(0, unbiased=False) + labels.var(0, unbiased=False)
    ccc = 2 * covariance / (spread + (predicted_mean - label_mean).square() + 1e-8)
    return (1 - ccc).mean()


def regression_loss(kind: str, predicted: Tensor, labels: Tensor) -> Tensor:
    """Return the loss "ccc" or "mse"; a single clip, which has no concordance, always has its squared error."""
    if kind == "mse" or len(labels) < 2:
        return functional.mse_loss(predicted, labels)
    return concordance_loss(predicted, labels)


def deviation_loss(deviation: Tensor, predicted: Tensor, labels: Tensor, raters: Tensor | None) -> Tensor:
    """Return the Gaussian negative log-likelihood of the labels, without its constant (Nix & Weigend 1994, eq. 3).

    With raters' deviation d it is averaged over the raters, E[(rater - predicted)^2] = (label - predicted)^2 + d^2, so
    that the predicted deviation learns from disagreement in every clip. `predicted` gets no gradient, because its own
    loss would otherwise be weighted by the deviation.

    Args:
        deviation: The predicted standard deviations `(B, D)`, positive.
        predicted: The predictions `(B, D)`.
        labels: The means over the raters `(B, D)`.
        raters: The standard deviations of the raters `(B, D)`; None for labels without.
    """
    squared = (labels - predicted.detach()).square()
    if raters is not None:
        squared = squared + raters.square()
    return (torch.log(deviation) + 0.5 * squared / deviation.square()).mean()
