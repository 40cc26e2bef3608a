"""Log-mel -> valence and arousal by a ViT. Importing registers the classes with transformers' Auto classes."""

from transformers import AutoConfig, AutoModel

from .configuration_vit import MusemoViTConfig
from .modeling_vit import MusemoEmotionOutput, MusemoViTForEmotionRegression, concordance_loss

AutoConfig.register(MusemoViTConfig.model_type, MusemoViTConfig, exist_ok=True)
AutoModel.register(MusemoViTConfig, MusemoViTForEmotionRegression, exist_ok=True)

__all__ = ["MusemoEmotionOutput", "MusemoViTConfig", "MusemoViTForEmotionRegression", "concordance_loss"]
