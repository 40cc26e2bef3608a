"""Log-mel and emotion -> whether it is real music: convolutional critics at one or more scales."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import spectral_norm
from transformers.utils import ModelOutput

from .blocks_gan import PADDING, MusemoGanPreTrainedModel
from .configuration_gan import MusemoGanConfig
from .frozen_gan import FrozenFeatures


@dataclass
class MusemoDiscriminatorOutput(ModelOutput):
    """What the discriminator returns.

    Attributes:
        logits: `(B,)`, or `(B, critics)` where there are several (scales, or layers of a pretrained model); positive
            where they believe in real music; no sigmoid.
        features: mean over the positions of each stage's activations, `(B, channels)` each, of every critic.
    """

    logits: Tensor | None = None
    features: tuple[Tensor, ...] | None = None


class Critic(nn.Module):
    """One scale: strided 4x4 convolutions, or patches first; mean over the positions that remain; a linear read-out.

    Args:
        config: of the GAN.
        n_mels: mel bands at this scale.
    """

    def __init__(self, config: MusemoGanConfig, n_mels: int) -> None:
        super().__init__()
        normed = spectral_norm if config.spectral_norm else nn.Identity()
        by_map = config.conditioning == "map"
        widths = [1 + by_map, *(config.discriminator_channels * factor for factor in (1, 2, 4, 8))]
        self.embed_emotion = normed(nn.Linear(2, n_mels if by_map else widths[-1]))
        stages = [nn.Conv2d(before, after, 4, stride=2, padding=1) for before, after in pairwise(widths)]
        if config.stem == "patch":  # in the place of the first two, to the same size and width
            stages[:2] = [nn.Conv2d(16 * widths[0], widths[2], 3, padding=1)]
        self.stages = nn.ModuleList(normed(stage) for stage in stages)
        self.last = normed(nn.Conv2d(widths[-1], widths[-1], 3, padding=1))
        self.read_out = normed(nn.Linear(widths[-1], 1))


def judge(critic: Any, config: MusemoGanConfig, spectrogram: Tensor, emotion: Tensor) -> tuple[Tensor, list[Tensor]]:
    """Logits `(B,)` and features of one scale.

    Args:
        critic: with the layers of `Critic`.
        config: of the GAN.
        spectrogram: `(B, 1, H, W)`.
        emotion: `(B, 2)`.
    """
    embedded, hidden = critic.embed_emotion(emotion), spectrogram
    if config.conditioning == "map":
        hidden = torch.cat([spectrogram, embedded[:, None, :, None].expand_as(spectrogram)], dim=1)
    if config.stem == "patch":
        hidden = functional.pixel_unshuffle(hidden, 4).contiguous(memory_format=torch.channels_last)
    features = []
    for layer in [*critic.stages, critic.last]:
        hidden = functional.leaky_relu(layer(hidden), 0.2)
        features.append(hidden)
    logits, pooled = read_out(critic.read_out, hidden, (2, 3))
    if config.conditioning == "projection":
        logits = logits + (embedded * pooled).sum(dim=1)
    return logits, features


def read_out(layer: Any, hidden: Tensor, positions: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """Logits `(B,)` of the mean over positions, and that mean; in the layer's precision, since losses compare logits
    that mixed precision would round.
    """
    with torch.autocast(hidden.device.type, enabled=False):
        pooled = hidden.mean(dim=positions, dtype=layer.bias.dtype)
        return layer(pooled)[:, 0], pooled


class FeatureHead(nn.Module):
    """A critic on tokens of a frozen model (Sauer et al. 2021): a small MLP on each, their mean, a linear read-out.

    Args:
        config: of the GAN.
        dim: width of the tokens.
    """

    def __init__(self, config: MusemoGanConfig, dim: int) -> None:
        super().__init__()
        normed, width = spectral_norm if config.spectral_norm else nn.Identity(), 4 * config.discriminator_channels
        self.layers = nn.ModuleList(normed(nn.Linear(before, width)) for before in (dim, width))
        self.embed_emotion = normed(nn.Linear(2, width))
        self.read_out = normed(nn.Linear(width, 1))

    def forward(self, tokens: Tensor, emotion: Tensor) -> tuple[Tensor, Tensor]:
        """`(B, T, dim)` and `(B, 2)` -> logits `(B,)`, and the features `(B, width)` that they are read from."""
        hidden = functional.layer_norm(tokens, tokens.shape[-1:])
        for layer in self.layers:
            hidden = functional.leaky_relu(layer(hidden), 0.2)
        logits, pooled = read_out(self.read_out, hidden, (1,))
        return logits + (self.embed_emotion(emotion) * pooled).sum(dim=1), pooled


class MusemoGanDiscriminator(MusemoGanPreTrainedModel):
    """A log-mel and an emotion -> a logit at each scale.

    The emotion enters as a second input map of n_mels x n_frames: a learnt profile over the mel bands, the same in
    every frame (an emotion has no place in time), beside the spectrogram; or as an inner product with the pooled
    features (Miyato & Koyama 2018, equation 3). Spectral normalisation, where configured, throughout. Where the
    configuration names a pretrained model, small heads on its frozen features judge instead (Sauer et al. 2021).
    """

    main_input_name = "spectrogram"

    def __init__(self, config: MusemoGanConfig) -> None:
        super().__init__(config)
        self.frozen: FrozenFeatures | None = None
        if config.pretrained_config is not None:
            self.frozen = FrozenFeatures(config.pretrained_config, config.n_mels, config.n_frames)
            self.heads = nn.ModuleList(FeatureHead(config, self.frozen.dim) for _ in self.frozen.layers)
        else:
            self._add_critics()
        self.post_init()
        # weights of a checkpoint, which hold the frozen ones too, come later, and until then all are on "meta"
        if self.frozen is not None and self.device.type != "meta":
            self.frozen.load(str(config.pretrained_discriminator))

    def _add_critics(self) -> None:
        config = self.config
        # the finest scale stands at the root, where checkpoints of a single scale have it
        for name, layer in Critic(config, config.n_mels).named_children():
            self.add_module(name, layer)
        self.coarser = nn.ModuleList(Critic(config, config.n_mels // 2**scale) for scale in range(1, config.scales))

    def forward(self, spectrogram: Tensor, emotion: Tensor, output_features: bool = False) -> MusemoDiscriminatorOutput:
        """Judge.

        Args:
            spectrogram: normalised log-mel `(B, 1, n_mels, n_frames)`.
            emotion: `(B, 2)` (valence, arousal) in [-1, 1].
            output_features: whether to return `features`.

        Raises:
            ValueError: a spectrogram of another shape.
        """
        config = self.config
        if spectrogram.shape[1:] != (1, config.n_mels, config.n_frames):
            raise ValueError(
                f"expected spectrogram of shape (B, 1, {config.n_mels}, {config.n_frames}), "
                f"got {tuple(spectrogram.shape)}"
            )
        if self.frozen is None:
            logits, features = self._judged(spectrogram, emotion)
        else:
            tokens = self.frozen(spectrogram)
            judged = [head(part, emotion) for head, part in zip(self.heads, tokens, strict=True)]
            logits, features = [logit for logit, _ in judged], [feature for _, feature in judged]
        return MusemoDiscriminatorOutput(
            logits=torch.stack(logits, dim=1) if len(logits) > 1 else logits[0],
            features=tuple(features) if output_features else None,
        )

    def _judged(self, spectrogram: Tensor, emotion: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        config = self.config
        hidden = functional.pad(spectrogram, (0, config.padded_frames - config.n_frames), value=PADDING)
        all_logits, all_features = [], []
        for scale, critic in enumerate([self, *self.coarser]):
            hidden = functional.avg_pool2d(hidden, 2) if scale else hidden
            logits, features = judge(critic, config, hidden, emotion)
            all_logits.append(logits)
            all_features += [feature.mean(dim=(2, 3)) for feature in features]
        return all_logits, all_features
