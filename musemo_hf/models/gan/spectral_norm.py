"""Spectral normalisation (Miyato et al. 2018) whose singular vectors can be computed anew."""

from typing import Any

import torch
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm
from torch.nn.utils.parametrize import ParametrizationList

POWER_ITERATIONS = 15  # as many as torch does when a layer is normalised


def normalised_spectrally(layer: Any) -> nn.Module:
    """Normalise the weight of a layer spectrally, and note whether it was made without values, as for loading."""
    made_empty = next(layer.parameters()).device.type == "meta"
    layer = spectral_norm(layer)
    layer.parametrizations.weight[0].made_empty = made_empty
    return layer


@torch.no_grad()
def restore_singular_vectors(weight: Any) -> None:
    """Compute the singular vectors of a normalised weight that was made without values, unless they were loaded.

    Those of a weight that was made with values are left as they are: a training begins with them.
    """
    norm = weight[0]
    vectors = [value for value in norm.buffers() if not getattr(value, "_is_hf_initialized", False)]
    if not norm.made_empty or not vectors:
        return
    for vector in vectors:
        vector.fill_(len(vector) ** -0.5)
    was_training = norm.training
    norm.train()
    for _ in range(POWER_ITERATIONS):
        weight()  # one iteration each time
    norm.train(was_training)


def normalised_weights(model: nn.Module) -> list[Any]:
    """Return the normalised weights of a model."""
    return [module for module in model.modules() if isinstance(module, ParametrizationList)]
