"""Layer-wise learning rates, which fall from the head towards the input."""

from typing import Any

from torch import nn

from musemo_hf.models.vit import MusemoViTForEmotionRegression


def layer_groups(model: MusemoViTForEmotionRegression, lr: float, decay: float) -> list[dict[str, Any]]:
    """Return parameter groups with layer-wise rates (Clark et al. 2020; Bao et al. 2022, BEiT, appendix).

    The head has the rate `lr`, the last layer of the encoder `lr * decay`, and so on down to the embeddings.

    Args:
        model: The recogniser.
        lr: The learning rate of the head.
        decay: The factor between two layers, in (0, 1]; with 1 all parameters are one group, in the model's order.

    Raises:
        ValueError: The decay is outside (0, 1].
    """
    if not 0 < decay <= 1:
        raise ValueError(f"expected layer_decay above 0 up to 1, got {decay}")
    if decay == 1:
        return [{"params": list(model.parameters()), "lr": lr}]
    n_layers = len(model.vit.layers)
    members: dict[int, list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        members.setdefault(_depth(name, n_layers), []).append(parameter)
    return [{"params": members[depth], "lr": lr * decay ** (n_layers + 1 - depth)} for depth in sorted(members)]


def _depth(name: str, n_layers: int) -> int:
    """Return 0 for the embeddings, i for the i-th layer from 1, and one more for the norm and the head."""
    if name.startswith("vit.embeddings."):
        return 0
    if name.startswith("vit.layers."):
        return int(name.split(".")[2]) + 1
    return n_layers + 1
