"""Emotion to waveform by a conditional WaveGAN, as diffusers models."""

from .discriminator_wavegan import MusemoWaveganDiscriminator
from .modeling_wavegan import MusemoWaveganGenerator

__all__ = ["MusemoWaveganDiscriminator", "MusemoWaveganGenerator"]
