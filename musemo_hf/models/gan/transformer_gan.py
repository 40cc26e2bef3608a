"""A transformer over patches of 16 x 16 as the generator's network."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from .blocks_gan import STYLE_DIM
from .configuration_gan import MusemoGanConfig

PATCH = 16
CHANNELS = 4  # channels into which a patch's values are folded, at half the resolution


class ModulatedBlock(nn.Module):
    """Attention and an MLP, each scaled, shifted and gated by a style vector (adaLN; Peebles & Xie 2023, section 3.2).

    Args:
        dim: The width of the tokens.
        n_heads: The number of attention heads.
    """

    def __init__(self, dim: int, n_heads: int) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.to_modulation = nn.Linear(STYLE_DIM, 6 * dim)
        self.qkv = nn.Linear(dim, 3 * dim, bias=False)
        self.out = nn.Linear(dim, dim)
        self.widen = nn.Linear(dim, 2 * dim)
        self.narrow = nn.Linear(2 * dim, dim)

    def forward(self, tokens: Tensor, style: Tensor) -> Tensor:
        """Transform tokens `(B, T, dim)` under a style `(B, STYLE_DIM)`."""
        scale1, shift1, gate1, scale2, shift2, gate2 = self.to_modulation(style)[:, None].chunk(6, dim=-1)
        # a GAN has no use for blocks that start as the identity: gates begin around 1
        tokens = tokens + (1 + gate1) * self._attended(torch.addcmul(shift1, _normed(tokens), 1 + scale1))
        hidden = functional.gelu(self.widen(torch.addcmul(shift2, _normed(tokens), 1 + scale2)), approximate="tanh")
        return tokens + (1 + gate2) * self.narrow(hidden)

    def _attended(self, tokens: Tensor) -> Tensor:
        qkv = self.qkv(tokens).unflatten(-1, (3, self.n_heads, -1)).permute(2, 0, 3, 1, 4)
        return self.out(functional.scaled_dot_product_attention(*qkv.unbind(0)).transpose(1, 2).flatten(2))


class MelTransformer(nn.Module):
    """Generates a mel spectrogram from noise and emotion by transformer blocks, without seams between patches.

    Args:
        config: The configuration of the GAN.
        code_dim: The length of the noise and the emotion embedding together.
    """

    def __init__(self, config: MusemoGanConfig, code_dim: int) -> None:
        super().__init__()
        dim = config.transformer_dim
        self.grid = (config.n_mels // PATCH, config.padded_frames // PATCH)
        # a token for each row and each column: one for every patch would make this the largest layer by far
        self.to_rows = nn.Linear(code_dim, self.grid[0] * dim)
        self.to_columns = nn.Linear(code_dim, self.grid[1] * dim)
        self.position = nn.Embedding(self.grid[0] * self.grid[1], dim)
        self.blocks = nn.ModuleList(
            ModulatedBlock(dim, config.transformer_heads) for _ in range(config.transformer_layers)
        )
        self.to_patch = nn.Linear(dim, CHANNELS * (PATCH // 2) ** 2)
        self.across_patches = nn.Conv2d(CHANNELS, 4 * CHANNELS, 3, padding=1)
        self.to_subpixels = nn.Conv2d(4 * CHANNELS, 4, 3, padding=1)

    def forward(self, code: Tensor, style: Tensor) -> Tensor:
        """Return `(B, 1, n_mels, padded_frames)`, before the tanh, for `(B, code_dim)` and `(B, STYLE_DIM)`."""
        (height, width), batch = self.grid, code.shape[0]
        rows = self.to_rows(code).reshape(batch, height, 1, -1)
        columns = self.to_columns(code).reshape(batch, 1, width, -1)
        tokens = (rows + columns).flatten(1, 2) + self.position.weight
        for block in self.blocks:
            tokens = block(tokens, style)
        patches = self.to_patch(_normed(tokens)).transpose(1, 2).reshape(batch, -1, height, width)
        hidden = functional.pixel_shuffle(patches, PATCH // 2)
        hidden = self.to_subpixels(functional.leaky_relu(self.across_patches(hidden), 0.2))
        return functional.pixel_shuffle(hidden, 2)


def _normed(tokens: Tensor) -> Tensor:
    return functional.layer_norm(tokens, tokens.shape[-1:])
