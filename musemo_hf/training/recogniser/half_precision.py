"""A recogniser whose training computes in bfloat16 on a CPU."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import AttentionInterface

from musemo_hf.models.vit import MusemoEmotionOutput, MusemoViTForEmotionRegression

ATTENTION = "musemo_half_precision"


class InBFloat16(nn.Module):
    """Calls a recogniser with its products in bfloat16, by autocast, and with parts that are fast in it on a CPU.

    The sums of the encoder's layers stay in float32. All activations in bfloat16 take a tenth less time at most,
    but were not shown to learn as much (`docs/results/speed.md`).

    Args:
        network: The recogniser. Its attention is set to `half_precision_attention`, and the patch projection of a ViT
            to a `PatchProjection` of the same weights.
    """

    def __init__(self, network: MusemoViTForEmotionRegression) -> None:
        super().__init__()
        network.set_attn_implementation(ATTENTION)
        if not network.config.is_ast:  # whose patches may overlap
            embeddings = network.vit.embeddings.patch_embeddings
            embeddings.projection = PatchProjection.of(embeddings.projection)
        self.network = network

    def forward(self, **inputs: Any) -> MusemoEmotionOutput:
        """Return the output of the recogniser, see its `forward`."""
        with torch.autocast("cpu", torch.bfloat16):
            return self.network(**inputs)


class PatchProjection(nn.Conv2d):
    """A convolution whose kernels tile the input, computed as one matrix product over all patches.

    A general convolution takes several times as long for its gradient on a CPU.
    """

    @classmethod
    def of(cls, projection: nn.Conv2d) -> "PatchProjection":
        """Return a projection with the weights of a convolution, which they share."""
        tall, wide = projection.kernel_size
        channels = projection.in_channels, projection.out_channels
        made = cls(*channels, kernel_size=(tall, wide), stride=(tall, wide), device="meta")
        made.weight, made.bias = projection.weight, projection.bias
        return made

    def forward(self, input: Tensor) -> Tensor:
        """Return `(B, out_channels, rows, columns)` of `(B, in_channels, height, width)`, whole kernels each way."""
        n, channels, height, width = input.shape
        tall, wide = self.kernel_size
        rows, columns = height // tall, width // wide
        patches = input.reshape(n, channels, rows, tall, columns, wide).permute(0, 2, 4, 1, 3, 5)
        projected = functional.linear(patches.reshape(n, rows * columns, -1), self.weight.flatten(1), self.bias)
        return projected.transpose(1, 2).reshape(n, -1, rows, columns)


def half_precision_attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float,
    **options: Any,
) -> tuple[Tensor, None]:
    """Compute attention without a mask or dropout in the precision of its inputs.

    The eager attention of transformers takes its softmax in float32, which doubles what is written and read; the
    gradient of torch's fused attention in bfloat16 is slow on a CPU.

    Args:
        module: The layer that calls; not used.
        query: The queries `(B, heads, tokens, width)`.
        key: The keys, of the same shape.
        value: The values, of the same shape.
        attention_mask: None, since all tokens attend to all.
        scaling: The factor of the scores.
        options: Further options of transformers, which are ignored.

    Returns:
        The outputs `(B, tokens, heads, width)`, and None for the weights.
    """
    heads = query.shape[:2]
    query, key, value = (
        part.flatten(0, 1) for part in (query * scaling, key, value)
    )  # copied once, not in each product
    with torch.autocast("cpu", enabled=False):  # which would take the softmax in float32, and round it afterwards
        weights = torch.softmax(torch.bmm(query, key.transpose(1, 2)), dim=-1)
        return torch.bmm(weights, value).unflatten(0, heads).transpose(1, 2).contiguous(), None


AttentionInterface.register(ATTENTION, half_precision_attention)
