"""The recogniser of valence and arousal: transformers' ViT encoder with a head, kernel regression, or both."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import ASTModel, PreTrainedModel, ViTModel
from transformers import initialization as init
from transformers.utils import ModelOutput
from transformers.utils.deprecation import deprecate_kwarg

from .complete_loading import CompleteLoadingMixin
from .configuration_vit import MusemoViTConfig
from .full_precision import FullPrecision
from .kernel_head import KernelHead
from .kernel_mixture import KernelMixture, mixture_of
from .losses import deviation_loss, regression_loss
from .verification import VerifiedModelMixin
from .weight_names import with_current_names
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
        pooled: The mean of the patch tokens `(B, hidden_size)`, the recogniser's embedding of a clip; without a network
            the standardised statistics of the kernel regression.
        deviation: The predicted standard deviations `(B, 2)`, with `uncertainty` only; multiplied by `deviation_scale`
            when calibrated.
        hidden_states: The tokens before the first layer of the encoder and after each, `(B, tokens, hidden_size)` each,
            when they were asked for. Windows that cover a clip count as clips of their own here.
        attentions: The attention weights of each layer of the encoder, `(B, heads, tokens, tokens)` each, when they
            were asked for.
    """

    loss: Tensor | None = None
    emotion: Tensor | None = None
    pooled: Tensor | None = None
    deviation: Tensor | None = None
    hidden_states: tuple[Tensor, ...] | None = None
    attentions: tuple[Tensor, ...] | None = None


