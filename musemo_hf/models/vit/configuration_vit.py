"""Configuration of the ViT that predicts valence and arousal from a log-mel."""

import logging
import math
from collections.abc import Sequence
from typing import Any

from transformers import ASTConfig, AutoConfig, PreTrainedConfig, ViTConfig

from .kernel_mixture import STATISTICS, mixture_sizes

logger = logging.getLogger(__name__)

BACKBONES: dict[str, type[PreTrainedConfig]] = {ASTConfig.model_type: ASTConfig, ViTConfig.model_type: ViTConfig}
NOT_SHAPE = ("architectures", "dtype", "transformers_version", "_name_or_path", "id2label", "label2id")
LOSSES = ("ccc", "mse")
# settings of earlier versions, and the values that are left
_REMOVED = {
    "attention_probs_dropout_prob": 0.0,
    "head_dropout": 0.0,
    "initializer_range": 0.02,
    "pooling": "mean",
    "read_outs": "one",
    "statistics_read_out": False,
    "statistics_size": 64,
    "stem": "patch",
}


class MusemoViTConfig(PreTrainedConfig):
    """Configures a ViT (Dosovitskiy et al. 2021) on single-channel spectrograms with a regression head.

    Args:
        n_mels: The number of mel bands.
        n_frames: The number of frames of a spectrogram, padded on the right with -60 dB to whole patches.
        patch_size: The (mel bands, frames) of a patch.
        hidden_size: The width of the encoder's tokens.
        num_hidden_layers: The number of encoder layers.
        num_attention_heads: The number of attention heads, a divisor of `hidden_size`.
        intermediate_size: The hidden width of the encoder's MLPs.
        hidden_dropout_prob: The dropout probability of the encoder's embeddings and MLPs.
        kernel_read_out: Whether predictions average those of the network and of a kernel regression, see `KernelHead`.
            The network is trained alone.
        kernel_share: The weight of the kernel regression in that average, in [0, 1].
        kernel_clips: The number of training songs that the kernel regression keeps; set when it is fitted.
        kernel_statistics: The groups of statistics of the kernel regression, "texture", "tonal" and "patterns" or some
            of them, with a kernel each, see `KernelMixture`; None for texture alone, see `KernelHead`.
        embedder: The name of the external embedder whose features of a clip's audio are one more group, such as
            "yamnet-v1"; None for a recogniser of log-mels alone.
        embedding_size: The number of features of `embedder`.
        network: Whether there is a network. Without one the kernel regression answers alone, and `hidden_size` is the
            number of its statistics, which are then the embedding of a clip.
        window_frames: The number of frames of the windows that the encoder is given: in training one window from a
            random place of each clip, otherwise as many windows as cover it, whose tokens are pooled together. None for
            the whole clip.
        uncertainty: Whether to predict a standard deviation of each dimension too.
        deviation_scale: The factors that calibrate the predicted deviations of (valence, arousal). With them,
            predictions carry an interval of their own for each clip.
        backbone: The folder or Hub name of a pretrained ViT or AST, whose sizes and patch this model takes over. Its
            weights are read by `load_backbone` and when a training starts, but not by `from_pretrained` of this model.
        backbone_config: The configuration of the backbone; read from `backbone` when not given, and saved.
        emotion_error: The root mean square error of (valence, arousal) on songs of artists not trained on, where it was
            measured. With it, predictions without an interval of their own carry one that is the same for all clips.
        regression_loss: "ccc" (1 - concordance, averaged over the dimensions) or "mse".

    Raises:
        ValueError: A choice is unknown, sizes do not divide, or the backbone is neither a ViT nor an AST.
    """

    model_type = "musemo_vit"
    # `Trainer` collects all other outputs as predictions
    keys_to_ignore_at_inference = ["pooled", "hidden_states", "attentions"]  # noqa: RUF012 (as transformers declares it)

    n_mels: int = 128
    n_frames: int = 1292
    patch_size: list[int] | tuple[int, int] = (16, 17)  # 8 x 76 patches: 1292 = 76 x 17, no frame padded
    hidden_size: int = 384
    num_hidden_layers: int = 12
    num_attention_heads: int = 6
    intermediate_size: int = 1536
    hidden_dropout_prob: float = 0.0
    regression_loss: str = "ccc"
    emotion_error: list[float] | None = None
    kernel_read_out: bool = False
    kernel_share: float = 0.6
    kernel_clips: int = 0
    kernel_statistics: list[str] | None = None
    embedder: str | None = None
    embedding_size: int = 0
    network: bool = True
    window_frames: int | None = None
    uncertainty: bool = False
    deviation_scale: list[float] | None = None
    backbone: str | None = None
    backbone_config: dict[str, Any] | None = None

    @classmethod
    def get_config_dict(cls, *args: Any, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """Read a configuration as transformers does, also that of an encoder that was saved without its heads."""
        values, unused = super().get_config_dict(*args, **kwargs)
        return (_with_heads(values) if values.get("model_type") in BACKBONES else values), unused

    def __post_init__(self, **kwargs: Any) -> None:
        for name in _REMOVED.keys() & kwargs.keys():
            if (value := kwargs.pop(name)) != _REMOVED[name]:
                raise ValueError(f"{name} was removed, with the value {_REMOVED[name]} left, got {name}={value!r}")
            logger.info("%s was removed from MusemoViTConfig; its value, the only one left, is ignored", name)
        if self.regression_loss not in LOSSES:
            raise ValueError(f"expected regression_loss to be one of {LOSSES}, got {self.regression_loss!r}")
        self._adopt_backbone()
        if len(self.patch_size) != 2 or min(self.patch_size) < 1 or self.n_mels % self.patch_size[0]:
            raise ValueError(
                f"expected patch_size (mel bands, frames) with mel bands that divide {self.n_mels}, "
                f"got {self.patch_size}"
            )
        self._check_kernel_statistics()
        if self.network and self.hidden_size % self.num_attention_heads:
            raise ValueError(
                f"expected hidden_size to be a multiple of the {self.num_attention_heads} heads, got {self.hidden_size}"
            )
        self._check_kernel_and_windows()
        if self.deviation_scale is not None:
            self._check_deviation_scale(self.deviation_scale)
        super().__post_init__(**kwargs)

    def _check_deviation_scale(self, scale: Sequence[float]) -> None:
        if not self.uncertainty:
            raise ValueError(
                f"expected deviation_scale with uncertainty=True only, which predicts deviations, got {scale}"
            )
        if len(scale) != 2 or not all(0 < factor < math.inf for factor in scale):  # also where NaN
            raise ValueError(f"expected deviation_scale of two positive numbers (valence, arousal), got {scale}")

    def _check_kernel_statistics(self) -> None:
        chosen = self.kernel_statistics
        if chosen is not None and (
            not self.kernel_read_out or not chosen or len(set(chosen)) < len(chosen) or set(chosen) - set(STATISTICS)
        ):
            raise ValueError(
                f"expected kernel_statistics out of {', '.join(STATISTICS)}, each once, with kernel_read_out=True, "
                f"got {chosen} with kernel_read_out={self.kernel_read_out}"
            )
        if (self.embedder is None) != (self.embedding_size == 0) or self.embedding_size < 0:
            raise ValueError(
                f"expected embedder and embedding_size together, got {self.embedder!r} and {self.embedding_size}"
            )
        if chosen is None and (self.embedder is not None or not self.network):
            raise ValueError("expected kernel_statistics for an embedder, and for a recogniser without a network")
        if not self.network:
            if self.uncertainty or self.backbone_config is not None:
                raise ValueError("expected uncertainty and backbone with a network only, got network=False")
            sizes = mixture_sizes(self.n_frames, chosen or (), self.embedding_size)
            self.hidden_size = sum(kept for _, kept in sizes.values())

    def _check_kernel_and_windows(self) -> None:
        if not 0 <= self.kernel_share <= 1:
            raise ValueError(f"expected kernel_share from 0 to 1, got {self.kernel_share}")
        if self.kernel_read_out and (self.n_mels % 32 or self.n_frames < 8):
            raise ValueError(
                f"expected mel bands in multiples of 32 and at least 8 frames for a kernel head, "
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
        for name in ("hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size", "patch_size"):
            setattr(self, name, self.backbone_config[name])
        if isinstance(self.patch_size, int):
            self.patch_size = [self.patch_size, self.patch_size]

    @classmethod
    def from_dict(cls, config_dict: dict[str, Any], **kwargs: Any) -> Any:
        """Read a configuration, and refuse one of another model, which transformers would take with a warning.

        Raises:
            ValueError: It names another `model_type`.
        """
        if (found := config_dict.get("model_type", cls.model_type)) != cls.model_type:
            raise ValueError(f"expected the configuration of a {cls.model_type}, got one of a {found!r}")
        return super().from_dict(config_dict, **kwargs)

    @property
    def is_ast(self) -> bool:
        """Whether the encoder is an Audio Spectrogram Transformer (Gong et al. 2021): overlapping patches."""
        return self.backbone_config is not None and self.backbone_config["model_type"] == ASTConfig.model_type

    @property
    def patch_stride(self) -> tuple[int, int]:
        """The (mel bands, frames) from one patch to the next."""
        if self.is_ast and self.backbone_config is not None:
            return self.backbone_config["frequency_stride"], self.backbone_config["time_stride"]
        return self.patch_size[0], self.patch_size[1]

    @property
    def encoder_frames(self) -> int:
        """The number of frames that the encoder is given at once, those of a window or of the clip."""
        return self.n_frames if self.window_frames is None else self.window_frames

    @property
    def padded_frames(self) -> int:
        """The number of frames of the whole patches that cover `encoder_frames`."""
        patch, stride = self.patch_size[1], self.patch_stride[1]
        return patch + -(-max(0, self.encoder_frames - patch) // stride) * stride

    @property
    def grid(self) -> tuple[int, int]:
        """The (rows, columns) of patches."""
        return patch_grid((self.n_mels, self.padded_frames), self.patch_size, self.patch_stride)

    @property
    def n_prefix_tokens(self) -> int:
        """The number of tokens before those of the patches: the class token, and AST's distillation token."""
        return 2 if self.is_ast else 1

    def to_encoder_config(self) -> PreTrainedConfig:
        """Return the configuration of transformers' own encoder, a ViT or, for such a backbone, an AST."""
        # the backbone's other values (activation, norm) stay
        values = {name: value for name, value in (self.backbone_config or {}).items() if name != "model_type"}
        values |= {"hidden_dropout_prob": self.hidden_dropout_prob, "attention_probs_dropout_prob": 0.0}
        # saved with the encoder, whose folder is then enough for a recogniser of the same clips
        values |= {"n_frames": self.n_frames, "window_frames": self.window_frames}
        if self.is_ast:
            return ASTConfig(**values | {"num_mel_bins": self.n_mels, "max_length": self.padded_frames})
        names = ("hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size")
        values |= {name: getattr(self, name) for name in names}
        values |= {"image_size": [self.n_mels, self.padded_frames], "patch_size": list(self.patch_size)}
        return ViTConfig(**values | {"num_channels": 1})


def _with_heads(encoder: dict[str, Any]) -> dict[str, Any]:
    """Return the values of a recogniser on an encoder, a ViT or an AST, that was saved alone."""
    shape = {name: value for name, value in encoder.items() if name not in NOT_SHAPE}
    if encoder["model_type"] == ASTConfig.model_type:
        size = encoder["num_mel_bins"], encoder["max_length"]
    else:
        size = (
            tuple(encoder["image_size"])
            if isinstance(encoder["image_size"], Sequence)
            else (encoder["image_size"],) * 2
        )
    clips = {"n_frames": shape.pop("n_frames", size[1]), "window_frames": shape.pop("window_frames", None)}
    kept = {name: encoder[name] for name in ("dtype", "transformers_version") if name in encoder}
    dropout = encoder.get("hidden_dropout_prob", 0.0)
    return kept | clips | {"n_mels": size[0], "hidden_dropout_prob": dropout, "backbone_config": shape}


def patch_grid(size: Sequence[int], patch: Sequence[int], stride: Sequence[int]) -> tuple[int, int]:
    """Return the (rows, columns) of the patches that fit into a size of (mel bands, frames)."""
    rows, columns = ((s - p) // step + 1 for s, p, step in zip(size, patch, stride, strict=True))
    return rows, columns
