"""The recogniser: transformers' ViT encoder with a regression head for valence and arousal."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import ASTModel, PreTrainedModel, ViTModel
from transformers import initialization as init
from transformers.utils import ModelOutput

from .configuration_vit import MusemoViTConfig
from .kernel_head import KernelHead
from .losses import deviation_loss, regression_loss
from .verification import VerifiedModelMixin
from .windows import covering_windows, random_windows

PADDING = -1.0  # -60 dB on the normalised scale
MIN_DEVIATION = 0.01  # no label is more certain, and the logarithm of the deviation stays finite
INITIALIZER_RANGE = 0.02  # standard deviation of the head's initial weights


@dataclass
class MusemoEmotionOutput(ModelOutput):
    """Contains the predictions of the recogniser.

    Attributes:
        loss: The scalar loss, when labels were given; the sum over the heads.
        emotion: The predicted (valence, arousal) `(B, 2)`; trained on [-1, 1], not clipped to it.
        pooled: The mean of the patch tokens `(B, hidden_size)`, the recogniser's embedding of a clip.
        deviation: The predicted standard deviations `(B, 2)`, with `uncertainty` only; multiplied by `deviation_scale`
            when calibrated.
    """

    loss: Tensor | None = None
    emotion: Tensor | None = None
    pooled: Tensor | None = None
    deviation: Tensor | None = None


class MusemoViTForEmotionRegression(VerifiedModelMixin, PreTrainedModel):
    """Predicts (valence, arousal) by a linear head on the mean of the patch tokens of a ViT."""

    config_class = MusemoViTConfig
    base_model_prefix = "vit"
    main_input_name = "spectrogram"
    _supports_sdpa = True
    supports_gradient_checkpointing = True

    def __init__(self, config: MusemoViTConfig) -> None:
        super().__init__(config)
        encoder_config = config.to_encoder_config()
        encoder = ASTModel(encoder_config) if config.is_ast else ViTModel(encoder_config, add_pooling_layer=False)
        self.vit: PreTrainedModel = encoder
        if config.kernel_read_out:
            self.kernel = KernelHead(config.n_frames, config.kernel_clips)
        self.regressor = nn.Linear(config.hidden_size, 2)
        if config.uncertainty:
            self.uncertainty = nn.Linear(config.hidden_size, 2)
        self.post_init()

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        if module is self.regressor:
            init.normal_(module.weight, std=INITIALIZER_RANGE)
            init.zeros_(module.bias)
        elif isinstance(module, nn.Linear):  # the head of the deviation
            init.kaiming_uniform_(module.weight, a=5**0.5)
            init.zeros_(module.bias)
        else:
            super()._init_weights(module)

    def fit_in_closed_form(self, spectrogram: Tensor, emotion: Tensor) -> None:
        """Fit the kernel head, which no gradient trains, when there is one.

        Args:
            spectrogram: The normalised log-mels `(N, 1, n_mels, n_frames)` of the training songs.
            emotion: The emotions `(N, 2)` (valence, arousal).
        """
        if self.config.kernel_read_out:
            self.kernel.fit(spectrogram, emotion)
            self.config.kernel_clips = len(spectrogram)

    def forward(
        self, spectrogram: Tensor, labels: Tensor | None = None, label_deviation: Tensor | None = None
    ) -> MusemoEmotionOutput:
        """Predict valence and arousal.

        Args:
            spectrogram: The normalised log-mels `(B, 1, n_mels, n_frames)`.
            labels: The labels `(B, 2)` (valence, arousal) in [-1, 1], for the loss.
            label_deviation: The standard deviations `(B, 2)` of the raters, in the same units; an optional input of the
                loss of predicted deviations.

        Raises:
            ValueError: The spectrograms or the labels have another shape.
        """
        self._check(spectrogram, labels, label_deviation)
        pooled = self._tokens(spectrogram).mean(dim=1)
        emotion = self.regressor(pooled).float()
        if self.config.kernel_read_out and not self.training:
            emotion = torch.lerp(emotion, self.kernel(spectrogram).to(emotion), self.config.kernel_share)
        deviation = loss = None
        if self.config.uncertainty:
            deviation = functional.softplus(self.uncertainty(pooled).float()) + MIN_DEVIATION
        if labels is not None:
            loss = self._loss(emotion, deviation, labels.to(emotion), label_deviation)
        if deviation is not None and self.config.deviation_scale is not None:
            deviation = deviation * deviation.new_tensor(self.config.deviation_scale)
        return MusemoEmotionOutput(loss, emotion, pooled, deviation)

    def _tokens(self, spectrogram: Tensor) -> Tensor:
        if self.config.window_frames is None:
            return self._encoded(spectrogram)
        if self.training:
            return self._encoded(random_windows(spectrogram, self.config.window_frames))
        windows = covering_windows(spectrogram, self.config.window_frames)
        tokens = self._encoded(windows.flatten(0, 1))
        return tokens.reshape(len(windows), -1, tokens.shape[-1])

    def _encoded(self, spectrogram: Tensor) -> Tensor:
        padded = functional.pad(spectrogram, (0, self.config.padded_frames - self.config.encoder_frames), value=PADDING)
        # an AST takes (B, frames, mel bands)
        inputs = padded[:, 0].transpose(1, 2) if self.config.is_ast else padded
        return self.vit(inputs).last_hidden_state[:, self.config.n_prefix_tokens :]

    def _loss(
        self, emotion: Tensor, deviation: Tensor | None, labels: Tensor, label_deviation: Tensor | None
    ) -> Tensor:
        loss = regression_loss(self.config.regression_loss, emotion, labels)
        if deviation is None:
            return loss
        raters = None if label_deviation is None else label_deviation.to(labels)
        return loss + deviation_loss(deviation, emotion, labels, raters)

    def _check(self, spectrogram: Tensor, labels: Tensor | None, label_deviation: Tensor | None) -> None:
        expected = (1, self.config.n_mels, self.config.n_frames)
        if spectrogram.ndim != 4 or spectrogram.shape[1:] != expected:
            raise ValueError(
                f"expected spectrogram of shape (B, {', '.join(map(str, expected))}), got {tuple(spectrogram.shape)}"
            )
        for name, value in (("labels", labels), ("label_deviation", label_deviation)):
            if value is not None and value.shape != (len(spectrogram), 2):
                raise ValueError(f"expected {name} of shape ({len(spectrogram)}, 2), got {tuple(value.shape)}")
