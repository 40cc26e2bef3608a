"""Configuration of the emotion-conditioned spectrogram GAN."""

import logging
from typing import Any

from transformers import PreTrainedConfig

from .emotion_map import check_emotion_map
from .frozen_gan import pretrained_config
from .generation import check_fade_in

logger = logging.getLogger(__name__)

# the plain conditional DCGAN that the published improvements start from
_SIMPLE: dict[str, Any] = {
    "emotion_embedding": "linear",
    "upsampling": "transposed",
    "attention_stage": -1,
    "spectral_norm": False,
    "conditioning": "map",
    "scales": 1,
    "generator_network": "convolution",
    "modulation": False,
    "stem": "strided",
}
# What a preset decides; every value can be set by name on top of it.
PRESETS: dict[str, dict[str, Any]] = {
    "simple": _SIMPLE,
    # the published improvements together
    "enhanced": _SIMPLE
    | {"emotion_embedding": "mlp", "upsampling": "residual", "attention_stage": 1, "spectral_norm": True},
    # for the relativistic loss with gradient penalties, which take the place of spectral normalisation
    "modern": _SIMPLE
    | {
        "emotion_embedding": "mlp",
        "upsampling": "shuffle",
        "stem": "patch",
        "conditioning": "projection",
        "modulation": True,
    },
}
_CHOICES = {
    "emotion_embedding": ("linear", "mlp"),
    "upsampling": ("transposed", "residual", "shuffle"),
    "conditioning": ("map", "projection", "both"),
    "generator_network": ("convolution", "transformer"),
    "scales": (1, 2, 3),
    "stem": ("strided", "patch"),
}
# settings of earlier versions, and the values that are left
_REMOVED = {"emotion_hidden_dim": 128, "style_dim": 64, "local_noise_dim": 8, "n_rhythms": 8}


