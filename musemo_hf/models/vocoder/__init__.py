"""Log-mel to waveform by a convolutional network with an inverse STFT, as a diffusers model."""

from .modeling_vocoder import MusemoVocoder

__all__ = ["MusemoVocoder"]
