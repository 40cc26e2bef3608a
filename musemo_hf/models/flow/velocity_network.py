"""The network that predicts the velocity: a small diffusion transformer (DiT; Peebles & Xie 2023)."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

PROFILE_TOKENS = 4


def sinusoid(position: Tensor, width: int, longest: float) -> Tensor:
    """Return sines and cosines of positions, `(..., width)` (Vaswani et al. 2017, section 3.5).

    Args:
        position: The positions `(...)`.
        width: The number of values for each position, an even number.
        longest: The period of the slowest pair, divided by 2 pi.
    """
    speed = torch.exp(-math.log(longest) * torch.arange(width // 2, device=position.device) / max(1, width // 2 - 1))
    angle = position[..., None].float() * speed
    return torch.cat([angle.sin(), angle.cos()], dim=-1)


def grid_positions(rows: int, columns: int, width: int) -> Tensor:
    """Return position embeddings `(rows * columns, width)`: one half encodes the column, the other the row."""
    across = sinusoid(torch.arange(columns), width // 2, longest=columns)
    down = sinusoid(torch.arange(rows), width - width // 2, longest=max(rows, 2))
    both = [across[None].expand(rows, -1, -1), down[:, None].expand(-1, columns, -1)]
    return torch.cat(both, dim=-1).reshape(rows * columns, width)


class Condition(nn.Module):
    """Embeds time and emotion as one vector, which conditions every block.

    A dropped emotion, for classifier-free guidance (Ho & Salimans 2022), has an embedding of its own.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width
        self.time = nn.Sequential(nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width))
        self.emotion = nn.Sequential(nn.Linear(2, width), nn.SiLU(), nn.Linear(width, width))
        self.nothing = nn.Parameter(torch.zeros(width))

    def forward(self, t: Tensor, emotion: Tensor, drop_mask: Tensor | None) -> Tensor:
        """Return embeddings `(B, width)` for times `(B,)` in [0, 1], emotions `(B, 2)` and a drop mask `(B,)`."""
        embedded = self.emotion(emotion)
        if drop_mask is not None:
            embedded = torch.where(drop_mask[:, None], self.nothing, embedded)
        time = self.time(sinusoid(1000 * t, self.width, longest=10_000).to(embedded))
        return functional.silu(time + embedded)


def attention(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Apply scaled dot-product attention, `(B, heads, tokens, size)` each, in the form that is fastest to train."""
    # the gradient of the fused kernel is slow in bfloat16 on a CPU
    if query.dtype == torch.bfloat16 and query.device.type == "cpu":
        scores = (query * query.shape[-1] ** -0.5) @ key.mT
        return scores.float().softmax(dim=-1).to(value.dtype) @ value
    return functional.scaled_dot_product_attention(query, key, value)


class Block(nn.Module):
    """Attention and an MLP, shifted, scaled and gated by the condition; starts as the identity."""

    def __init__(self, width: int, n_heads: int) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.norm1 = nn.LayerNorm(width, elementwise_affine=False)
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.norm2 = nn.LayerNorm(width, elementwise_affine=False)
        self.widen, self.narrow = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.modulation = nn.Linear(width, 6 * width)

    def forward(self, hidden: Tensor, condition: Tensor) -> Tensor:
        """Transform tokens `(B, n_tokens, width)` under a condition `(B, width)`."""
        shift1, scale1, gate1, shift2, scale2, gate2 = self.modulation(condition)[:, None].chunk(6, dim=-1)
        hidden = hidden + gate1 * self._attend(self.norm1(hidden) * (1 + scale1) + shift1)
        widened = self.widen(self.norm2(hidden) * (1 + scale2) + shift2)
        return hidden + gate2 * self.narrow(functional.gelu(widened, approximate="tanh"))

    def _attend(self, hidden: Tensor) -> Tensor:
        query, key, value = self.qkv(hidden).unflatten(-1, (3, self.n_heads, -1)).permute(2, 0, 3, 1, 4)
        return self.out(attention(query, key, value).transpose(1, 2).flatten(2))


class VelocityNetwork(nn.Module):
    """Predicts a value for each latent of the profile and of each patch; the prediction is 0 before training.

    The profile enters as four additional tokens, each a view of all of it, because it has more latents than one token
    can hold.

    Args:
        n_profile: The number of latents of the profile.
        grid: The numbers of rows and columns of patches.
        n_components: The number of latents of a patch.
        width: The width of the tokens, divisible by `n_heads`.
        depth: The number of blocks.
        n_heads: The number of attention heads.
    """

    def __init__(
        self, n_profile: int, grid: tuple[int, int], n_components: int, width: int, depth: int, n_heads: int
    ) -> None:
        super().__init__()
        self.enter_profile = nn.Linear(n_profile, PROFILE_TOKENS * width)
        self.enter = nn.Linear(n_components, width)
        self.position = nn.Parameter(grid_positions(*grid, width))
        self.condition = Condition(width)
        self.blocks = nn.ModuleList(Block(width, n_heads) for _ in range(depth))
        self.norm = nn.LayerNorm(width, elementwise_affine=False)
        self.modulation = nn.Linear(width, 2 * width)
        self.leave = nn.Linear(width, n_components)
        self.leave_profile = nn.Linear(PROFILE_TOKENS * width, n_profile)
        self.apply(self._initialise)
        for name, value in self.named_parameters():
            if name.endswith(("modulation.weight", "leave.weight", "leave_profile.weight")):
                nn.init.zeros_(value)

    @staticmethod
    def _initialise(module: nn.Module) -> None:
        if isinstance(module, nn.Linear):
            nn.init.xavier_uniform_(module.weight)
            nn.init.zeros_(module.bias)

    def forward(
        self, profile: Tensor, patches: Tensor, t: Tensor, emotion: Tensor, drop_mask: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Transform latents `(B, n_profile)` and `(B, n_tokens, n_components)`; see `Condition` for the others."""
        condition = self.condition(t, emotion, drop_mask)
        views = self.enter_profile(profile).unflatten(1, (PROFILE_TOKENS, -1))
        hidden = torch.cat([views, self.enter(patches) + self.position], dim=1)
        for block in self.blocks:
            hidden = block(hidden, condition)
        shift, scale = self.modulation(condition)[:, None].chunk(2, dim=-1)
        hidden = self.norm(hidden) * (1 + scale) + shift
        return self.leave_profile(hidden[:, :PROFILE_TOKENS].flatten(1)), self.leave(hidden[:, PROFILE_TOKENS:])