class MusemoGanConfig(PreTrainedConfig):
    """Configures both the generator and the discriminator.

    Args:
        preset: "enhanced" (default), "simple" or "modern"; it fills every value below that is None.
        n_mels: The number of mel bands, a multiple of 16.
        n_frames: The number of frames of a spectrogram, at least 16. The networks work on the next multiple of 16.
        noise_dim: The length of the noise vector; with `column_noise_dim`, of its part for the clip as a whole.
        noise_scale: The standard deviation of the noise that `generate` draws; it is 1 in training. Values above 1 make
            clips differ more, which compensates for a generator that follows the emotion too closely.
        emotion_dim: The length of the emotion embedding that is concatenated to the noise.
        generator_channels: The number of channels at 8 x n_frames / 16; it is halved from the second stage on.
        discriminator_channels: The number of channels of the first stage; it is doubled up to eight times that.
        emotion_embedding: "mlp" (one hidden layer) or "linear".
        upsampling: "residual" (nearest neighbour, two convolutions and a skip connection), "transposed" (DCGAN), or
            "shuffle", whose last doubling is a sub-pixel convolution (Shi et al. 2016), which takes half the time and
            leaves twice the channels before it.
        attention_stage: The stage before which the generator applies self-attention, from 0 (8 x 81 positions) to 2
            (32 x 324); -1 for none. The cost grows with the square of the number of positions.
        spectral_norm: Whether every layer of the discriminator is spectrally normalised (Miyato et al. 2018).
        group_norm_groups: The number of groups of the generator's normalisation, which is independent of the batch.
        modulation: Whether noise and emotion also scale and shift every normalisation of the generator (StyleGAN,
            Karras et al. 2019). A generator that receives noise only at its input learns to ignore it.
        conditioning: How the discriminator receives the emotion: "map" (a second input map), "projection" (an inner
            product with its last features, Miyato & Koyama 2018), or "both".
        stem: The first layers of the discriminator: "strided" (two strided convolutions), "patch" (one convolution
            over 4 x 4 patches folded into channels, Liu et al. 2022), which avoids the two largest maps.
        scales: The number of discriminators, each at half the resolution of the one before (Wang et al. 2018).
        pretrained_discriminator: The folder or Hub name of a pretrained model of spectrograms (an Audio Spectrogram
            Transformer, or our recogniser) or of waveforms (Wav2Vec2, HuBERT or WavLM) on whose frozen features the
            discriminator works (Sauer et al. 2021).
        pretrained_config: The configuration of that model; read from the folder when None. With it a checkpoint, which
            contains the frozen weights, loads without the folder.
        generator_network: "convolution", or "transformer" over patches of 16 x 16.
        transformer_dim: The width of the transformer's tokens.
        transformer_layers: The number of transformer blocks.
        transformer_heads: The number of attention heads, a divisor of `transformer_dim`.
        song_dim: The number of values of the noise in whose place a training gives the code of a real song, which the
            discriminator is told too; at most `noise_dim`. See `musemo_hf.training.gan.song_codes`.
        column_noise_dim: The number of coarse noise values of each column of 16 frames, for the network "convolution";
            with them it also has one at each place of four bands and four frames, and no arrangement in time is learnt
            by heart. 0 makes the first map of the noise and emotion of the clip alone.
        emotion_map: The calibration of the emotion that `generate` is asked for, see `map_emotion`; None for none.
        emotion_range: The (least, greatest) valence and arousal of the training songs, see `map_emotion`.
        fade_in: What `generate` adds to the first frames of a clip, on the normalised scale, because the songs of the
            training fade in; None for nothing. A network that does not know where a clip begins cannot learn it.

    Raises:
        ValueError: The preset or a choice is unknown, a size does not fit the networks, the map of emotions has another
            shape, or the pretrained model is of another kind.
    """

    model_type = "musemo_gan"

    preset: str = "enhanced"
    n_mels: int = 128
    n_frames: int = 1292
    noise_dim: int = 100
    noise_scale: float = 1.0
    emotion_dim: int = 256
    generator_channels: int = 256
    discriminator_channels: int = 64
    group_norm_groups: int = 8
    transformer_dim: int = 128
    transformer_layers: int = 4
    transformer_heads: int = 4
    song_dim: int = 0
    column_noise_dim: int = 0
    emotion_embedding: str | None = None
    upsampling: str | None = None
    attention_stage: int | None = None
    spectral_norm: bool | None = None
    modulation: bool | None = None
    conditioning: str | None = None
    stem: str | None = None
    scales: int | None = None
    generator_network: str | None = None
    pretrained_discriminator: str | None = None
    pretrained_config: dict[str, Any] | None = None
    emotion_map: list[list[float]] | None = None
    emotion_range: list[list[float]] | None = None
    fade_in: list[float] | None = None

    def __post_init__(self, **kwargs: Any) -> None:
        for name in _REMOVED.keys() & kwargs.keys():
            if (value := kwargs.pop(name)) != _REMOVED[name]:
                raise ValueError(f"{name} was removed, with the value {_REMOVED[name]} left, got {name}={value!r}")
            logger.info("%s was removed from MusemoGanConfig; its value, the only one left, is ignored", name)
        if self.preset not in PRESETS:
            raise ValueError(f"expected preset to be one of {sorted(PRESETS)}, got {self.preset!r}")
        for name, value in PRESETS[self.preset].items():
            if getattr(self, name) is None:
                setattr(self, name, value)
        self._check()
        if self.pretrained_discriminator is not None and self.pretrained_config is None:
            self.pretrained_config = pretrained_config(self.pretrained_discriminator)
        super().__post_init__(**kwargs)

    def _check(self) -> None:
        for name, choices in _CHOICES.items():
            if getattr(self, name) not in choices:
                raise ValueError(f"expected {name} to be one of {choices}, got {getattr(self, name)!r}")
        check_emotion_map(self.emotion_map, self.emotion_range)
        check_fade_in(self.fade_in, self.n_frames)
        if not self.noise_scale > 0:
            raise ValueError(f"expected noise_scale above 0, got {self.noise_scale}")
        if self.n_mels % 16 or self.n_mels < 16:
            raise ValueError(f"expected n_mels to be a multiple of 16, got {self.n_mels}")
        if self.n_frames < 16:
            raise ValueError(f"expected n_frames of at least 16, got {self.n_frames}")
        if not 0 <= self.song_dim <= self.noise_dim:
            raise ValueError(f"expected song_dim in [0, noise_dim = {self.noise_dim}], got {self.song_dim}")
        if self.column_noise_dim < 0 or (self.column_noise_dim and self.generator_network != "convolution"):
            raise ValueError(
                'expected column_noise_dim of at least 0, and 0 unless generator_network is "convolution", got '
                f'{self.column_noise_dim} with "{self.generator_network}"'
            )
        if self.attention_stage not in (-1, 0, 1, 2):
            raise ValueError(f"expected attention_stage to be -1 (none), 0, 1 or 2, got {self.attention_stage}")
        coarsest = min(self.n_mels, self.padded_frames) // 2 ** (self.scales - 1)  # type: ignore[operator]
        if coarsest < 16:
            raise ValueError(f"expected scales that leave 16 x 16 positions at the coarsest, got {self.scales}")
        if self.generator_channels % (8 * self.group_norm_groups):
            raise ValueError(
                "expected generator_channels to be a multiple of 8 * group_norm_groups = "
                f"{8 * self.group_norm_groups}, got {self.generator_channels}"
            )
        if self.transformer_dim % self.transformer_heads:
            raise ValueError(
                f"expected transformer_dim to be a multiple of the {self.transformer_heads} heads, "
                f"got {self.transformer_dim}"
            )

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
    def padded_frames(self) -> int:
        """The next multiple of 16 frames, on which the networks work."""
        return -(-self.n_frames // 16) * 16

    @property
    def stage_channels(self) -> list[int]:
        """The generator's channels at 8 x 81, 16 x 162, 32 x 324, 64 x 648 and 128 x 1296 (for 1292 frames).

        With "shuffle" the last of these is absent, and the one before it is twice as wide.
        """
        divisors = (1, 1, 2, 2) if self.upsampling == "shuffle" else (1, 1, 2, 4, 8)
        return [self.generator_channels // divisor for divisor in divisors]
