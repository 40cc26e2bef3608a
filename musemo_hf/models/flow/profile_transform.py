"""Log-mel <-> the profile of its clip, which says how loud and how lively each band is, and a texture without it."""

from itertools import pairwise

import torch
from torch import Tensor, nn

from .clip_gains import ClipGains, membership
from .modulation_transform import cosines, octave_edges

FLOOR = 0.004  # 0.2 dB on the normalised scale


class ProfileTransform(nn.Module):
    """A clip is its profile and its texture, as in models of sound textures (McDermott & Simoncelli 2011).

    The profile of a clip is the mean of each mel band over time, and its gains in each group of neighbouring bands and
    each octave of the rate of change (`ClipGains` of the cosine coefficients over time). The texture is the clip
    without its means and with the usual gains.

    Args:
        n_mels: mel bands.
        n_frames: of a clip.
        n_bands: groups of mel bands that have gains of their own, a divisor of `n_mels`; 0 leaves the gains as they
            are.
    """

    cosine: Tensor

    def __init__(self, n_mels: int, n_frames: int, n_bands: int) -> None:
        super().__init__()
        self.n_mels, self.n_frames = n_mels, n_frames
        bands = [n_mels // n_bands] * n_bands if n_bands else []
        octaves = [stop - start for start, stop in pairwise(octave_edges(n_frames))]
        rows = membership(bands) if bands else torch.zeros(0, n_mels)
        self.gains = ClipGains(rows, membership(octaves[1:], n_before=1), FLOOR)
        self.size = n_mels + self.gains.size
        self.register_buffer("cosine", cosines(n_frames))

    def fit(self, spectrogram: Tensor) -> None:
        """Find the usual gains of training clips, `(N, 1, n_mels, n_frames)`.

        Raises:
            ValueError: spectrograms of another shape.
        """
        self.gains.fit(self._changes(spectrogram))

    def encode(self, spectrogram: Tensor) -> tuple[Tensor, Tensor]:
        """`(B, 1, n_mels, n_frames)` -> profile `(B, size)`, texture `(B, 1, n_mels, n_frames)`."""
        gains, changes = self.gains.split(self._changes(spectrogram))
        return torch.cat([spectrogram[:, 0].mean(dim=-1), gains], dim=1), (changes @ self.cosine)[:, None]

    def decode(self, profile: Tensor, texture: Tensor) -> Tensor:
        """The inverse of `encode`, for textures of any gains, which are replaced by the profile's."""
        means, gains = profile.split([self.n_mels, self.gains.size], dim=1)
        changes = self.gains.join(gains, self._changes(texture))
        return (changes @ self.cosine + means[..., None])[:, None]

    def _changes(self, spectrogram: Tensor) -> Tensor:
        """Cosine coefficients over time `(B, n_mels, n_frames)`, that of the mean left out."""
        if spectrogram.ndim != 4 or spectrogram.shape[1:] != (1, self.n_mels, self.n_frames):
            expected = f"(B, 1, {self.n_mels}, {self.n_frames})"
            raise ValueError(f"expected spectrogram of shape {expected}, got {tuple(spectrogram.shape)}")
        return (spectrogram[:, 0] - spectrogram[:, 0].mean(dim=-1, keepdim=True)) @ self.cosine.T