class MusemoViTForEmotionRegression(VerifiedModelMixin, CompleteLoadingMixin, PreTrainedModel):
    """Predicts (valence, arousal) by a linear head on the mean of the patch tokens of a ViT, or by kernel regression.

    The configuration says which of the two there are, and the share of each (`kernel_read_out`, `network`).
    """

    config_class = MusemoViTConfig
    base_model_prefix = "vit"
    main_input_name = "spectrogram"
    _supports_sdpa = True
    _supports_flash_attn = True
    _supports_flex_attn = True
    _supports_attention_backend = True
    supports_gradient_checkpointing = True

    def __init__(self, config: MusemoViTConfig) -> None:
        super().__init__(config)
        if config.network:
            encoder_config = config.to_encoder_config()
            encoder_config._attn_implementation = config._attn_implementation
            encoder = ASTModel(encoder_config) if config.is_ast else ViTModel(encoder_config, add_pooling_layer=False)
            self.vit: PreTrainedModel = encoder
        if config.kernel_read_out:
            self.kernel: KernelHead | KernelMixture
            if config.kernel_statistics is None:
                self.kernel = KernelHead(config.n_frames, config.kernel_clips)
            else:
                sizes = config.n_frames, config.kernel_clips
                self.kernel = KernelMixture(*sizes, config.kernel_statistics, config.embedding_size)
            self._keep_in_fp32_modules_strict = ["kernel"]  # also where a checkpoint is loaded in half precision
        if config.network:
            self.regressor = nn.Linear(config.hidden_size, 2)
        if config.uncertainty:
            self.uncertainty = nn.Linear(config.hidden_size, 2)
        self.post_init()

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        if module is getattr(self, "regressor", None):
            init.normal_(module.weight, std=INITIALIZER_RANGE)
            init.zeros_(module.bias)
        elif isinstance(module, nn.Linear):  # the head of the deviation
            init.kaiming_uniform_(module.weight, a=5**0.5)
            init.zeros_(module.bias)
        elif isinstance(module, FullPrecision):
            for name, value in (*module.named_buffers(recurse=False), *module.named_parameters(recurse=False)):
                init.constant_(value, float(name in ("scale", "varying")))
            if isinstance(module, KernelMixture):
                init.copy_(module.mixture, mixture_of(module.groups))
        else:
            super()._init_weights(module)

    def fit_in_closed_form(
        self,
        spectrogram: Tensor,
        emotion: Tensor,
        artists: Sequence[int] | None = None,
        embedding: Tensor | None = None,
        seed: int = 0,
    ) -> None:
        """Fit the kernel regression, which no gradient trains, when there is one.

        Args:
            spectrogram: The normalised log-mels `(N, 1, n_mels, n_frames)` of the training songs.
            emotion: The emotions `(N, 2)` (valence, arousal).
            artists: A number for each song, equal for songs of one artist, see `KernelMixture.fit`.
            embedding: The features `(N, embedding_size)` of the songs by `config.embedder`, when there is one.
            seed: The seed of what is learnt without labels.
        """
        if not self.config.kernel_read_out:
            return
        if isinstance(self.kernel, KernelMixture):
            self.kernel.fit(spectrogram, emotion, artists, embedding, seed=seed)
        else:
            self.kernel.fit(spectrogram, emotion)
        self.config.kernel_clips = len(spectrogram)

    # transformers' Trainer takes every argument whose name contains "label" for a label
    @deprecate_kwarg("label_deviation", version="6.0.0", new_name="emotion_deviation")
    def forward(
        self,
        spectrogram: Tensor,
        labels: Tensor | None = None,
        emotion_deviation: Tensor | None = None,
        output_attentions: bool | None = None,
        output_hidden_states: bool | None = None,
        return_dict: bool | None = None,
        embedding: Tensor | None = None,
    ) -> MusemoEmotionOutput | tuple[Any, ...]:
        """Predict valence and arousal.

        Args:
            spectrogram: The normalised log-mels `(B, 1, n_mels, n_frames)`, in any floating-point precision. In
                training they may be windows already, of `window_frames` frames.
            labels: The labels `(B, 2)` (valence, arousal) in [-1, 1], for the loss.
            emotion_deviation: The standard deviations `(B, 2)` of the raters, in the same units; an optional input of
                the loss of predicted deviations.
            output_attentions: Whether to return the attention weights of the encoder, which are then computed by eager
                attention (default: the configuration's value).
            output_hidden_states: Whether to return the hidden states of the encoder (default: the configuration's).
            return_dict: Whether to return a `MusemoEmotionOutput` and not a tuple (default: the configuration's value).
            embedding: The features `(B, embedding_size)` of the clips' audio by `config.embedder`, when there is one.

        Raises:
            ValueError: The spectrograms, the labels or the embedding have another shape.
        """
        self._check(spectrogram, labels, emotion_deviation)
        if self.config.network:
            emotion, pooled, encoded = self._network(spectrogram, output_attentions, output_hidden_states)
            if self.config.kernel_read_out and not self.training:
                answer = self._kernel_answer(spectrogram, embedding).to(emotion)
                emotion = torch.lerp(emotion, answer, self.config.kernel_share)
        else:
            assert isinstance(self.kernel, KernelMixture)  # the configuration sees to it
            standardised = self.kernel.standardised(spectrogram, embedding)
            emotion, pooled = self.kernel.regress(standardised), torch.cat(list(standardised.values()), dim=1)
            encoded = None
        deviation = loss = None
        if self.config.uncertainty:
            deviation = functional.softplus(self.uncertainty(pooled).float()) + MIN_DEVIATION
        if labels is not None:
            loss = self._loss(emotion, deviation, labels.to(emotion), emotion_deviation)
        if deviation is not None and self.config.deviation_scale is not None:
            deviation = deviation * deviation.new_tensor(self.config.deviation_scale)
        seen = (None, None) if encoded is None else (encoded.hidden_states, encoded.attentions)
        output = MusemoEmotionOutput(loss, emotion, pooled, deviation, *seen)
        return output if _or_default(return_dict, self.config.return_dict) else output.to_tuple()

    def load_state_dict(self, state_dict: Mapping[str, Any], *args: Any, **kwargs: Any) -> Any:
        """Load weights as torch does, also those of files, where `save_pretrained` gives the encoder's older names.

        transformers' `Trainer` loads them so when it resumes and when it returns to the best checkpoint.
        """
        return super().load_state_dict(with_current_names(self, state_dict), *args, **kwargs)

    def can_make(self, missing: set[str]) -> bool:
        """Return whether all heads are missing, and nothing else: a folder of the encoder alone gets new heads."""
        return missing == {name for name in self.state_dict() if not name.startswith(f"{self.base_model_prefix}.")}

    def _network(
        self, spectrogram: Tensor, output_attentions: bool | None, output_hidden_states: bool | None
    ) -> tuple[Tensor, Tensor, Any]:
        """Return the network's emotion `(B, 2)` and embedding `(B, hidden_size)`, and the output of the encoder."""
        encoded = self._encode(spectrogram, output_attentions, output_hidden_states)
        tokens = encoded.last_hidden_state[:, self.config.n_prefix_tokens :]
        if self.config.window_frames is not None and not self.training:  # the windows of a clip are pooled together
            tokens = tokens.reshape(spectrogram.shape[0], -1, tokens.shape[-1])
        pooled = tokens.mean(dim=1)
        return self.regressor(pooled).float(), pooled, encoded

    def _kernel_answer(self, spectrogram: Tensor, embedding: Tensor | None) -> Tensor:
        if isinstance(self.kernel, KernelMixture):
            return self.kernel(spectrogram, embedding)
        return self.kernel(spectrogram)

    def _encode(self, spectrogram: Tensor, output_attentions: bool | None, output_hidden_states: bool | None) -> Any:
        """Return the output of the encoder for clips, or for windows of them one after the other."""
        if self.config.window_frames is not None:
            if not self.training:
                spectrogram = covering_windows(spectrogram, self.config.window_frames).flatten(0, 1)
            elif spectrogram.shape[-1] > self.config.window_frames:
                spectrogram = random_windows(spectrogram, self.config.window_frames)
        missing = self.config.padded_frames - self.config.encoder_frames
        padded = functional.pad(spectrogram.to(self.regressor.weight.dtype), (0, missing), value=PADDING)
        # an AST takes (B, frames, mel bands)
        inputs = padded[:, 0].transpose(1, 2) if self.config.is_ast else padded
        hidden = _or_default(output_hidden_states, self.config.output_hidden_states)
        if not _or_default(output_attentions, self.config.output_attentions):
            return self.vit(inputs, output_hidden_states=hidden)
        # the other implementations of attention compute no weights
        self.vit.config._attn_implementation = "eager"
        try:
            return self.vit(inputs, output_hidden_states=hidden, output_attentions=True)
        finally:
            self.vit.config._attn_implementation = self.config._attn_implementation

    def _loss(
        self, emotion: Tensor, deviation: Tensor | None, labels: Tensor, emotion_deviation: Tensor | None
    ) -> Tensor:
        loss = regression_loss(self.config.regression_loss, emotion, labels)
        if deviation is None:
            return loss
        raters = None if emotion_deviation is None else emotion_deviation.to(labels)
        return loss + deviation_loss(deviation, emotion, labels, raters)

    def _check(self, spectrogram: Tensor, labels: Tensor | None, emotion_deviation: Tensor | None) -> None:
        expected = (1, self.config.n_mels, self.config.n_frames)
        window = (1, self.config.n_mels, self.config.encoder_frames if self.training else self.config.n_frames)
        if spectrogram.ndim != 4 or spectrogram.shape[1:] not in (expected, window):
            raise ValueError(
                f"expected spectrogram of shape (B, {', '.join(map(str, expected))}), got {tuple(spectrogram.shape)}"
            )
        for name, value in (("labels", labels), ("emotion_deviation", emotion_deviation)):
            if value is not None and value.shape != (spectrogram.shape[0], 2):
                raise ValueError(f"expected {name} of shape ({spectrogram.shape[0]}, 2), got {tuple(value.shape)}")


def _or_default(value: bool | None, default: bool) -> bool:
    return default if value is None else value
