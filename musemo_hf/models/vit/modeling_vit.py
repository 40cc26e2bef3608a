"""Log-mel -> valence and arousal: transformers' ViT encoder with a regression head."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import ASTModel, PreTrainedModel, ViTModel
from transformers import initialization as init
from transformers.utils import ModelOutput

from .configuration_vit import MusemoViTConfig
from .heads import BandStatistics
from .kernel_head import KernelReadOut
from .losses import concordance_loss, deviation_loss, regression_loss
from .stem import StemmedViTModel
from .windows import covering_windows, random_windows

PADDING = -1.0  # -60 dB on the normalised scale
SMALLEST_DEVIATION = 0.01  # a hundredth of the plane's half: no label is surer, and its logarithm stays finite

__all__ = ["MusemoEmotionOutput", "MusemoViTForEmotionRegression", "concordance_loss", "regression_loss"]


@dataclass
class MusemoEmotionOutput(ModelOutput):
    """What the recogniser returns.

    Attributes:
        loss: scalar, where labels were given; the sum over the read-outs.
        emotion: `(B, 2)` (valence, arousal); trained on [-1, 1], not clipped to it. Always the first read-out, the one
            of `regression_loss`.
        pooled: `(B, hidden_size)` mean of the patch tokens, the recogniser's embedding of a clip.
        emotion_least_squares: `(B, 2)` of the second read-out, trained by the squared error, where there are two.
        deviation: `(B, 2)` predicted standard deviation, positive, times `deviation_scale` where calibrated; with
            `uncertainty` only.
    """

    loss: Tensor | None = None
    emotion: Tensor | None = None
    pooled: Tensor | None = None
    emotion_least_squares: Tensor | None = None
    deviation: Tensor | None = None


def _encoder(config: MusemoViTConfig) -> PreTrainedModel:
    encoder_config = config.to_encoder_config()
    if config.is_ast:
        return ASTModel(encoder_config)
    if config.stem == "convolution":
        return StemmedViTModel(encoder_config)
    return ViTModel(encoder_config, add_pooling_layer=False)


class MusemoViTForEmotionRegression(PreTrainedModel):
    """ViT on mel patches; the mean of the patch tokens is read out as (valence, arousal)."""

    config_class = MusemoViTConfig
    base_model_prefix = "vit"
    main_input_name = "spectrogram"
    _supports_sdpa = True
    supports_gradient_checkpointing = True

    def __init__(self, config: MusemoViTConfig) -> None:
        super().__init__(config)
        self.vit = _encoder(config)
        if config.statistics_read_out:
            self.statistics = BandStatistics(config.n_mels, config.statistics_size, config.head_dropout)
        if config.kernel_read_out:
            self.kernel = KernelReadOut(config.n_frames, config.kernel_clips)
        self.dropout = nn.Dropout(config.head_dropout)
        self.regressor = nn.Linear(config.head_size, 2)
        if config.read_outs == "two":
            self.least_squares = nn.Linear(config.head_size, 2)
        if config.uncertainty:
            self.uncertainty = nn.Linear(config.head_size, 2)
        self.post_init()

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        if module is self.regressor:
            init.normal_(module.weight, std=self.config.initializer_range)
            init.zeros_(module.bias)
        elif isinstance(module, BandStatistics):
            module.reset()
        elif isinstance(module, nn.Linear):  # of the statistics and of the other heads
            init.kaiming_uniform_(module.weight, a=5**0.5)
            init.zeros_(module.bias)
        else:
            super()._init_weights(module)

    def fit_in_closed_form(self, spectrogram: Tensor, emotion: Tensor) -> None:
        """Fit what no gradient trains, to training songs: the band statistics' constants and the kernel read-out.

        Args:
            spectrogram: normalised log-mels `(N, 1, n_mels, n_frames)`.
            emotion: `(N, 2)` (valence, arousal).
        """
        if self.config.statistics_read_out:
            self.statistics.fit(spectrogram)
        if self.config.kernel_read_out:
            self.kernel.fit(spectrogram, emotion)
            self.config.kernel_clips = len(spectrogram)

    def forward(
        self, spectrogram: Tensor, labels: Tensor | None = None, label_deviation: Tensor | None = None
    ) -> MusemoEmotionOutput:
        """Read valence and arousal.

        Args:
            spectrogram: normalised log-mel `(B, 1, n_mels, n_frames)`.
            labels: `(B, 2)` (valence, arousal) in [-1, 1], for the loss.
            label_deviation: `(B, 2)` deviation of the raters about the labels, in the same units; read only where the
                deviation is predicted, and not needed there.

        Raises:
            ValueError: a spectrogram or labels of another shape.
        """
        self._check(spectrogram, labels, label_deviation)
        tokens = self._tokens(spectrogram)
        pooled = tokens.mean(dim=1)
        given = self.dropout(torch.cat(self._given(spectrogram, tokens, pooled), dim=-1))
        emotion = self._with_kernel(self.regressor(given).float(), spectrogram)
        second = self.least_squares(given).float() if self.config.read_outs == "two" else None
        deviation = None
        if self.config.uncertainty:
            deviation = functional.softplus(self.uncertainty(given).float()) + SMALLEST_DEVIATION
        loss = None
        if labels is not None:
            loss = self._loss(emotion, second, deviation, labels.to(emotion), label_deviation)
        if deviation is not None and self.config.deviation_scale is not None:
            deviation = deviation * deviation.new_tensor(self.config.deviation_scale)
        return MusemoEmotionOutput(loss, emotion, pooled, second, deviation)

    def _with_kernel(self, emotion: Tensor, spectrogram: Tensor) -> Tensor:
        if self.training or not self.config.kernel_read_out:
            return emotion
        return torch.lerp(emotion, self.kernel(spectrogram).to(emotion), self.config.kernel_share)

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
        # an AST is given (B, frames, mel bands)
        given = padded[:, 0].transpose(1, 2) if self.config.is_ast else padded
        return self.vit(given).last_hidden_state[:, self.config.n_prefix_tokens :]

    def _given(self, spectrogram: Tensor, tokens: Tensor, pooled: Tensor) -> list[Tensor]:
        given = [pooled]
        if self.config.pooling == "mean+deviation":
            given.append((tokens.var(dim=1, unbiased=False) + 1e-6).sqrt())
        if self.config.statistics_read_out:
            given.append(self.statistics(spectrogram))
        return given

    def _loss(
        self,
        emotion: Tensor,
        second: Tensor | None,
        deviation: Tensor | None,
        labels: Tensor,
        label_deviation: Tensor | None,
    ) -> Tensor:
        loss = regression_loss(self.config.regression_loss, emotion, labels)
        if second is not None:
            loss = loss + regression_loss("mse", second, labels)
        if deviation is not None:
            spread = None if label_deviation is None else label_deviation.to(labels)
            loss = loss + deviation_loss(deviation, emotion, labels, spread)
        return loss

    def _check(self, spectrogram: Tensor, labels: Tensor | None, label_deviation: Tensor | None) -> None:
        expected = (1, self.config.n_mels, self.config.n_frames)
        if spectrogram.ndim != 4 or spectrogram.shape[1:] != expected:
            raise ValueError(
                f"expected spectrogram of shape (B, {', '.join(map(str, expected))}), got {tuple(spectrogram.shape)}"
            )
        for name, value in (("labels", labels), ("label_deviation", label_deviation)):
            if value is not None and value.shape != (len(spectrogram), 2):
                raise ValueError(f"expected {name} of shape ({len(spectrogram)}, 2), got {tuple(value.shape)}")
