"""The discriminators of audio, on spectra of several resolutions."""

from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import weight_norm

from .losses import stft_magnitude

RESOLUTIONS = (512, 1024, 2048)  # windows
SLOPE = 0.1  # of leaky ReLU


class VocoderDiscriminator(nn.Module):
    """Judges audio by its log-magnitudes in several resolutions (Jang et al. 2021).

    Logarithms, since music is far quieter in its highest octave, where most bins are.

    Args:
        channels: The number of channels of each hidden layer.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.parts = nn.ModuleList(_layers(channels) for _ in RESOLUTIONS)

    def forward(self, audio: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        """Return the logits of each resolution, and the features of all hidden layers.

        Args:
            audio: The samples `(B, samples)`.
        """
        logits: list[Tensor] = []
        features: list[Tensor] = []
        for window, layers in zip(RESOLUTIONS, self.parts, strict=True):
            view = stft_magnitude(audio, window).log().transpose(1, 2)[:, None]
            *hidden, last = layers.children()
            for layer in hidden:
                view = functional.leaky_relu(layer(view), SLOPE)
                features.append(view)
            logits.append(last(view).flatten(1))
        return logits, features


def _layers(channels: int) -> nn.ModuleList:
    hidden = [nn.Conv2d(*widths, (3, 9), (1, 2), (1, 4)) for widths in pairwise([1, *[channels] * 4])]
    return nn.ModuleList(weight_norm(layer) for layer in [*hidden, nn.Conv2d(channels, 1, 3, padding=1)])
