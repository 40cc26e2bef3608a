"""The generator of a conditional GAN (Goodfellow et al. 2014; Mirza & Osindero 2014): emotion to log-mel."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers.utils import ModelOutput

from .blocks_gan import (
    STYLE_DIM,
    MusemoGanPreTrainedModel,
    ResidualUpsampling,
    SelfAttention,
    StyleGroupNorm,
    TransposedUpsampling,
)
from .columns_gan import NoiseColumns
from .configuration_gan import MusemoGanConfig
from .emotion_map import map_emotion
from .generation import SeededGenerationMixin, add_fade_in, evaluating
from .transformer_gan import MelTransformer

EMOTION_HIDDEN_DIM = 128  # of the perceptron that embeds the emotion


@dataclass
class MusemoGeneratorOutput(ModelOutput):
    """Contains the generated clips.

    Attributes:
        spectrogram: The normalised log-mel `(B, 1, n_mels, n_frames)` in [-1, 1].
    """

    spectrogram: Tensor | None = None


class MusemoGanGenerator(SeededGenerationMixin, MusemoGanPreTrainedModel):
    """Turns noise and an emotion into a log-mel spectrogram.

    The noise is concatenated to an embedding of (valence, arousal) and projected to 8 x n_frames / 16 positions, which
    four upsampling stages enlarge. A style vector modulates the stages, and self-attention is applied to one of them,
    where so configured. A transformer over patches can take the place of the convolutions. The result passes through a
    tanh and is cropped on the right to `n_frames`.
    """

    def __init__(self, config: MusemoGanConfig) -> None:
        super().__init__(config)
        hidden, out = EMOTION_HIDDEN_DIM, config.emotion_dim
        self.embed_emotion: nn.Module = (
            nn.Sequential(nn.Linear(2, hidden), nn.ReLU(), nn.Linear(hidden, out))
            if config.emotion_embedding == "mlp"
            else nn.Linear(2, out)
        )
        code_dim = config.noise_dim + config.emotion_dim
        network = config.generator_network
        style_dim = STYLE_DIM if config.modulation or network != "convolution" else 0
        self.to_style = nn.Sequential(nn.Linear(code_dim, style_dim), nn.LeakyReLU(0.2)) if style_dim else None
        self.transformer = MelTransformer(config, code_dim) if network == "transformer" else None
        self.columns: NoiseColumns | None = None
        if network == "convolution":
            self._add_convolutions(code_dim, style_dim)
        self.post_init()

    def _add_convolutions(self, code_dim: int, style_dim: int) -> None:
        config = self.config
        channels, groups = config.stage_channels, config.group_norm_groups
        self.base_shape = (channels[0], config.n_mels // 16, config.padded_frames // 16)
        if config.column_noise_dim:
            self.columns = NoiseColumns(config, code_dim)
        if self.columns is None:
            self.project = nn.Linear(code_dim, self.base_shape[0] * self.base_shape[1] * self.base_shape[2])
        upsampling = TransposedUpsampling if config.upsampling == "transposed" else ResidualUpsampling
        self.stages = nn.ModuleList(upsampling(*widths, groups, style_dim) for widths in pairwise(channels))
        attended = config.attention_stage
        self.attention = None if attended is None or attended < 0 else SelfAttention(channels[attended])
        self.norm = StyleGroupNorm(groups, channels[-1], style_dim)
        # "shuffle" makes four neighbouring cells of each position at half the resolution (Shi et al. 2016)
        self.to_mel = nn.Conv2d(channels[-1], 4 if config.upsampling == "shuffle" else 1, 3, padding=1)

    @property
    def noise_dim(self) -> int:  # type: ignore[override]
        """The length of the noise vector of one sample."""
        return self.config.noise_dim + (0 if self.columns is None else self.columns.noise_dim)

    @property
    def noise_scale(self) -> float:  # type: ignore[override]
        """The standard deviation of the noise that `generate` draws."""
        return self.config.noise_scale

    def get_input_embeddings(self) -> nn.Module:
        """Return the layers that embed the emotion."""
        return self.embed_emotion

    def set_input_embeddings(self, value: nn.Module) -> None:
        """Replace the layers that embed the emotion."""
        self.embed_emotion = value

    def forward(
        self, emotion: Tensor, noise: Tensor, return_dict: bool | None = None
    ) -> MusemoGeneratorOutput | tuple[Tensor]:
        """Generate clips, with gradient.

        Args:
            emotion: The emotions `(B, 2)` (valence, arousal) in [-1, 1].
            noise: Standard normal noise `(B, noise_dim)`.
            return_dict: Whether to return a `MusemoGeneratorOutput` and not a tuple (default: the configuration's).
        """
        emotion, noise = emotion.to(self.dtype), noise.to(self.dtype)
        embedded = self.embed_emotion(emotion)
        code = torch.cat([noise[:, : self.config.noise_dim], embedded], dim=1)
        style = None if self.to_style is None else self.to_style(code)
        local = noise[:, self.config.noise_dim :]
        raw = self._convolved(code, style, local) if self.transformer is None else self.transformer(code, style)
        output = MusemoGeneratorOutput(spectrogram=torch.tanh(raw)[..., : self.config.n_frames])
        return output if self.wants_dict(return_dict) else output.to_tuple()

    def _convolved(self, code: Tensor, style: Tensor | None, local: Tensor) -> Tensor:
        if self.columns is None:
            hidden, fine = self.project(code).reshape(-1, *self.base_shape), None
        else:
            hidden, fine = self.columns(code, local)
        for index, stage in enumerate(self.stages):
            if self.attention is not None and index == self.config.attention_stage:
                hidden = self.attention(hidden)
            hidden = stage(hidden, style)
            if fine is not None and index == 1:
                hidden = hidden + fine
        raw = self.to_mel(functional.relu(self.norm(hidden, style)))
        raw = functional.pixel_shuffle(raw, 2) if self.config.upsampling == "shuffle" else raw
        return raw if self.columns is None else self.columns.crop(raw)

    def generate(
        self, emotion: Tensor | Sequence, seed: int | Sequence[int] | None = None, noise: Tensor | None = None
    ) -> Tensor:
        """Generate clips without gradient, in evaluation mode; the mode is restored afterwards.

        Where the configuration has an `emotion_map`, the network is asked for what it makes of the emotions, and where
        it has a `fade_in`, that is added to what the network makes.

        Args:
            emotion: The emotions `(B, 2)` (valence, arousal) in [-1, 1].
            seed: The seed or seeds of the noise, see `sample_noise`. Sample i is the same in any batch.
            noise: The noise `(B, noise_dim)`, instead of a seed.

        Returns:
            The normalised log-mels `(B, 1, n_mels, n_frames)` in [-1, 1].

        Raises:
            ValueError: See `prepare_inputs`.
        """
        emotion, noise = self.prepare_inputs(emotion, seed, noise)
        emotion = map_emotion(emotion, self.config.emotion_map, self.config.emotion_range)
        with evaluating(self):
            return add_fade_in(self(emotion=emotion, noise=noise).spectrogram, self.config.fade_in)
