"""Log-mel <-> the profile of its clip: how loud and lively each band is, and its pulse; and a texture without it."""

from itertools import pairwise

import torch
from torch import Tensor, nn

from .clip_gains import ClipGains, membership
from .modulation_transform import cosines, octave_edges
from .pulse import Pulse

FLOOR = 0.004  # 0.2 dB on the normalised scale


class ProfileTransform(nn.Module):
    """A clip is its profile and its texture, as in models of sound textures (McDermott & Simoncelli 2011).

    The profile of a clip is the mean of each mel band over time, its gains in each group of neighbouring bands and each
    octave of the rate of change (`ClipGains` of the cosine coefficients over time), and its `Pulse`. The texture is the
    clip with the usual gains and no pulse, and without what the mean of a band tells about each of its frames by the
    line of least squares: that is the mean itself, but where clips begin alike, as those do that a decoder starts in
    silence.

    Args:
        n_mels: mel bands.
        n_frames: of a clip.
        n_bands: groups of mel bands that have gains of their own, a divisor of `n_mels`; 0 leaves the gains as they
            are.
        n_pulse_bands: groups in which the pulse stands out by so much or so little, a divisor of `n_mels`; 0 leaves the
            pulse where it is.
    """

    cosine: Tensor
    start: Tensor
    slope: Tensor

    def __init__(self, n_mels: int, n_frames: int, n_bands: int, n_pulse_bands: int = 0) -> None:
        super().__init__()
        self.n_mels, self.n_frames = n_mels, n_frames
        bands = [n_mels // n_bands] * n_bands if n_bands else []
        octaves = [stop - start for start, stop in pairwise(octave_edges(n_frames))]
        rows = membership(bands) if bands else torch.zeros(0, n_mels)
        self.gains = ClipGains(rows, membership(octaves[1:], n_before=1), FLOOR)
        self.pulse = Pulse(n_mels, n_frames, n_pulse_bands)
        self.size = n_mels + self.gains.size + self.pulse.size
        self.register_buffer("cosine", cosines(n_frames), persistent=False)
        self.register_buffer("start", torch.zeros(n_mels, n_frames))
        self.register_buffer("slope", torch.ones(n_mels, n_frames))

    @torch.no_grad()
    def fit(self, spectrogram: Tensor) -> None:
        """Find the lines and the usual gains of training clips, `(N, 1, n_mels, n_frames)`.

        Raises:
            ValueError: spectrograms of another shape.
        """
        self._check(spectrogram)
        average = spectrogram[:, 0].mean(dim=0)
        level = spectrogram[:, 0].mean(dim=-1) - average.mean(dim=-1)
        variance = level.square().mean(dim=0).clamp(min=1e-9)[:, None]
        shared = torch.einsum("nm,nmf->mf", level, spectrogram[:, 0] - average) / len(level)
        # towards the mean itself, where the means of few clips hardly differ
        self.slope.copy_((shared + 1e-6) / (variance + 1e-6))
        self.start.copy_(average - self.slope * average.mean(dim=-1, keepdim=True))
        self.gains.fit(self._changes(spectrogram[:, 0] - self._line(spectrogram[:, 0].mean(dim=-1))))

    def encode(self, spectrogram: Tensor) -> tuple[Tensor, Tensor]:
        """`(B, 1, n_mels, n_frames)` -> profile `(B, size)`, texture `(B, 1, n_mels, n_frames)`."""
        self._check(spectrogram)
        means = spectrogram[:, 0].mean(dim=-1)
        gains, changes = self.gains.split(self._changes(spectrogram[:, 0] - self._line(means)))
        pulse, changes = self.pulse.split(changes)
        return torch.cat([means, gains, pulse], dim=1), (changes @ self.cosine)[:, None]

    def decode(self, profile: Tensor, texture: Tensor) -> Tensor:
        """The inverse of `encode`, for textures of any gains and pulse, which are replaced by the profile's."""
        means, gains, pulse = profile.split([self.n_mels, self.gains.size, self.pulse.size], dim=1)
        changes = self.gains.join(gains, self.pulse.join(pulse, self._changes(texture[:, 0])))
        return (changes @ self.cosine + self._line(means))[:, None]

    def _line(self, means: Tensor) -> Tensor:
        """What means `(B, n_mels)` tell about every frame, `(B, n_mels, n_frames)`."""
        return self.start + self.slope * means[..., None]

    def _changes(self, rest: Tensor) -> Tensor:
        """Cosine coefficients over time `(B, n_mels, n_frames)`, that of the mean left out."""
        return (rest - rest.mean(dim=-1, keepdim=True)) @ self.cosine.T

    def _check(self, spectrogram: Tensor) -> None:
        if spectrogram.ndim != 4 or spectrogram.shape[1:] != (1, self.n_mels, self.n_frames):
            expected = f"(B, 1, {self.n_mels}, {self.n_frames})"
            raise ValueError(f"expected spectrogram of shape {expected}, got {tuple(spectrogram.shape)}")
