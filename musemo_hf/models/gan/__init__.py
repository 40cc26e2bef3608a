"""Emotion to log-mel by a conditional GAN. Importing registers the classes with transformers' Auto classes."""

from transformers import AutoConfig, AutoModel

from .configuration_gan import PRESETS, MusemoGanConfig
from .discriminator_gan import MusemoDiscriminatorOutput, MusemoGanDiscriminator
from .frozen_gan import FrozenFeatures, pretrained_config
from .generation import check_emotion, evaluating, expand_seeds
from .modeling_gan import MusemoGanGenerator, MusemoGeneratorOutput

AutoConfig.register(MusemoGanConfig.model_type, MusemoGanConfig, exist_ok=True)
AutoModel.register(MusemoGanConfig, MusemoGanGenerator, exist_ok=True)

__all__ = [
    "PRESETS",
    "FrozenFeatures",
    "MusemoDiscriminatorOutput",
    "MusemoGanConfig",
    "MusemoGanDiscriminator",
    "MusemoGanGenerator",
    "MusemoGeneratorOutput",
    "check_emotion",
    "evaluating",
    "expand_seeds",
    "pretrained_config",
]
