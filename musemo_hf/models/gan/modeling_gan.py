"""Emotion -> log-mel: a conditional GAN (Goodfellow et al. 2014; Mirza & Osindero 2014)."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from numbers import Integral  # numpy's integers too

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import parametrize
from torch.nn.utils.parametrizations import spectral_norm
from transformers import PreTrainedModel
from transformers import initialization as init
from transformers.utils import ModelOutput

from .configuration_gan import MusemoGanConfig

PADDING = -1.0  # -60 dB on the normalised scale


@dataclass
class MusemoGeneratorOutput(ModelOutput):
    """`spectrogram`: normalised log-mel `(B, 1, n_mels, n_frames)` in [-1, 1]."""

    spectrogram: Tensor | None = None


@dataclass
class MusemoDiscriminatorOutput(ModelOutput):
    """`logits`: `(B,)`, positive where the discriminator believes in real music; no sigmoid."""

    logits: Tensor | None = None


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


class ResidualUpsampling(nn.Module):
    """(B, C, H, W) -> (B, C', 2H, 2W): nearest neighbour, two 3x3 convolutions, and a 1x1 skip."""

    def __init__(self, channels: int, out_channels: int, groups: int) -> None:
        super().__init__()
        self.norm1 = nn.GroupNorm(groups, channels)
        self.conv1 = nn.Conv2d(channels, out_channels, 3, padding=1)
        self.norm2 = nn.GroupNorm(groups, out_channels)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1)
        self.skip = nn.Conv2d(channels, out_channels, 1, bias=False)

    def forward(self, hidden: Tensor) -> Tensor:
        """Twice as high and as wide."""
        residual = functional.interpolate(functional.relu(self.norm1(hidden)), scale_factor=2)
        residual = self.conv2(functional.relu(self.norm2(self.conv1(residual))))
        # the 1x1 convolution commutes with nearest neighbour, and is four times cheaper before it
        return residual + functional.interpolate(self.skip(hidden), scale_factor=2)


