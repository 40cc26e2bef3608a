"""The network that predicts the velocity: diffusers' U-Net on cosines of patches of the log-mel."""

import math
from collections.abc import Mapping, Sequence

import torch
from diffusers import UNet2DModel
from diffusers.models.attention_processor import Attention
from diffusers.models.resnet import ResnetBlock2D
from torch import Tensor, nn

from .beat import BEAT, beat_channels
from .conditions import Conditions

N_POSITIONS = 4  # channels that tell a row of patches from the others
HEAD_SIZE = 32


class UNetVelocity(nn.Module):
    """Predicts a value for each cosine of each patch, see `PatchCosines`; the prediction is 0 before training.

    The cosines of a patch are the channels of diffusers' `UNet2DModel`, which is convolutional in
    time, and its attention has no positions in time, so that it takes any number of frames that `frame_multiple`
    divides. Learnt channels distinguish the mel bands, because a low band is not a high one moved.

    Args:
        n_mels: The number of mel bands.
        patch: The number of mel bands, and of frames, of a patch, which is one position of the first convolution.
        channels: The number of channels of each scale, from fine to coarse; each scale halves the resolution.
        layers: The number of residual blocks of each scale.
        attention: For each scale, whether its blocks have attention.
        condition_width: The width of the embedding of time and conditions.
        conditions: The names of the conditions, see `Conditions`.
        genres: The names of the genres, see `Conditions`.
        n_descriptors: The number of descriptors, see `Conditions`.
        beat: Whether a beat can be given as the condition "beat", see `beat_channels`.

    Raises:
        ValueError: The sizes do not fit each other.
    """

    def __init__(
        self,
        n_mels: int,
        patch: int,
        channels: Sequence[int],
        layers: int,
        attention: Sequence[bool],
        condition_width: int,
        conditions: Sequence[str],
        genres: Sequence[str] = (),
        n_descriptors: int = 0,
        beat: bool = False,
    ) -> None:
        super().__init__()
        self.frame_multiple = patch * 2 ** (len(channels) - 1)
        if len(channels) < 2 or len(attention) != len(channels) or n_mels % self.frame_multiple:
            raise ValueError(
                f"expected at least two scales, attention for each, and mel bands that {self.frame_multiple} divides, "
                f"got channels {tuple(channels)}, attention {tuple(attention)} and {n_mels} mel bands"
            )
        groups = math.gcd(16, *channels)
        if groups < 2 or any(each % HEAD_SIZE for each, has in zip(channels, attention, strict=True) if has):
            raise ValueError(f"expected even numbers of channels, and of {HEAD_SIZE} with attention, got {channels}")
        rows = n_mels // patch
        speed = math.pi * 2.0 ** torch.arange(N_POSITIONS // 2)[:, None]
        angle = speed * (torch.arange(rows) + 0.5) / rows
        self.position = nn.Parameter(torch.cat([angle.sin(), angle.cos()])[..., None])
        self.conditions = Conditions(conditions, condition_width, genres, n_descriptors, beat)
        self.patch, self.n_beat_channels = patch, 2 if beat else 0
        self.unet = UNet2DModel(
            in_channels=patch**2 + N_POSITIONS + self.n_beat_channels,
            out_channels=patch**2,
            block_out_channels=tuple(channels),
            layers_per_block=layers,
            down_block_types=tuple("AttnDownBlock2D" if has else "DownBlock2D" for has in attention),
            up_block_types=tuple("AttnUpBlock2D" if has else "UpBlock2D" for has in reversed(attention)),
            time_embedding_dim=condition_width,
            class_embed_type="identity",
            resnet_time_scale_shift="scale_shift",
            attention_head_dim=HEAD_SIZE,
            norm_num_groups=groups,
        )
        self._start_as_identity()

    @torch.no_grad()
    def _start_as_identity(self) -> None:
        """Set to 0 what each residual branch adds, and the prediction (Dhariwal & Nichol 2021, appendix B)."""
        last = [self.unet.conv_out]
        last += [module.conv2 for module in self.unet.modules() if isinstance(module, ResnetBlock2D)]
        last += [module.to_out[0] for module in self.unet.modules() if isinstance(module, Attention)]
        for layer in last:
            layer.weight.zero_()
            layer.bias.zero_()

    def forward(
        self, cosines: Tensor, t: Tensor, emotion: Tensor, others: Mapping[str, Tensor], drop_mask: Tensor | None = None
    ) -> Tensor:
        """Transform `(B, patch^2, rows, columns)` at times `(B,)`; see `Conditions.values` for the others."""
        position = self.position.to(cosines).expand(len(cosines), -1, -1, cosines.shape[-1])
        parts = [cosines, position]
        if self.n_beat_channels:
            beat = beat_channels(others.get(BEAT), len(cosines), cosines.shape[-1], self.patch, drop_mask)
            parts.append(beat.to(cosines)[:, :, None].expand(-1, -1, cosines.shape[2], -1))
        inputs = torch.cat(parts, dim=1).contiguous(memory_format=torch.channels_last)
        condition = self.conditions(emotion, others, drop_mask)
        return self.unet(inputs, 1000 * t, condition).sample  # diffusers' sinusoids are for times from 0 to 1,000
