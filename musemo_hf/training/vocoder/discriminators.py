"""Discriminators of audio: on spectra of several resolutions, and on samples of several periods."""

from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import weight_norm

from .losses import stft_magnitude

RESOLUTIONS = (512, 1024, 2048)  # windows
PERIODS = (2, 3, 5)
SLOPE = 0.1  # of leaky ReLU


class VocoderDiscriminator(nn.Module):
    """Judges audio by its spectra (Jang et al. 2021) and by its samples in columns of periods (Kong et al. 2020).

    Args:
        channels: The number of channels of the first layer of each part.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.of_spectra = nn.ModuleList(_layers(channels, (3, 9), (1, 2), growth=1) for _ in RESOLUTIONS)
        self.of_periods = nn.ModuleList(_layers(channels, (5, 1), (3, 1), growth=2) for _ in PERIODS)

    def forward(self, audio: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        """Return the logits of each part, and the features of all layers.

        Args:
            audio: The samples `(B, samples)`.
        """
        logits: list[Tensor] = []
        features: list[Tensor] = []
        views = [stft_magnitude(audio, window).transpose(1, 2)[:, None] for window in RESOLUTIONS]
        views += [_in_columns(audio, period) for period in PERIODS]
        for view, layers in zip(views, [*self.of_spectra, *self.of_periods], strict=True):
            *hidden, last = layers
            for layer in hidden:
                view = functional.leaky_relu(layer(view), SLOPE)
                features.append(view)
            logits.append(last(view).flatten(1))
        return logits, features


def _layers(channels: int, kernel: tuple[int, int], stride: tuple[int, int], growth: int) -> nn.ModuleList:
    widths = [1, *(channels * growth**i for i in range(4))]
    padding = (kernel[0] // 2, kernel[1] // 2)
    hidden = [nn.Conv2d(before, after, kernel, stride, padding) for before, after in pairwise(widths)]
    return nn.ModuleList(weight_norm(layer) for layer in [*hidden, nn.Conv2d(widths[-1], 1, 3, padding=1)])


def _in_columns(audio: Tensor, period: int) -> Tensor:
    """Return samples in rows of one period, `(B, 1, samples / period, period)`."""
    missing = -audio.shape[1] % period
    return functional.pad(audio[:, None], (0, missing), mode="reflect").reshape(len(audio), 1, -1, period)