class TransposedUpsampling(nn.Module):
    """(B, C, H, W) -> (B, C', 2H, 2W): the 4x4 transposed convolution of DCGAN (Radford et al. 2016)."""

    def __init__(self, channels: int, out_channels: int, groups: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(groups, channels)
        self.conv = nn.ConvTranspose2d(channels, out_channels, 4, stride=2, padding=1)

    def forward(self, hidden: Tensor) -> Tensor:
        """Twice as high and as wide."""
        return self.conv(functional.relu(self.norm(hidden)))


class SelfAttention(nn.Module):
    """Every position attends to every other, (B, C, H, W) -> the same (Zhang et al. 2019), by SDPA."""

    def __init__(self, channels: int, head_dim: int = 64) -> None:
        super().__init__()
        self.n_heads = max(1, channels // head_dim)
        self.norm = nn.GroupNorm(1, channels)
        self.qkv = nn.Conv2d(channels, 3 * channels, 1, bias=False)
        self.out = nn.Conv2d(channels, channels, 1, bias=False)
        self.gate = nn.Parameter(torch.zeros(1))  # starts as the identity

    def forward(self, hidden: Tensor) -> Tensor:
        """The same shape."""
        batch, channels, height, width = hidden.shape
        qkv = self.qkv(self.norm(hidden)).reshape(batch, 3, self.n_heads, channels // self.n_heads, height * width)
        query, key, value = qkv.transpose(-1, -2).unbind(1)
        attended = functional.scaled_dot_product_attention(query, key, value)
        return hidden + self.gate * self.out(attended.transpose(-1, -2).reshape(hidden.shape))


class MusemoGanPreTrainedModel(PreTrainedModel):
    """What generator and discriminator share: configuration and initial weights."""

    config_class = MusemoGanConfig
    base_model_prefix = ""
    main_input_name = "emotion"

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        if isinstance(module, (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)):
            normed = parametrize.is_parametrized(module, "weight")
            init.orthogonal_(module.parametrizations.weight.original if normed else module.weight)  # type: ignore[union-attr]
            if module.bias is not None:
                init.zeros_(module.bias)
        elif isinstance(module, nn.GroupNorm):
            init.ones_(module.weight)
            init.zeros_(module.bias)
        elif isinstance(module, SelfAttention):
            init.zeros_(module.gate)


class MusemoGanGenerator(MusemoGanPreTrainedModel):
    """Noise and an emotion -> a log-mel spectrogram.

    Noise (`noise_dim`) joined to an embedding of (valence, arousal); linear to 8 x n_frames / 16; four upsampling
    stages; self-attention where it is affordable; tanh; cropped on the right to `n_frames`.
    """

    def __init__(self, config: MusemoGanConfig) -> None:
        super().__init__(config)
        channels, groups = config.stage_channels, config.group_norm_groups
        if config.emotion_embedding == "mlp":
            self.embed_emotion: nn.Module = nn.Sequential(
                nn.Linear(2, config.emotion_hidden_dim),
                nn.ReLU(),
                nn.Linear(config.emotion_hidden_dim, config.emotion_dim),
            )
        else:
            self.embed_emotion = nn.Linear(2, config.emotion_dim)
        self.base_shape = (channels[0], config.n_mels // 16, config.padded_frames // 16)
        self.project = nn.Linear(
            config.noise_dim + config.emotion_dim, self.base_shape[0] * self.base_shape[1] * self.base_shape[2]
        )
        upsampling = ResidualUpsampling if config.upsampling == "residual" else TransposedUpsampling
        self.stages = nn.ModuleList(upsampling(before, after, groups) for before, after in pairwise(channels))
        attended = config.attention_stage
        self.attention = None if attended is None or attended < 0 else SelfAttention(channels[attended])
        self.norm = nn.GroupNorm(groups, channels[-1])
        self.to_mel = nn.Conv2d(channels[-1], 1, 3, padding=1)
        self.post_init()

    def forward(self, emotion: Tensor, noise: Tensor) -> MusemoGeneratorOutput:
        """Generate, with gradient.

        Args:
            emotion: `(B, 2)` (valence, arousal) in [-1, 1].
            noise: `(B, noise_dim)`, standard normal.
        """
        hidden = self.project(torch.cat([noise, self.embed_emotion(emotion)], dim=1)).reshape(-1, *self.base_shape)
        for index, stage in enumerate(self.stages):
            if self.attention is not None and index == self.config.attention_stage:
                hidden = self.attention(hidden)
            hidden = stage(hidden)
        mel = torch.tanh(self.to_mel(functional.relu(self.norm(hidden))))
        return MusemoGeneratorOutput(spectrogram=mel[..., : self.config.n_frames])

    def sample_noise(self, n_samples: int, seed: int | Sequence[int] | None = None) -> Tensor:
        """Standard normal noise `(n_samples, noise_dim)` on the CPU, one generator a sample.

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
        return torch.stack([torch.randn(dim, generator=torch.Generator().manual_seed(int(s))) for s in seeds])

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


class MusemoGanDiscriminator(MusemoGanPreTrainedModel):
    """A log-mel and an emotion -> one logit.

    The emotion enters as a second input map of n_mels x n_frames: a learnt profile over the mel bands, the same in
    every frame (an emotion has no place in time), beside the spectrogram. Strided 4x4 convolutions, mean over the
    remaining positions, one linear read-out; spectral normalisation throughout.
    """

    main_input_name = "spectrogram"

    def __init__(self, config: MusemoGanConfig) -> None:
        super().__init__(config)
        normed = spectral_norm if config.spectral_norm else nn.Identity()
        widths = [2, *(config.discriminator_channels * factor for factor in (1, 2, 4, 8))]
        self.embed_emotion = normed(nn.Linear(2, config.n_mels))
        self.stages = nn.ModuleList(
            normed(nn.Conv2d(before, after, 4, stride=2, padding=1)) for before, after in pairwise(widths)
        )
        self.last = normed(nn.Conv2d(widths[-1], widths[-1], 3, padding=1))
        self.read_out = normed(nn.Linear(widths[-1], 1))
        self.post_init()

    def forward(self, spectrogram: Tensor, emotion: Tensor) -> MusemoDiscriminatorOutput:
        """Judge.

        Args:
            spectrogram: normalised log-mel `(B, 1, n_mels, n_frames)`.
            emotion: `(B, 2)` (valence, arousal) in [-1, 1].
        """
        config = self.config
        if spectrogram.shape[1:] != (1, config.n_mels, config.n_frames):
            raise ValueError(
                f"expected spectrogram of shape (B, 1, {config.n_mels}, {config.n_frames}), "
                f"got {tuple(spectrogram.shape)}"
            )
        spectrogram = functional.pad(spectrogram, (0, config.padded_frames - config.n_frames), value=PADDING)
        emotion_map = self.embed_emotion(emotion)[:, None, :, None].expand_as(spectrogram)
        hidden = torch.cat([spectrogram, emotion_map], dim=1)
        for stage in self.stages:
            hidden = functional.leaky_relu(stage(hidden), 0.2)
        hidden = functional.leaky_relu(self.last(hidden), 0.2)
        return MusemoDiscriminatorOutput(logits=self.read_out(hidden.mean(dim=(2, 3)))[:, 0])
