"""Log-mel to valence and arousal by a ViT. Importing registers the classes with transformers' Auto classes."""

from transformers import AutoConfig, AutoModel

from .configuration_vit import MusemoViTConfig
from .losses import concordance_loss
from .modeling_vit import MusemoEmotionOutput, MusemoViTForEmotionRegression

AutoConfig.register(MusemoViTConfig.model_type, MusemoViTConfig, exist_ok=True)
AutoModel.register(MusemoViTConfig, MusemoViTForEmotionRegression, exist_ok=True)

__all__ = ["MusemoEmotionOutput", "MusemoViTConfig", "MusemoViTForEmotionRegression", "concordance_loss"]
