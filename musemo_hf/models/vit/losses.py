"""What a recogniser is trained by."""

import torch
from torch import Tensor
from torch.nn import functional


def concordance_loss(predicted: Tensor, labels: Tensor) -> Tensor:
    """1 - CCC over the batch (Lin 1989, population moments), mean of the dimensions; `(B, D)` each.

    A batch of identical labels and predictions has no concordance; the small constant keeps its gradient finite.
    """
    predicted_mean, label_mean = predicted.mean(0), labels.mean(0)
    covariance = ((predicted - predicted_mean) * (labels - label_mean)).mean(0)
    spread = predicted.var(0, unbiased=False) + labels.var(0, unbiased=False)
    ccc = 2 * covariance / (spread + (predicted_mean - label_mean).square() + 1e-8)
    return (1 - ccc).mean()


def regression_loss(kind: str, predicted: Tensor, labels: Tensor) -> Tensor:
    """The configured loss; "ccc" falls back to the squared error for a single clip, which has no concordance."""
    squared = functional.mse_loss(predicted, labels)
    if kind == "mse" or len(labels) < 2:
        return squared
    concordance = concordance_loss(predicted, labels)
    return concordance if kind == "ccc" else concordance + squared


def deviation_loss(deviation: Tensor, predicted: Tensor, labels: Tensor, label_deviation: Tensor | None) -> Tensor:
    """Gaussian negative log-likelihood of the labels, less its constant (Nix & Weigend 1994, eq. 3).

    With raters' spread d it is the mean over the raters, E[(rater - predicted)^2] = (label - predicted)^2 + d^2: where
    raters disagree, the deviation learns it from every clip and not only from its own errors. No gradient goes to
    `predicted`, whose own loss would otherwise be weighted by the deviation.

    Args:
        deviation: `(B, D)`, positive.
        predicted: `(B, D)`.
        labels: `(B, D)`, means over the raters.
        label_deviation: `(B, D)` deviation of the raters about them; None for labels without.
    """
    squared = (labels - predicted.detach()).square()
    if label_deviation is not None:
        squared = squared + label_deviation.square()
    return (torch.log(deviation) + 0.5 * squared / deviation.square()).mean()
