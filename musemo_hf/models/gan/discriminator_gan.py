"""The discriminator of the GAN: convolutional critics at one or more scales, or heads on a pretrained model."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers.utils import ModelOutput

from .blocks_gan import PADDING, MusemoGanPreTrainedModel
from .configuration_gan import MusemoGanConfig
from .frozen_gan import FrozenFeatures
from .spectral_norm import normalised_spectrally, normalised_weights, restore_singular_vectors

# the name of a normalised weight, for that of the same weight without normalisation
_NORMALISED = {
    r"^((?:(?:coarser|heads)\.\d+\.)?(?:(?:embed|project)_emotion|(?:stages|layers)\.\d+|last|read_out))\.weight$": (
        r"\1.parametrizations.weight.original"
    )
}


@dataclass
class MusemoDiscriminatorOutput(ModelOutput):
    """Contains the judgement of the discriminator.

    Attributes:
        logits: The logits `(B,)`, or `(B, critics)` for several scales or layers of a pretrained model. They are
            positive for clips that are judged to be real music.
        features: The mean over the positions of each stage's activations, `(B, channels)` each, of every critic.
    """

    logits: Tensor | None = None
    features: tuple[Tensor, ...] | None = None


class Critic(nn.Module):
    """Holds the layers of one scale: strided 4x4 convolutions (or a patch stem) and a linear head.

    Args:
        config: The configuration of the GAN.
        n_mels: The number of mel bands at this scale.
    """

    def __init__(self, config: MusemoGanConfig, n_mels: int) -> None:
        super().__init__()
        normed = normalised_spectrally if config.spectral_norm else nn.Identity()
        by_map, inputs = config.conditioning != "projection", 2 + config.song_dim
        widths = [1 + by_map, *(config.discriminator_channels * factor for factor in (1, 2, 4, 8))]
        self.embed_emotion = normed(nn.Linear(inputs, n_mels if by_map else widths[-1]))
        if config.conditioning == "both":
            self.project_emotion = normed(nn.Linear(inputs, widths[-1]))
        stages: list[nn.Module] = [nn.Conv2d(*pair, 4, stride=2, padding=1) for pair in pairwise(widths)]
        if config.stem != "strided":  # in the place of the first two, to the same size and width
            stages[:2] = [nn.Conv2d(16 * widths[0], widths[2], 3, padding=1)]
        self.stages = nn.ModuleList(normed(stage) for stage in stages)
        self.last = normed(nn.Conv2d(widths[-1], widths[-1], 3, padding=1))
        self.read_out = normed(nn.Linear(widths[-1], 1))


def judge(critic: Any, config: MusemoGanConfig, spectrogram: Tensor, emotion: Tensor) -> tuple[Tensor, list[Tensor]]:
    """Return the logits `(B,)` and the features of one scale.

    Args:
        critic: A module with the layers of `Critic`.
        config: The configuration of the GAN.
        spectrogram: The spectrograms `(B, 1, H, W)` at this scale.
        emotion: The emotions `(B, 2)`.
    """
    embedded, hidden = critic.embed_emotion(emotion), spectrogram
    if config.conditioning != "projection":
        hidden = torch.cat([spectrogram, embedded[:, None, :, None].expand_as(spectrogram)], dim=1)
    if config.stem != "strided":
        hidden = functional.pixel_unshuffle(hidden, 4).contiguous(memory_format=torch.channels_last)
    features = []
    for layer in [*critic.stages, critic.last]:
        hidden = functional.leaky_relu(layer(hidden), 0.2)
        features.append(hidden)
    logits, pooled = pooled_logits(critic.read_out, hidden, (2, 3))
    if config.conditioning != "map":
        projected = embedded if config.conditioning == "projection" else critic.project_emotion(emotion)
        logits = logits + (projected * pooled).sum(dim=1)
    return logits, features


def pooled_logits(layer: Any, hidden: Tensor, positions: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """Return the logits `(B,)` of the mean over positions, and that mean.

    Both have the layer's precision, because losses compare logits, which mixed precision would round.
    """
    with torch.autocast(hidden.device.type, enabled=False):
        pooled = hidden.mean(dim=positions, dtype=layer.bias.dtype)
        return layer(pooled)[:, 0], pooled


class FeatureHead(nn.Module):
    """Judges the tokens of a frozen model (Sauer et al. 2021) by a small MLP on each, their mean and a linear head.

    Args:
        config: The configuration of the GAN.
        dim: The width of the tokens.
    """

    def __init__(self, config: MusemoGanConfig, dim: int) -> None:
        super().__init__()
        normed, width = (
            normalised_spectrally if config.spectral_norm else nn.Identity(),
            4 * config.discriminator_channels,
        )
        self.layers = nn.ModuleList(normed(nn.Linear(before, width)) for before in (dim, width))
        self.embed_emotion = normed(nn.Linear(2 + config.song_dim, width))
        self.read_out = normed(nn.Linear(width, 1))

    def forward(self, tokens: Tensor, emotion: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits `(B,)` and pooled features `(B, width)` for tokens `(B, T, dim)` and emotions `(B, 2)`."""
        hidden = functional.layer_norm(tokens, tokens.shape[-1:])
        for layer in self.layers:
            hidden = functional.leaky_relu(layer(hidden), 0.2)
        logits, pooled = pooled_logits(self.read_out, hidden, (1,))
        return logits + (self.embed_emotion(emotion) * pooled).sum(dim=1), pooled


