"""Log-mel -> valence and arousal: transformers' ViT encoder with a regression head."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import PreTrainedModel, ViTModel
from transformers import initialization as init
from transformers.utils import ModelOutput

from .configuration_vit import MusemoViTConfig

PADDING = -1.0  # -60 dB on the normalised scale


@dataclass
class MusemoEmotionOutput(ModelOutput):
    """What the recogniser returns.

    Attributes:
        loss: scalar, where labels were given.
        emotion: `(B, 2)` (valence, arousal); trained on [-1, 1], not clipped to it.
        pooled: `(B, hidden_size)` mean of the patch tokens, the recogniser's embedding of a clip.
    """

    loss: Tensor | None = None
    emotion: Tensor | None = None
    pooled: Tensor | None = None


def concordance_loss(predicted: Tensor, labels: Tensor) -> Tensor:
    """1 - CCC over the batch (Lin 1989, population moments), mean of the dimensions; `(B, D)` each.

    A batch of identical labels and predictions has no concordance; the small constant keeps its gradient finite.
    """
    predicted_mean, label_mean = predicted.mean(0), labels.mean(0)
    covariance = ((predicted - predicted_mean) * (labels - label_mean)).mean(0)
    spread = predicted.var(0, unbiased=False) + labels.var(0, unbiased=False)
    ccc = 2 * covariance / (spread + (predicted_mean - label_mean).square() + 1e-8)
    return (1 - ccc).mean()


def regression_loss(kind: str, predicted: Tensor, labels: Tensor) -> Tensor:
    """The configured loss; "ccc" falls back to the squared error for a single clip, which has no concordance."""
    squared = functional.mse_loss(predicted, labels)
    if kind == "mse" or len(labels) < 2:
        return squared
    concordance = concordance_loss(predicted, labels)
    return concordance if kind == "ccc" else concordance + squared


class MusemoViTForEmotionRegression(PreTrainedModel):
    """ViT on mel patches; the mean of the patch tokens is read out as (valence, arousal)."""

    config_class = MusemoViTConfig
    base_model_prefix = "vit"
    main_input_name = "spectrogram"
    _supports_sdpa = True
    supports_gradient_checkpointing = True

    def __init__(self, config: MusemoViTConfig) -> None:
        super().__init__(config)
        self.vit = ViTModel(config.to_vit_config(), add_pooling_layer=False)
        self.regressor = nn.Linear(config.hidden_size, 2)
        self.post_init()

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        if module is self.regressor:
            init.normal_(module.weight, std=self.config.initializer_range)
            init.zeros_(module.bias)
        else:
            super()._init_weights(module)

    def forward(self, spectrogram: Tensor, labels: Tensor | None = None) -> MusemoEmotionOutput:
        """Read valence and arousal.

        Args:
            spectrogram: normalised log-mel `(B, 1, n_mels, n_frames)`.
            labels: `(B, 2)` (valence, arousal) in [-1, 1], for the loss.

        Raises:
            ValueError: a spectrogram or labels of another shape.
        """
        config = self.config
        if spectrogram.ndim != 4 or spectrogram.shape[1:] != (1, config.n_mels, config.n_frames):
            raise ValueError(
                f"expected spectrogram of shape (B, 1, {config.n_mels}, {config.n_frames}), "
                f"got {tuple(spectrogram.shape)}"
            )
        if labels is not None and labels.shape != (len(spectrogram), 2):
            raise ValueError(f"expected labels of shape ({len(spectrogram)}, 2), got {tuple(labels.shape)}")
        padded = functional.pad(spectrogram, (0, config.padded_frames - config.n_frames), value=PADDING)
        tokens = self.vit(padded).last_hidden_state
        pooled = tokens[:, 1:].mean(dim=1)
        emotion = self.regressor(pooled)
        loss = None if labels is None else regression_loss(config.regression_loss, emotion, labels.to(emotion))
        return MusemoEmotionOutput(loss=loss, emotion=emotion, pooled=pooled)
