"""Emotion to log-mel by flow matching with a convolutional U-Net, as a diffusers model."""

from .modeling_unet import MusemoUNetGenerator

__all__ = ["MusemoUNetGenerator"]
