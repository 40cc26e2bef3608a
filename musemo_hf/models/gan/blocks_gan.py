"""Building blocks of the GAN's networks."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import parametrize
from transformers import PreTrainedModel
from transformers import initialization as init

from .complete_loading import CompleteLoadingMixin
from .configuration_gan import MusemoGanConfig
from .spectral_norm import restore_singular_vectors
from .verification import VerifiedModelMixin

PADDING = -1.0  # -60 dB on the normalised scale
STYLE_DIM = 64  # length of the style vector
# up to so many channels torch normalises bfloat16 on a CPU three times as fast channels-first, copies included
NARROW = 16


class StyleGroupNorm(nn.GroupNorm):
    """Normalises groups of channels, then scales and shifts them by its own weights or by a style vector.

    Args:
        groups: The number of groups.
        channels: The number of channels of the input.
        style_dim: The length of the style vector; 0 for a plain `GroupNorm`.
    """

    def __init__(self, groups: int, channels: int, style_dim: int = 0) -> None:
        super().__init__(groups, channels, affine=not style_dim)
        self.to_scale_and_shift = nn.Linear(style_dim, 2 * channels) if style_dim else None

    def forward(self, hidden: Tensor, style: Tensor | None = None) -> Tensor:
        """Normalise `hidden` `(B, C, H, W)`; `style` is `(B, style_dim)`."""
        if hidden.dtype == torch.bfloat16 and hidden.device.type == "cpu" and hidden.shape[1] <= NARROW:
            return self._modulated(hidden.contiguous(), style).contiguous(memory_format=torch.channels_last)
        return self._modulated(hidden, style)

    def _modulated(self, hidden: Tensor, style: Tensor | None) -> Tensor:
        hidden = super().forward(hidden)
        if self.to_scale_and_shift is None:
            return hidden
        scale, shift = self.to_scale_and_shift(style)[:, :, None, None].chunk(2, dim=1)
        return torch.addcmul(shift, hidden, 1 + scale)


class ResidualUpsampling(nn.Module):
    """Doubles height and width by nearest neighbour, with two 3x3 convolutions and a 1x1 skip connection."""

    def __init__(self, channels: int, out_channels: int, groups: int, style_dim: int = 0) -> None:
        super().__init__()
        self.norm1 = StyleGroupNorm(groups, channels, style_dim)
        self.conv1 = nn.Conv2d(channels, out_channels, 3, padding=1)
        self.norm2 = StyleGroupNorm(groups, out_channels, style_dim)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1)
        self.skip = nn.Conv2d(channels, out_channels, 1, bias=False)

    def forward(self, hidden: Tensor, style: Tensor | None = None) -> Tensor:
        """Upsample `(B, C, H, W)` to `(B, C', 2H, 2W)`."""
        residual = functional.interpolate(functional.relu(self.norm1(hidden, style)), scale_factor=2)
        residual = self.conv2(functional.relu(self.norm2(self.conv1(residual), style)))
        # the 1x1 convolution commutes with nearest neighbour, and is four times cheaper before it
        return residual + functional.interpolate(self.skip(hidden), scale_factor=2)


class TransposedUpsampling(nn.Module):
    """Doubles height and width by the 4x4 transposed convolution of DCGAN (Radford et al. 2016)."""

    def __init__(self, channels: int, out_channels: int, groups: int, style_dim: int = 0) -> None:
        super().__init__()
        self.norm = StyleGroupNorm(groups, channels, style_dim)
        self.conv = nn.ConvTranspose2d(channels, out_channels, 4, stride=2, padding=1)

    def forward(self, hidden: Tensor, style: Tensor | None = None) -> Tensor:
        """Upsample `(B, C, H, W)` to `(B, C', 2H, 2W)`."""
        return self.conv(functional.relu(self.norm(hidden, style)))


class SubpixelConv(nn.Conv2d):
    """A convolution to `factor` x `factor` neighbouring cells of each position, which begin equal (Aitken et al. 2017).

    They are the channels of its output, for `pixel_shuffle`. Drawn independently, they would begin as a chequerboard.
    """

    def __init__(self, channels: int, factor: int = 2) -> None:
        super().__init__(channels, factor**2, 3, padding=1)


class SelfAttention(nn.Module):
    """Lets every position attend to every other (Zhang et al. 2019); starts as the identity."""

    def __init__(self, channels: int, head_dim: int = 64) -> None:
        super().__init__()
        self.n_heads = max(1, channels // head_dim)
        self.norm = nn.GroupNorm(1, channels)
        self.qkv = nn.Conv2d(channels, 3 * channels, 1, bias=False)
        self.out = nn.Conv2d(channels, channels, 1, bias=False)
        self.gate = nn.Parameter(torch.zeros(1))

    def forward(self, hidden: Tensor) -> Tensor:
        """Return the same shape, `(B, C, H, W)`."""
        batch, channels, height, width = hidden.shape
        qkv = self.qkv(self.norm(hidden)).reshape(batch, 3, self.n_heads, channels // self.n_heads, height * width)
        query, key, value = qkv.transpose(-1, -2).unbind(1)
        attended = functional.scaled_dot_product_attention(query, key, value)
        return hidden + self.gate * self.out(attended.transpose(-1, -2).reshape(hidden.shape))


class MusemoGanPreTrainedModel(VerifiedModelMixin, CompleteLoadingMixin, PreTrainedModel):
    """Holds what generator and discriminator share: the configuration and the initial weights."""

    config_class = MusemoGanConfig
    base_model_prefix = ""
    main_input_name = "emotion"

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path: Any, *model_args: Any, **options: Any) -> Any:
        """Load a checkpoint as transformers does, as float32 where no `dtype` is given, whatever it is stored as."""
        if "torch_dtype" not in options:
            options.setdefault("dtype", torch.float32)
        return super().from_pretrained(pretrained_model_name_or_path, *model_args, **options)

    @classmethod
    def can_generate(cls) -> bool:
        """Return False: `generate` makes spectrograms, and not sequences of tokens as transformers means it."""
        return False

    def wants_dict(self, return_dict: bool | None) -> bool:
        """Return whether a forward returns an output with names: what was asked for, or the configuration's value."""
        return self.config.return_dict if return_dict is None else return_dict

    @torch.no_grad()
    def _init_weights(self, module: Any) -> None:
        if isinstance(module, (nn.Linear, nn.Conv1d, nn.Conv2d, nn.ConvTranspose2d)):
            normed = parametrize.is_parametrized(module, "weight")
            init.orthogonal_(module.parametrizations.weight.original if normed else module.weight)  # type: ignore[union-attr]
            if module.bias is not None:
                init.zeros_(module.bias)
            if isinstance(module, SubpixelConv):
                init.copy_(module.weight, module.weight[:1].expand_as(module.weight).clone())
            if normed:
                restore_singular_vectors(module.parametrizations.weight)  # type: ignore[union-attr]
        elif isinstance(module, (nn.GroupNorm, nn.LayerNorm)) and module.weight is not None:
            init.ones_(module.weight)
            init.zeros_(module.bias)
        elif isinstance(module, nn.Embedding):
            init.normal_(module.weight, std=0.5)
        elif isinstance(module, SelfAttention):
            init.zeros_(module.gate)
        elif isinstance(module, parametrize.ParametrizationList) and module[0].made_empty:
            # visited alone where a checkpoint holds the bias of a layer but not its weight
            init.orthogonal_(module.original)
            restore_singular_vectors(module)
