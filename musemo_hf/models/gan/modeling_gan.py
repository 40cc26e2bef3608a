"""Emotion -> log-mel: a conditional GAN (Goodfellow et al. 2014; Mirza & Osindero 2014)."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from numbers import Integral  # numpy's integers too

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers.utils import ModelOutput

from .blocks_gan import (
    MusemoGanPreTrainedModel,
    ResidualUpsampling,
    SelfAttention,
    StyleGroupNorm,
    TransposedUpsampling,
    emotion_mlp,
)
from .configuration_gan import MusemoGanConfig
from .transformer_gan import MelTransformer


@dataclass
class MusemoGeneratorOutput(ModelOutput):
    """`spectrogram`: normalised log-mel `(B, 1, n_mels, n_frames)` in [-1, 1]."""

    spectrogram: Tensor | None = None


def check_emotion(emotion: Tensor | Sequence) -> Tensor:
    """`(B, 2)` float32 (valence, arousal), or an error that says what is wrong.

    Raises:
        ValueError: not of shape `(B, 2)`, NaN or infinite, or outside [-1, 1] (as on DEAM's 1-9 scale).
    """
    emotion = torch.as_tensor(emotion, dtype=torch.float32)
    if emotion.ndim != 2 or emotion.shape[1] != 2 or emotion.shape[0] == 0:
        raise ValueError(f"expected emotion of shape (B, 2) = (valence, arousal), got {tuple(emotion.shape)}")
    if not torch.isfinite(emotion).all():
        raise ValueError("expected finite valence and arousal, got NaN or infinity")
    if emotion.abs().max() > 1:
        low, high = emotion.min().item(), emotion.max().item()
        hint = "; DEAM's 1-9 maps by (x - 5) / 4" if low >= 1 and high <= 9 else ""
        raise ValueError(f"expected valence and arousal in [-1, 1], got values from {low:g} to {high:g}{hint}")
    return emotion


class MusemoGanGenerator(MusemoGanPreTrainedModel):
    """Noise and an emotion -> a log-mel spectrogram.

    Noise (`noise_dim`) joined to an embedding of (valence, arousal); linear to 8 x n_frames / 16; four upsampling
    stages, which a style vector of both modulates where so configured; self-attention where it is affordable; or, in
    the place of all that, a transformer over patches; tanh; cropped on the right to `n_frames`.
    """

    def __init__(self, config: MusemoGanConfig) -> None:
        super().__init__(config)
        mlp = config.emotion_embedding == "mlp"
        self.embed_emotion: nn.Module = (
            emotion_mlp(config.emotion_hidden_dim, config.emotion_dim) if mlp else nn.Linear(2, config.emotion_dim)
        )
        code_dim = config.noise_dim + config.emotion_dim
        by_transformer = config.generator_network == "transformer"
        style_dim = config.style_dim if config.modulation or by_transformer else 0
        self.to_style = nn.Sequential(nn.Linear(code_dim, style_dim), nn.LeakyReLU(0.2)) if style_dim else None
        self.transformer = MelTransformer(config, code_dim) if by_transformer else None
        if not by_transformer:
            self._add_convolutions(code_dim, style_dim)
        self.post_init()

    def _add_convolutions(self, code_dim: int, style_dim: int) -> None:
        config = self.config
        channels, groups = config.stage_channels, config.group_norm_groups
        self.base_shape = (channels[0], config.n_mels // 16, config.padded_frames // 16)
        self.project = nn.Linear(code_dim, self.base_shape[0] * self.base_shape[1] * self.base_shape[2])
        upsampling = TransposedUpsampling if config.upsampling == "transposed" else ResidualUpsampling
        self.stages = nn.ModuleList(upsampling(*widths, groups, style_dim) for widths in pairwise(channels))
        attended = config.attention_stage
        self.attention = None if attended is None or attended < 0 else SelfAttention(channels[attended])
        self.norm = StyleGroupNorm(groups, channels[-1], style_dim)
        # "shuffle" makes four neighbouring cells of each position at half the resolution (Shi et al. 2016)
        self.to_mel = nn.Conv2d(channels[-1], 4 if config.upsampling == "shuffle" else 1, 3, padding=1)

    def forward(self, emotion: Tensor, noise: Tensor) -> MusemoGeneratorOutput:
        """Generate, with gradient.

        Args:
            emotion: `(B, 2)` (valence, arousal) in [-1, 1].
            noise: `(B, noise_dim)`, standard normal.
        """
        code = torch.cat([noise, self.embed_emotion(emotion)], dim=1)
        style = None if self.to_style is None else self.to_style(code)
        raw = self._convolved(code, style) if self.transformer is None else self.transformer(code, style)
        return MusemoGeneratorOutput(spectrogram=torch.tanh(raw)[..., : self.config.n_frames])

    def _convolved(self, code: Tensor, style: Tensor | None) -> Tensor:
        hidden = self.project(code).reshape(-1, *self.base_shape)
        for index, stage in enumerate(self.stages):
            if self.attention is not None and index == self.config.attention_stage:
                hidden = self.attention(hidden)
            hidden = stage(hidden, style)
        raw = self.to_mel(functional.relu(self.norm(hidden, style)))
        return functional.pixel_shuffle(raw, 2) if self.config.upsampling == "shuffle" else raw

    def sample_noise(self, n_samples: int, seed: int | Sequence[int] | None = None) -> Tensor:
        """Normal noise of deviation `noise_scale`, `(n_samples, noise_dim)` on the CPU, one generator a sample.

        Args:
            n_samples: how many.
            seed: an int gives sample i the seed `seed + i`; a list gives each its own; None draws fresh seeds.

        Raises:
            ValueError: a list of another length.
        """
        if seed is None:
            seed = int(torch.randint(2**62, (1,)).item())
        seeds = [int(seed) + i for i in range(n_samples)] if isinstance(seed, Integral) else list(seed)  # type: ignore[arg-type]
        if len(seeds) != n_samples:
            raise ValueError(f"expected one seed, or {n_samples} of them, got {len(seeds)}")
        dim = self.config.noise_dim
        drawn = [torch.randn(dim, generator=torch.Generator().manual_seed(int(s))) for s in seeds]
        return self.config.noise_scale * torch.stack(drawn)

    @torch.no_grad()
    def generate(
        self, emotion: Tensor | Sequence, seed: int | Sequence[int] | None = None, noise: Tensor | None = None
    ) -> Tensor:
        """Generate without gradient, in eval mode; the caller's mode is restored.

        Args:
            emotion: `(B, 2)` (valence, arousal) in [-1, 1].
            seed: see `sample_noise`. Sample i is the same in any batch and on any device.
            noise: `(B, noise_dim)` instead of a seed.

        Returns:
            Normalised log-mel `(B, 1, n_mels, n_frames)` in [-1, 1].

        Raises:
            ValueError: an emotion that `check_emotion` refuses, noise of another shape, or both seed and noise.
        """
        emotion = check_emotion(emotion)
        if noise is None:
            noise = self.sample_noise(len(emotion), seed)
        elif seed is not None:
            raise ValueError("expected seed or noise, got both")
        if tuple(noise.shape) != (len(emotion), self.config.noise_dim):
            raise ValueError(
                f"expected noise of shape ({len(emotion)}, {self.config.noise_dim}), got {tuple(noise.shape)}"
            )
        was_training = self.training
        self.eval()
        try:
            return self(
                emotion=emotion.to(self.device, self.dtype), noise=noise.to(self.device, self.dtype)
            ).spectrogram
        finally:
            self.train(was_training)
