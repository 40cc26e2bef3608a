"""Configuration of the ViT that reads valence and arousal from a log-mel."""

import math
from collections.abc import Sequence
from typing import Any

from transformers import ASTConfig, AutoConfig, PreTrainedConfig, ViTConfig

from .stem import stem_strides

BACKBONES: dict[str, type[PreTrainedConfig]] = {ASTConfig.model_type: ASTConfig, ViTConfig.model_type: ViTConfig}
NOT_SHAPE = ("architectures", "dtype", "transformers_version", "_name_or_path", "id2label", "label2id")
CHOICES = {
    "regression_loss": ("ccc", "mse", "ccc+mse"),
    "stem": ("patch", "convolution"),
    "pooling": ("mean", "mean+deviation"),
    "read_outs": ("one", "two"),
}


class MusemoViTConfig(PreTrainedConfig):
    """A ViT (Dosovitskiy et al. 2021) on non-square, single-channel input with a two-value regression head.

    Args:
        n_mels: mel bands.
        n_frames: frames of a spectrogram; padded on the right with -60 dB to the next multiple of the patch.
        patch_size: (mel bands, frames) of a patch.
        hidden_size, num_hidden_layers, num_attention_heads, intermediate_size: the encoder's sizes.
        hidden_dropout_prob, attention_probs_dropout_prob: dropout within the encoder.
        stem: "patch" (one linear map a patch) or "convolution" (overlapping strided convolutions to the same grid, Xiao
            et al. 2021; sides of the patch are then powers of two from 4).
        pooling: of the tokens for the head, "mean" or "mean+deviation".
        statistics_read_out: the head is also given statistics over time of the log-mel's bands, see `BandStatistics`.
        statistics_size: hidden units that read the statistics.
        kernel_read_out: predictions are a mean of the network's and of a kernel regression's, see `KernelReadOut`;
            while it is trained the network is alone.
        kernel_share: of the kernel regression in that mean, in [0, 1].
        kernel_clips: training songs that the kernel regression keeps; set when it is fitted.
        window_frames: the encoder is given windows of so many frames, when it is trained one from a random place of
            each clip, otherwise as many as cover it, whose tokens are pooled together; None for the whole clip.
        head_dropout: dropout of the statistics, and of all that the head is given.
        read_outs: "one", or "two": a second head, trained by the squared error, beside the one of `regression_loss`.
        uncertainty: also predict a standard deviation of each dimension.
        deviation_scale: factors of the predicted deviations of (valence, arousal), where they were calibrated;
            predictions then carry an interval of each clip's own.
        backbone: a pretrained ViT or AST of the Hub, or a folder: its sizes and patch are then this model's, whatever
            else is given for them. Its weights are read by `load_backbone` and when a training starts, never by
            `from_pretrained` of this model.
        backbone_config: its configuration; read from `backbone` where not given, and saved with this one.
        emotion_error: root mean square error of (valence, arousal) on songs of artists not trained on, where it was
            measured: predictions then carry an interval, the same for every clip, where they have none of their own.
        regression_loss: "ccc" (1 - concordance, mean of the dimensions), "mse", or "ccc+mse".

    Raises:
        ValueError: an unknown choice, sizes that do not divide, or a backbone that is neither ViT nor AST.
    """

    model_type = "musemo_vit"

    n_mels: int = 128
    n_frames: int = 1292
    patch_size: list[int] | tuple[int, int] = (16, 17)  # 8 x 76 patches: 1292 = 76 x 17, no frame padded
    hidden_size: int = 384
    num_hidden_layers: int = 12
    num_attention_heads: int = 6
    intermediate_size: int = 1536
    hidden_dropout_prob: float = 0.0
    attention_probs_dropout_prob: float = 0.0
    initializer_range: float = 0.02
    regression_loss: str = "ccc"
    emotion_error: list[float] | None = None
    stem: str = "patch"
    pooling: str = "mean"
    statistics_read_out: bool = False
    statistics_size: int = 64
    kernel_read_out: bool = False
    kernel_share: float = 0.6
    kernel_clips: int = 0
    window_frames: int | None = None
    head_dropout: float = 0.0
    read_outs: str = "one"
    uncertainty: bool = False
    deviation_scale: list[float] | None = None
    backbone: str | None = None
    backbone_config: dict[str, Any] | None = None

    def __post_init__(self, **kwargs: Any) -> None:
        for name, choices in CHOICES.items():
            if getattr(self, name) not in choices:
                *first, last = map(repr, choices)
                raise ValueError(f"expected {name} to be {', '.join(first)} or {last}, got {getattr(self, name)!r}")
        self._adopt_backbone()
        if len(self.patch_size) != 2 or min(self.patch_size) < 1 or self.n_mels % self.patch_size[0]:
            raise ValueError(
                f"expected patch_size (mel bands, frames) with mel bands that divide {self.n_mels}, "
                f"got {self.patch_size}"
            )
        if self.hidden_size % self.num_attention_heads:
            raise ValueError(
                f"expected hidden_size to be a multiple of the {self.num_attention_heads} heads, got {self.hidden_size}"
            )
        if self.stem == "convolution":
            stem_strides(self.patch_size)
        self._check_kernel_and_windows()
        if not 0 <= self.head_dropout < 1:
            raise ValueError(f"expected head_dropout from 0 to below 1, got {self.head_dropout}")
        if self.deviation_scale is not None:
            self._check_deviation_scale(self.deviation_scale)
        if self.statistics_size < 1:
            raise ValueError(f"expected statistics_size of at least 1, got {self.statistics_size}")
        super().__post_init__(**kwargs)

    def _check_deviation_scale(self, scale: Sequence[float]) -> None:
        if not self.uncertainty:
            raise ValueError(
                f"expected deviation_scale with uncertainty=True only, which predicts deviations, got {scale}"
            )
        if len(scale) != 2 or not all(0 < factor < math.inf for factor in scale):  # also where NaN
            raise ValueError(f"expected deviation_scale of two positive numbers (valence, arousal), got {scale}")

    def _check_kernel_and_windows(self) -> None:
        if not 0 <= self.kernel_share <= 1:
            raise ValueError(f"expected kernel_share from 0 to 1, got {self.kernel_share}")
        if self.kernel_read_out and (self.n_mels % 32 or self.n_frames < 8):
            raise ValueError(
                f"expected mel bands in multiples of 32 and at least 8 frames for a kernel read-out, "
                f"got {self.n_mels} and {self.n_frames}"
            )
        if self.window_frames is not None and not 1 <= self.window_frames <= self.n_frames:
            raise ValueError(
                f"expected window_frames from 1 to the {self.n_frames} of a clip, got {self.window_frames}"
            )

    def _adopt_backbone(self) -> None:
        if self.backbone_config is None and self.backbone is not None:
            found = AutoConfig.from_pretrained(self.backbone).to_dict()
            self.backbone_config = {name: value for name, value in found.items() if name not in NOT_SHAPE}
        if self.backbone_config is None:
            return
        kind = self.backbone_config.get("model_type")
        if kind not in BACKBONES:
            raise ValueError(f"expected a backbone of type {' or '.join(sorted(BACKBONES))}, got {kind!r}")
        if self.stem != "patch":
            raise ValueError(f"expected stem='patch' with a backbone, which has patches of its own, got {self.stem!r}")
        for name in ("hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size", "patch_size"):
            setattr(self, name, self.backbone_config[name])
        if isinstance(self.patch_size, int):
            self.patch_size = [self.patch_size, self.patch_size]

    @property
    def is_ast(self) -> bool:
        """Whether the encoder is an Audio Spectrogram Transformer (Gong et al. 2021): overlapping patches."""
        return self.backbone_config is not None and self.backbone_config["model_type"] == ASTConfig.model_type

    @property
    def patch_stride(self) -> tuple[int, int]:
        """(mel bands, frames) from one patch to the next."""
        if self.is_ast and self.backbone_config is not None:
            return self.backbone_config["frequency_stride"], self.backbone_config["time_stride"]
        return self.patch_size[0], self.patch_size[1]

    @property
    def encoder_frames(self) -> int:
        """Frames that the encoder is given at once: of a window, or of the clip."""
        return self.n_frames if self.window_frames is None else self.window_frames

    @property
    def padded_frames(self) -> int:
        """As many frames as whole patches cover all of `encoder_frames`."""
        patch, stride = self.patch_size[1], self.patch_stride[1]
        return patch + -(-max(0, self.encoder_frames - patch) // stride) * stride

    @property
    def grid(self) -> tuple[int, int]:
        """(rows, columns) of patches."""
        return patch_grid((self.n_mels, self.padded_frames), self.patch_size, self.patch_stride)

    @property
    def n_prefix_tokens(self) -> int:
        """Tokens before those of the patches: the class token, and AST's distillation token."""
        return 2 if self.is_ast else 1

    @property
    def head_size(self) -> int:
        """Values that the head is given."""
        pooled = self.hidden_size * (2 if self.pooling == "mean+deviation" else 1)
        return pooled + (self.statistics_size if self.statistics_read_out else 0)

    def to_encoder_config(self) -> PreTrainedConfig:
        """The encoder's own configuration in transformers: of a ViT, or of an AST where the backbone is one."""
        own = {
            "hidden_dropout_prob": self.hidden_dropout_prob,
            "attention_probs_dropout_prob": self.attention_probs_dropout_prob,
        }
        if self.is_ast:
            return ASTConfig(**self._of_backbone(own | {"num_mel_bins": self.n_mels, "max_length": self.padded_frames}))
        sizes = {
            "image_size": [self.n_mels, self.padded_frames],
            "patch_size": list(self.patch_size),
            "num_channels": 1,
            "hidden_size": self.hidden_size,
            "num_hidden_layers": self.num_hidden_layers,
            "num_attention_heads": self.num_attention_heads,
            "intermediate_size": self.intermediate_size,
            "initializer_range": self.initializer_range,
        }
        return ViTConfig(**self._of_backbone(own | sizes))

    def _of_backbone(self, changes: dict[str, Any]) -> dict[str, Any]:
        """What the backbone has besides (activation, norm), and changes to it."""
        base = {name: value for name, value in (self.backbone_config or {}).items() if name != "model_type"}
        return base | changes


def patch_grid(size: Sequence[int], patch: Sequence[int], stride: Sequence[int]) -> tuple[int, int]:
    """(rows, columns) of the patches that lie within (mel bands, frames)."""
    rows, columns = ((s - p) // step + 1 for s, p, step in zip(size, patch, stride, strict=True))
    return rows, columns
