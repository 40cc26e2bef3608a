"""Configuration of the emotion-conditioned spectrogram GAN."""

from typing import Any

from transformers import PreTrainedConfig

from .frozen_gan import pretrained_config

# What a preset decides; every value can be set by name on top of it.
_ADDED = {
    "conditioning": "map",
    "scales": 1,
    "generator_network": "convolution",
    "modulation": False,
    "stem": "strided",
}
PRESETS: dict[str, dict[str, Any]] = {
    # the plain conditional DCGAN that the published improvements start from
    "simple": {
        "emotion_embedding": "linear",
        "upsampling": "transposed",
        "attention_stage": -1,
        "spectral_norm": False,
        **_ADDED,
    },
    # the published improvements together
    "enhanced": {
        "emotion_embedding": "mlp",
        "upsampling": "residual",
        "attention_stage": 1,
        "spectral_norm": True,
        **_ADDED,
    },
    # for the relativistic loss with gradient penalties, which take the place of spectral normalisation
    "modern": {
        "emotion_embedding": "mlp",
        "upsampling": "shuffle",
        "attention_stage": -1,
        "spectral_norm": False,
        "stem": "patch",
        "conditioning": "projection",
        "scales": 1,
        "generator_network": "convolution",
        "modulation": True,
    },
}
_CHOICES = {
    "emotion_embedding": ("linear", "mlp"),
    "upsampling": ("transposed", "residual", "shuffle"),
    "conditioning": ("map", "projection"),
    "generator_network": ("convolution", "transformer"),
    "scales": (1, 2, 3),
    "stem": ("strided", "patch"),
}


class MusemoGanConfig(PreTrainedConfig):
    """Generator and discriminator share one configuration.

    Args:
        preset: "enhanced" (default), "simple" or "modern"; fills every value below that is None.
        n_mels: mel bands; a multiple of 16.
        n_frames: frames of a spectrogram; any number from 16 on. The networks work on the next multiple of 16.
        noise_dim: length of the noise vector.
        noise_scale: deviation of the noise that `generate` draws; training's is 1. Above 1 clips differ more from one
            another, which makes up for a generator that learnt to follow the emotion too closely.
        emotion_dim: length of the emotion embedding that is joined to the noise.
        emotion_hidden_dim: hidden width of the MLP 2 -> `emotion_hidden_dim` -> `emotion_dim`.
        generator_channels: channels at 8 x n_frames / 16; halved from the second stage on.
        discriminator_channels: channels at the first stage; doubled up to eight times that.
        emotion_embedding: "mlp", or "linear" (the plain network).
        upsampling: "residual" (nearest neighbour + two convolutions + skip), "transposed" (DCGAN), or "shuffle", where
            the last doubling is a sub-pixel convolution (Shi et al. 2016): half the time, and twice the channels
            before it.
        attention_stage: stage after which the generator attends to itself, 0 (8 x 81 before any upsampling) to 2
            (32 x 324); -1 for none. The cost grows with the square of the positions.
        spectral_norm: on every layer of the discriminator (Miyato et al. 2018).
        group_norm_groups: groups of the generator's normalisation, which does not depend on the batch.
        modulation: noise and emotion also scale and shift every normalisation of the generator (as in StyleGAN,
            Karras et al. 2019), which a network that hears its noise at the input alone learns to ignore.
        style_dim: length of the vector that modulates.
        conditioning: how the discriminator hears the emotion: "map", a second input map; or "projection", an inner
            product with its last features (Miyato & Koyama 2018).
        stem: how the discriminator begins: "strided", two strided convolutions; or "patch", one over 4 x 4 patches
            folded into channels (as in ConvNeXt, Liu et al. 2022), which spares the two largest maps.
        scales: discriminators, each on the spectrogram at half the resolution of the one before (Wang et al. 2018).
        pretrained_discriminator: folder of a pretrained model of spectrograms (an Audio Spectrogram Transformer, or our
            recogniser) on whose frozen features the discriminator judges (Projected GAN, Sauer et al. 2021).
        pretrained_config: that model's configuration, read from the folder where None; it lets a checkpoint, which
            holds the frozen weights, be loaded without the folder.
        generator_network: "convolution", or "transformer" over patches of 16 x 16.
        transformer_dim, transformer_layers, transformer_heads: the transformer's sizes.

    Raises:
        ValueError: an unknown preset or choice, a size that the networks cannot take, or a pretrained model of
            waveforms.
    """

    model_type = "musemo_gan"

    preset: str = "enhanced"
    n_mels: int = 128
    n_frames: int = 1292
    noise_dim: int = 100
    noise_scale: float = 1.0
    emotion_dim: int = 256
    emotion_hidden_dim: int = 128
    generator_channels: int = 256
    discriminator_channels: int = 64
    group_norm_groups: int = 8
    style_dim: int = 64
    transformer_dim: int = 128
    transformer_layers: int = 4
    transformer_heads: int = 4
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

    def __post_init__(self, **kwargs: Any) -> None:
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
        if not self.noise_scale > 0:
            raise ValueError(f"expected noise_scale above 0, got {self.noise_scale}")
        if self.n_mels % 16 or self.n_mels < 16:
            raise ValueError(f"expected n_mels to be a multiple of 16, got {self.n_mels}")
        if self.n_frames < 16:
            raise ValueError(f"expected n_frames of at least 16, got {self.n_frames}")
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

    @property
    def padded_frames(self) -> int:
        """The next multiple of 16, on which the networks work."""
        return -(-self.n_frames // 16) * 16

    @property
    def stage_channels(self) -> list[int]:
        """Generator channels at 8 x 81, 16 x 162, 32 x 324, 64 x 648 and 128 x 1296 (for 1292 frames).

        With "shuffle" the last of these is not there, and the one before it is twice as wide.
        """
        divisors = (1, 1, 2, 2) if self.upsampling == "shuffle" else (1, 1, 2, 4, 8)
        return [self.generator_channels // divisor for divisor in divisors]