class MusemoGanDiscriminator(MusemoGanPreTrainedModel):
    """Judges whether a log-mel is real music of an emotion, by one logit at each scale.

    The emotion enters as a second input map beside the spectrogram, a learnt profile over the mel bands that is the
    same in every frame, or as an inner product with the pooled features (Miyato & Koyama 2018, equation 3). When the
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
        # from_pretrained builds on "meta" and then loads a checkpoint, which contains the frozen weights too
        # (of which Wav2Vec2 makes one value elsewhere)
        if self.frozen is not None and next(self.heads.parameters()).device.type != "meta":
            self.frozen.load(str(config.pretrained_discriminator))

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path: Any, *model_args: Any, **options: Any) -> Any:
        """Load a checkpoint as transformers does, and refuse one of other values than the model's.

        With `spectral_norm=True`, weights that were trained without normalisation are normalised.

        Raises:
            ValueError: The checkpoint lacks values, or has others, as one of another model or version.
        """
        wanted = options.get("spectral_norm", getattr(options.get("config"), "spectral_norm", False))
        mapping = {"key_mapping": _NORMALISED} if wanted else {}
        loaded = super().from_pretrained(pretrained_model_name_or_path, *model_args, **(mapping | options))
        if wanted:
            model = loaded[0] if isinstance(loaded, tuple) else loaded
            model._weight_conversions = None  # it is saved under its own names
            for weight in normalised_weights(model):
                restore_singular_vectors(weight)
        return loaded

    def can_make(self, missing: set[str]) -> bool:
        """Return whether only singular vectors are missing, which follow from the weights."""
        return all(name.endswith((".0._u", ".0._v")) for name in missing)

    def _add_critics(self) -> None:
        config = self.config
        # the finest scale is at the root, where checkpoints of a single scale have it
        for name, layer in Critic(config, config.n_mels).named_children():
            self.add_module(name, layer)
        self.coarser = nn.ModuleList(Critic(config, config.n_mels // 2**scale) for scale in range(1, config.scales))

    def get_input_embeddings(self) -> nn.Module:
        """Return the layer that embeds the emotion; of several critics, that of the first."""
        return self._first_critic.embed_emotion  # type: ignore[return-value]

    def set_input_embeddings(self, value: nn.Module) -> None:
        """Replace the layer that embeds the emotion."""
        self._first_critic.embed_emotion = value

    @property
    def _first_critic(self) -> nn.Module:
        return self if self.frozen is None else self.heads[0]

    def forward(
        self, spectrogram: Tensor, emotion: Tensor, output_features: bool = False, return_dict: bool | None = None
    ) -> MusemoDiscriminatorOutput | tuple[Any, ...]:
        """Judge clips.

        Args:
            spectrogram: The normalised log-mels `(B, 1, n_mels, n_frames)`.
            emotion: The emotions `(B, 2)` (valence, arousal) in [-1, 1]. Where `song_dim` is set, codes of songs may
                follow, `(B, 2 + song_dim)`; codes that are left out are 0, their mean over songs.
            output_features: Whether to return `features`.
            return_dict: Whether to return a `MusemoDiscriminatorOutput` and not a tuple (default: the configuration's).

        Raises:
            ValueError: The spectrograms or the emotions have another shape.
        """
        config = self.config
        if spectrogram.shape[1:] != (1, config.n_mels, config.n_frames):
            raise ValueError(
                f"expected spectrogram of shape (B, 1, {config.n_mels}, {config.n_frames}), "
                f"got {tuple(spectrogram.shape)}"
            )
        if emotion.ndim != 2 or emotion.shape[1] not in (2, 2 + config.song_dim):
            wanted = "(B, 2)" + (f" or (B, {2 + config.song_dim})" if config.song_dim else "")
            raise ValueError(f"expected emotion of shape {wanted}, got {tuple(emotion.shape)}")
        emotion = functional.pad(emotion, (0, 2 + config.song_dim - emotion.shape[1]))
        spectrogram, emotion = spectrogram.to(self.dtype), emotion.to(self.dtype)
        if self.frozen is None:
            logits, features = self._judged(spectrogram, emotion)
        else:
            tokens = self.frozen(spectrogram)
            judged = [head(part, emotion) for head, part in zip(self.heads, tokens, strict=True)]
            logits, features = [logit for logit, _ in judged], [feature for _, feature in judged]
        output = MusemoDiscriminatorOutput(
            logits=torch.stack(logits, dim=1) if len(logits) > 1 else logits[0],
            features=tuple(features) if output_features else None,
        )
        return output if self.wants_dict(return_dict) else output.to_tuple()

    def _judged(self, spectrogram: Tensor, emotion: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        config = self.config
        hidden = functional.pad(spectrogram, (0, -spectrogram.shape[-1] % 16), value=PADDING)
        all_logits, all_features = [], []
        for scale, critic in enumerate([self, *self.coarser]):
            hidden = functional.avg_pool2d(hidden, 2) if scale else hidden
            logits, features = judge(critic, config, hidden, emotion)
            all_logits.append(logits)
            all_features += [feature.mean(dim=(2, 3)) for feature in features]
        return all_logits, all_features
