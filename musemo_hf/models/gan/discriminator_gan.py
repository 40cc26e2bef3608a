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


@dataclass
class MusemoDiscriminatorOutput(ModelOutput):
    """What the discriminator returns.

    Attributes:
        logits: `(B,)`, or `(B, scales)` where there are more; positive where the discriminator believes in real
            music; no sigmoid.
        features: mean over the positions of each stage's activations, `(B, channels)` each, of every scale.
    """

    logits: Tensor | None = None
    features: tuple[Tensor, ...] | None = None


class Critic(nn.Module):
    """One scale: strided 4x4 convolutions, mean over the remaining positions, one linear read-out.

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
        self.stages = nn.ModuleList(
            normed(nn.Conv2d(before, after, 4, stride=2, padding=1)) for before, after in pairwise(widths)
        )
        self.last = normed(nn.Conv2d(widths[-1], widths[-1], 3, padding=1))
        self.read_out = normed(nn.Linear(widths[-1], 1))


def judge(critic: Any, conditioning: str, spectrogram: Tensor, emotion: Tensor) -> tuple[Tensor, list[Tensor]]:
    """Logits `(B,)` and features of one scale.

    Args:
        critic: with the layers of `Critic`.
        conditioning: "map" or "projection".
        spectrogram: `(B, 1, H, W)`.
        emotion: `(B, 2)`.
    """
    embedded, hidden = critic.embed_emotion(emotion), spectrogram
    if conditioning == "map":
        hidden = torch.cat([spectrogram, embedded[:, None, :, None].expand_as(spectrogram)], dim=1)
    features = []
    for layer in [*critic.stages, critic.last]:
        hidden = functional.leaky_relu(layer(hidden), 0.2)
        features.append(hidden)
    pooled = hidden.mean(dim=(2, 3))
    logits = critic.read_out(pooled)[:, 0]
    if conditioning == "projection":
        logits = logits + (embedded * pooled).sum(dim=1)
    return logits, features


class MusemoGanDiscriminator(MusemoGanPreTrainedModel):
    """A log-mel and an emotion -> a logit at each scale.

    The emotion enters as a second input map of n_mels x n_frames: a learnt profile over the mel bands, the same in
    every frame (an emotion has no place in time), beside the spectrogram; or as an inner product with the pooled
    features (Miyato & Koyama 2018, equation 3). Spectral normalisation, where configured, throughout.
    """

    main_input_name = "spectrogram"

    def __init__(self, config: MusemoGanConfig) -> None:
        super().__init__(config)
        # the finest scale stands at the root, where checkpoints of a single scale have it
        for name, layer in Critic(config, config.n_mels).named_children():
            self.add_module(name, layer)
        self.coarser = nn.ModuleList(
            Critic(config, config.n_mels // 2**scale)
            for scale in range(1, config.scales)  # type: ignore[arg-type]
        )
        self.post_init()

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
        hidden = functional.pad(spectrogram, (0, config.padded_frames - config.n_frames), value=PADDING)
        logits, features = judge(self, config.conditioning, hidden, emotion)
        all_logits = [logits]
        for critic in self.coarser:
            hidden = functional.avg_pool2d(hidden, 2)
            logits, more = judge(critic, config.conditioning, hidden, emotion)
            all_logits.append(logits)
            features += more
        return MusemoDiscriminatorOutput(
            logits=torch.stack(all_logits, dim=1) if len(self.coarser) else logits,
            features=tuple(feature.mean(dim=(2, 3)) for feature in features) if output_features else None,
        )
