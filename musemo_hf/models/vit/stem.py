"""The way from a log-mel to tokens, and the encoder behind it."""

import torch
from torch import Tensor, nn
from transformers import ViTConfig, ViTModel
from transformers import initialization as init


def stem_strides(patch_size: list[int] | tuple[int, int]) -> list[tuple[int, int]]:
    """(mel bands, frames) that each convolution steps by; together they make the patch.

    The first takes a factor of 4, as most of the cost is at the full resolution; the others take 2.

    Raises:
        ValueError: a side that is not a power of two of at least 4.
    """
    if any(side < 4 or side & (side - 1) for side in patch_size):
        raise ValueError(
            f"expected patch_size of powers of two from 4 with stem='convolution', got {tuple(patch_size)}"
        )
    sides = [[4] + [2] * (side.bit_length() - 3) for side in patch_size]
    n = max(map(len, sides))
    rows, columns = (side + [1] * (n - len(side)) for side in sides)
    return list(zip(rows, columns, strict=True))


class ConvolutionStem(nn.Module):
    """Overlapping strided convolutions to the grid of the patches (Xiao et al. 2021, section 4).

    There is no normalisation between them: over a clip it would take out the level, in which much of arousal lies,
    and over a batch it would make the clips of a batch depend on each other.

    Args:
        config: of the encoder; its patch gives the strides.
    """

    def __init__(self, config: ViTConfig) -> None:
        super().__init__()
        rows, columns = (size // side for size, side in zip(config.image_size, config.patch_size, strict=True))
        self.num_patches, self.image_size = rows * columns, tuple(config.image_size)
        strides = stem_strides(config.patch_size)
        widths = [max(8, config.hidden_size >> (len(strides) - i)) for i in range(len(strides))]
        # a kernel of 3 would step over frames at a stride of 4; the edge is continued, as a zero there is a loud -10 dB
        first = nn.Conv2d(1, widths[0], 7, strides[0], 3, padding_mode="replicate")
        layers: list[nn.Module] = [first, nn.GELU()]
        for before, width, stride in zip(widths, widths[1:], strides[1:], strict=False):
            layers += [nn.Conv2d(before, width, 3, stride, 1), nn.GELU()]
        self.convolutions = nn.Sequential(*layers)
        self.projection = nn.Conv2d(widths[-1], config.hidden_size, 1)

    def forward(self, pixel_values: Tensor) -> Tensor:
        """`(B, 1, n_mels, n_frames)` -> `(B, patches, hidden_size)`, in the order of ViT's patches."""
        return self.projection(self.convolutions(pixel_values)).flatten(2).transpose(1, 2)


class StemmedViTModel(ViTModel):
    """transformers' ViT encoder behind a convolutional stem."""

    def __init__(self, config: ViTConfig) -> None:
        super().__init__(config, add_pooling_layer=False)
        self.embeddings.patch_embeddings = ConvolutionStem(config)
        self.post_init()

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        super()._init_weights(module)
        if isinstance(module, nn.Conv2d):  # He's scale: a deviation of 0.02 would fade over the layers
            init.kaiming_normal_(module.weight, nonlinearity="relu")
