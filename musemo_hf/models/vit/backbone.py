"""Weights of a pretrained ViT or AST, adapted to the recogniser's grid."""

from collections.abc import Iterable

import torch
from torch import Tensor
from torch.nn import functional
from transformers import AutoModel

from .configuration_vit import MusemoViTConfig, patch_grid
from .modeling_vit import MusemoViTForEmotionRegression


def load_backbone(model: MusemoViTForEmotionRegression) -> None:
    """Load the weights of `config.backbone` into the encoder of a model.

    Position embeddings are resampled to the recogniser's grid, and the patch projection is summed over the channels of
    an image, which is equivalent for a grey image.

    Raises:
        ValueError: The configuration names no backbone.
        OSError: The backbone does not exist.
    """
    config = model.config
    if config.backbone is None:
        raise ValueError("expected a configuration with a backbone, got backbone=None")
    state = AutoModel.from_pretrained(config.backbone).state_dict()
    state = {name: value for name, value in state.items() if not name.startswith("pooler.")}
    positions, projection = "embeddings.position_embeddings", "embeddings.patch_embeddings.projection.weight"
    state[positions] = resample_positions(state[positions], backbone_grid(config), config.grid, config.n_prefix_tokens)
    state[projection] = state[projection].sum(dim=1, keepdim=True)
    model.vit.load_state_dict(state)


def backbone_grid(config: MusemoViTConfig) -> tuple[int, int]:
    """Return the (rows, columns) of patches that the backbone was trained on."""
    own = config.backbone_config or {}
    size = (own["num_mel_bins"], own["max_length"]) if config.is_ast else own["image_size"]
    size = size if isinstance(size, Iterable) else (size, size)
    return patch_grid(tuple(size), config.patch_size, config.patch_stride)


def resample_positions(positions: Tensor, old: tuple[int, int], new: tuple[int, int], n_prefix: int = 1) -> Tensor:
    """Resample position embeddings to another grid, bicubically (Dosovitskiy et al. 2021, section 3.2).

    Args:
        positions: The embeddings `(1, n_prefix + rows * columns, D)`, row by row.
        old: The (rows, columns) of the embeddings.
        new: The (rows, columns) that are wanted; for the same grid the embeddings are returned unchanged.
        n_prefix: The number of tokens before the patches, which have no place on the grid.

    Raises:
        ValueError: The embeddings do not belong to the old grid.
    """
    if positions.shape[1] != n_prefix + old[0] * old[1]:
        raise ValueError(f"expected {n_prefix} + {old[0]} x {old[1]} position embeddings, got {positions.shape[1]}")
    if old == new:
        return positions
    prefix, patches = positions[:, :n_prefix], positions[:, n_prefix:]
    image = patches.reshape(1, *old, -1).permute(0, 3, 1, 2)
    resampled = functional.interpolate(image, size=new, mode="bicubic", align_corners=False)
    return torch.cat([prefix, resampled.flatten(2).transpose(1, 2)], dim=1)
