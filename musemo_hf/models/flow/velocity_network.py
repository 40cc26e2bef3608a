"""The network of a flow: a small diffusion transformer (Peebles & Xie 2023, "DiT")."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

PROFILE_TOKENS = 4


def sinusoid(position: Tensor, width: int, longest: float) -> Tensor:
    """Sines and cosines of positions, `(..., width)` (Vaswani et al. 2017, section 3.5).

    Args:
        position: `(...)`.
        width: even.
        longest: period of the slowest pair is 2 pi times this.
    """
    speed = torch.exp(-math.log(longest) * torch.arange(width // 2, device=position.device) / max(1, width // 2 - 1))
    angle = position[..., None].float() * speed
    return torch.cat([angle.sin(), angle.cos()], dim=-1)


def grid_positions(rows: int, columns: int, width: int) -> Tensor:
    """Where a patch is, `(rows * columns, width)`: one half says the column, the other the row."""
    across = sinusoid(torch.arange(columns), width // 2, longest=columns)
    down = sinusoid(torch.arange(rows), width - width // 2, longest=max(rows, 2))
    both = [across[None].expand(rows, -1, -1), down[:, None].expand(-1, columns, -1)]
    return torch.cat(both, dim=-1).reshape(rows * columns, width)


class Condition(nn.Module):
    """Time and emotion -> one vector that steers every block.

    The emotion that is left out, for classifier-free guidance (Ho & Salimans 2022), is a vector of its own.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width
        self.time = nn.Sequential(nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width))
        self.emotion = nn.Sequential(nn.Linear(2, width), nn.SiLU(), nn.Linear(width, width))
        self.nothing = nn.Parameter(torch.zeros(width))

    def forward(self, time: Tensor, emotion: Tensor, dropped: Tensor | None) -> Tensor:
        """`(B, width)` of time `(B,)` in [0, 1], emotion `(B, 2)` and bool `(B,)`, True where it is left out."""
        felt = self.emotion(emotion)
        if dropped is not None:
            felt = torch.where(dropped[:, None], self.nothing, felt)
        return functional.silu(self.time(sinusoid(1000 * time, self.width, longest=10_000).to(felt)) + felt)


def attention(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Scaled dot products, `(B, heads, tokens, size)` each; written out where the fused kernel's gradient is slow."""
    if query.dtype == torch.bfloat16 and query.device.type == "cpu":
        scores = (query * query.shape[-1] ** -0.5) @ key.mT
        return scores.float().softmax(dim=-1).to(value.dtype) @ value
    return functional.scaled_dot_product_attention(query, key, value)


class Block(nn.Module):
    """Attention and a two-layer network, shifted, scaled and gated by the condition; starts as the identity."""

    def __init__(self, width: int, n_heads: int, mlp_ratio: float) -> None:
        super().__init__()
        self.n_heads, hidden = n_heads, round(width * mlp_ratio)
        self.norm1 = nn.LayerNorm(width, elementwise_affine=False)
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.norm2 = nn.LayerNorm(width, elementwise_affine=False)
        self.widen, self.narrow = nn.Linear(width, hidden), nn.Linear(hidden, width)
        self.modulation = nn.Linear(width, 6 * width)

    def forward(self, hidden: Tensor, condition: Tensor) -> Tensor:
        """`(B, n_tokens, width)` -> the same."""
        shift1, scale1, gate1, shift2, scale2, gate2 = self.modulation(condition)[:, None].chunk(6, dim=-1)
        hidden = hidden + gate1 * self._attend(self.norm1(hidden) * (1 + scale1) + shift1)
        widened = self.widen(self.norm2(hidden) * (1 + scale2) + shift2)
        return hidden + gate2 * self.narrow(functional.gelu(widened, approximate="tanh"))

    def _attend(self, hidden: Tensor) -> Tensor:
        query, key, value = self.qkv(hidden).unflatten(-1, (3, self.n_heads, -1)).permute(2, 0, 3, 1, 4)
        return self.out(attention(query, key, value).transpose(1, 2).flatten(2))


class VelocityNetwork(nn.Module):
    """Latents, time and emotion -> a value for each latent of the profile and of each patch; 0 before any training.

    The profile is four tokens more, each a view of all of it, since it has more latents than a token has room for.

    Args:
        n_profile: latents of the profile.
        grid: rows and columns of patches.
        n_components: of a patch's latent.
        width: of the tokens; `n_heads` divides it.
        depth: blocks.
        n_heads: of the attention.
        mlp_ratio: hidden width of a block's two-layer network, over `width`.
    """

    def __init__(
        self,
        n_profile: int,
        grid: tuple[int, int],
        n_components: int,
        width: int,
        depth: int,
        n_heads: int,
        mlp_ratio: float,
    ) -> None:
        super().__init__()
        self.enter_profile = nn.Linear(n_profile, PROFILE_TOKENS * width)
        self.enter = nn.Linear(n_components, width)
        self.position = nn.Parameter(grid_positions(*grid, width))
        self.condition = Condition(width)
        self.blocks = nn.ModuleList(Block(width, n_heads, mlp_ratio) for _ in range(depth))
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
        self, profile: Tensor, patches: Tensor, time: Tensor, emotion: Tensor, dropped: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """`(B, n_profile)` and `(B, n_tokens, n_components)` -> the same; see `Condition` for the others."""
        condition = self.condition(time, emotion, dropped)
        views = self.enter_profile(profile).unflatten(1, (PROFILE_TOKENS, -1))
        hidden = torch.cat([views, self.enter(patches) + self.position], dim=1)
        for block in self.blocks:
            hidden = block(hidden, condition)
        shift, scale = self.modulation(condition)[:, None].chunk(2, dim=-1)
        hidden = self.norm(hidden) * (1 + scale) + shift
        return self.leave_profile(hidden[:, :PROFILE_TOKENS].flatten(1)), self.leave(hidden[:, PROFILE_TOKENS:])
