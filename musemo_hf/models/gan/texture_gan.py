"""A fully convolutional network with noise at every place as the generator's network (after Bergmann et al. 2017).

A generator whose first layer is tied to every frame learns one arrangement in time, which the noise hardly changes.
Here nothing knows which frame of a clip it is at, so what happens when can come from the noise only.
"""

import math
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from .blocks_gan import STYLE_DIM, SubpixelConv
from .configuration_gan import MusemoGanConfig

COLUMN = 16  # frames that one column of the coarsest map stands for
FINE = 4  # frames, and mel bands, that one place of the fine noise stands for
HELD = 4  # noise values for each of the fine rows of a clip, and as many for each fine step in time
SLOWEST, FASTEST = 0.3, 6.0  # Hz, the rates of the rhythms before the style changes them
FRAME = 512 / 22050  # seconds


class ModulatedNorm(nn.Module):
    """Normalises the channels at each place, then scales and shifts them by a style vector.

    Unlike a group norm it mixes no places, so that a clip may have any length.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.to_scale_and_shift = nn.Linear(STYLE_DIM, 2 * channels)

    def forward(self, hidden: Tensor, style: Tensor) -> Tensor:
        """Normalise `hidden` `(B, C, H, W)`; `style` is `(B, STYLE_DIM)`."""
        normed = hidden * hidden.square().mean(dim=1, keepdim=True).add(1e-6).rsqrt()
        scale, shift = self.to_scale_and_shift(style)[:, :, None, None].chunk(2, dim=1)
        return torch.addcmul(shift, normed, 1 + scale)


class TextureStage(nn.Module):
    """Doubles height and width, and adds the rhythms, which are functions of time, and noise of its own."""

    def __init__(self, channels: int, out_channels: int, n_rhythms: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = ModulatedNorm(channels), ModulatedNorm(out_channels)
        self.conv1 = nn.Conv2d(channels, out_channels, 3, padding=1)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1)
        self.skip = nn.Conv2d(channels, out_channels, 1, bias=False)
        self.from_rhythm = nn.Conv2d(2 * n_rhythms, out_channels, 1, bias=False) if n_rhythms else None

    def forward(self, hidden: Tensor, style: Tensor, rhythm: Tensor, noise: Tensor | None = None) -> Tensor:
        """Upsample `(B, C, H, W)` to `(B, C', 2H, 2W)`, with rhythms `(B, 2R, 1, 2W)` and noise `(B, C', 2H, 2W)`."""
        residual = functional.interpolate(functional.silu(self.norm1(hidden, style)), scale_factor=2)
        residual = self.conv1(residual)
        if self.from_rhythm is not None:
            residual = residual + self.from_rhythm(rhythm)
        if noise is not None:
            residual = residual + noise
        residual = self.conv2(functional.silu(self.norm2(residual, style)))
        # smooth, because what is added to the nearest neighbour keeps the blocks of the coarse noise
        return residual + functional.interpolate(self.skip(hidden), scale_factor=2, mode="bilinear")


class MelTexture(nn.Module):
    """Generates a mel spectrogram of any number of columns of 16 frames.

    The noise of a clip holds, one after another: `config.noise_dim` values for the whole clip, the phases of the
    rhythms, values that each group of four bands keeps over the whole clip (what lasts), and for each column its own
    values: coarse ones for each row of 16 bands, ones that all bands share every four frames (what begins), and fine
    ones for each place of four bands and four frames.

    Args:
        config: The configuration of the GAN.
        code_dim: The length of the noise for the whole clip and the emotion embedding together.
    """

    def __init__(self, config: MusemoGanConfig, code_dim: int) -> None:
        super().__init__()
        channels, self.n_rhythms = config.stage_channels, config.n_rhythms
        self.rows, self.local = config.n_mels // COLUMN, config.local_noise_dim
        per_side = COLUMN // FINE
        self.fine_rows = self.rows * per_side
        self.clip_sizes = (config.noise_dim, 2 * self.n_rhythms, HELD * self.fine_rows)
        self.column_sizes = (self.local * self.rows, HELD * per_side, self.fine_rows * per_side)
        self.row = nn.Embedding(self.rows, channels[0])
        self.from_code = nn.Linear(code_dim, channels[0])
        self.from_local = nn.Conv2d(self.local, channels[0], 3, padding=1)
        self.stages = nn.ModuleList(TextureStage(*widths, self.n_rhythms) for widths in pairwise(channels))
        self.from_fine = nn.Conv2d(1 + 2 * HELD, channels[2], 3, padding=1)
        self.to_rates = nn.Linear(STYLE_DIM, self.n_rhythms) if self.n_rhythms else None
        self.norm = ModulatedNorm(channels[-1])
        self.to_mel = SubpixelConv(channels[-1])

    def noise_dim(self, n_frames: int) -> int:
        """Return the number of noise values of a clip of so many frames."""
        return sum(self.clip_sizes) + -(-n_frames // COLUMN) * sum(self.column_sizes)

    def forward(self, emotion: Tensor, noise: Tensor, style: Tensor) -> Tensor:
        """Return `(B, 1, n_mels, 16 * columns)`, before the tanh.

        Args:
            emotion: The embedded emotions `(B, emotion_dim)`.
            noise: The noise `(B, noise_dim(n_frames))`, whose length decides the number of columns.
            style: The style vectors `(B, STYLE_DIM)`.
        """
        n_columns = noise[:, sum(self.clip_sizes) :].shape[1]
        clip, phases, held, columns = noise.split((*self.clip_sizes, n_columns), dim=1)
        local, fine = self._maps(held, columns)
        code = self.from_code(torch.cat([clip, emotion], dim=1))
        hidden = self.from_local(local) + code[:, :, None, None] + self.row.weight.T[None, :, :, None]
        for index, stage in enumerate(self.stages):
            frames = COLUMN >> (index + 1)
            rhythm = self._rhythm(phases, style, hidden.shape[-1] * 2, frames)
            hidden = stage(hidden, style, rhythm, self.from_fine(fine) if frames == FINE else None)
        return functional.pixel_shuffle(self.to_mel(functional.silu(self.norm(hidden, style))), 2)

    def _maps(self, held: Tensor, columns: Tensor) -> tuple[Tensor, Tensor]:
        """Return the coarse noise `(B, local, rows, W)`, and the fine noise `(B, 1 + 2 * HELD, 4 * rows, 4 * W)`."""
        per_column, per_side = columns.unflatten(1, (-1, sum(self.column_sizes))), COLUMN // FINE
        local, begun, fine = per_column.split(self.column_sizes, dim=2)
        local = local.unflatten(2, (self.local, self.rows)).permute(0, 2, 3, 1)
        begun = begun.unflatten(2, (HELD, per_side)).permute(0, 2, 1, 3).flatten(2)
        fine = fine.unflatten(2, (self.fine_rows, per_side)).permute(0, 2, 1, 3).flatten(2)
        shape = (-1, HELD, *fine.shape[1:])
        held = held.unflatten(1, (HELD, self.fine_rows))
        return local, torch.cat([fine[:, None], held[..., None].expand(shape), begun[:, :, None].expand(shape)], dim=1)

    def _rhythm(self, phases: Tensor, style: Tensor, width: int, frames: int) -> Tensor:
        """Return sines and cosines of time `(B, 2R, 1, width)`, each of which stands for so many frames."""
        if self.to_rates is None:
            return phases[:, :, None, None]
        octaves = torch.linspace(math.log2(SLOWEST), math.log2(FASTEST), self.n_rhythms, device=style.device)
        with torch.autocast(style.device.type, enabled=False):  # bfloat16 would round the time
            weight, bias = self.to_rates.weight.float(), self.to_rates.bias.float()
            rates = 2 ** (octaves + torch.tanh(functional.linear(style.float(), weight, bias)))
            time = (torch.arange(width, device=style.device) + 0.5) * (frames * FRAME)
            first, second = phases.float().chunk(2, dim=1)
            angles = 2 * math.pi * rates[:, :, None] * time + torch.atan2(first, second)[:, :, None]
            return torch.cat([angles.sin(), angles.cos()], dim=1)[:, :, None].to(style.dtype)
