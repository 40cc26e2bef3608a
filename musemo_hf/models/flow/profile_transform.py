"""The profile of a clip (level, local energy and pulse of its bands), separated from its texture."""

from itertools import pairwise

import torch
from torch import Tensor

from .clip_gains import ClipGains, membership
from .full_precision import FullPrecision
from .modulation_transform import cosines, octave_edges
from .pulse import Pulse

FLOOR = 0.004  # 0.2 dB on the normalised scale


class ProfileTransform(FullPrecision):
    """Separates a clip into profile and texture, as models of sound textures do (McDermott & Simoncelli 2011).

    The profile contains the mean of each mel band over time, the gains of each group of neighbouring bands in each
    octave of the rate of change (`ClipGains` of the cosine coefficients over time), and the `Pulse`. The texture is
    the clip with the usual gains, without pulse, and without the line of least squares by which the mean of a band
    predicts each of its frames. That line is the mean itself, except where clips begin alike, for example because a
    decoder starts in silence.

    Args:
        n_mels: The number of mel bands.
        n_frames: The number of frames of a clip.
        n_bands: The number of groups of mel bands with gains, a divisor of `n_mels`; 0 for no gains.
        n_pulse_bands: The number of groups of mel bands with pulse contrasts, a divisor of `n_mels`; 0 for no pulse.
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
        """Fit the lines and the usual gains to training clips, `(N, 1, n_mels, n_frames)`.

        Raises:
            ValueError: The clips have another shape.
        """
        self._check(spectrogram)
        average = spectrogram[:, 0].mean(dim=0)
        level = spectrogram[:, 0].mean(dim=-1) - average.mean(dim=-1)
        variance = level.square().mean(dim=0)[:, None]
        shared = torch.einsum("nm,nmf->mf", level, spectrogram[:, 0] - average) / len(level)
        # shrinks towards the mean itself, where the means of few clips hardly differ
        self.slope.copy_((shared + 1e-6) / (variance + 1e-6))
        self.start.copy_(average - self.slope * average.mean(dim=-1, keepdim=True))
        self.gains.fit(self._changes(spectrogram[:, 0] - self._line(spectrogram[:, 0].mean(dim=-1))))

    def encode(self, spectrogram: Tensor) -> tuple[Tensor, Tensor]:
        """Return profiles `(B, size)` and textures `(B, 1, n_mels, n_frames)` of clips `(B, 1, n_mels, n_frames)`."""
        self._check(spectrogram)
        means = spectrogram[:, 0].mean(dim=-1)
        gains, changes = self.gains.split(self._changes(spectrogram[:, 0] - self._line(means)))
        pulse, changes = self.pulse.split(changes)
        return torch.cat([means, gains, pulse], dim=1), (changes @ self.cosine)[:, None]

    def decode(self, profile: Tensor, texture: Tensor) -> Tensor:
        """Invert `encode`, for textures of any gains and pulse, which are replaced by the profile's."""
        means, gains, pulse = profile.split([self.n_mels, self.gains.size, self.pulse.size], dim=1)
        changes = self.gains.join(gains, self.pulse.join(pulse, self._changes(texture[:, 0])))
        return (changes @ self.cosine + self._line(means))[:, None]

    def _line(self, means: Tensor) -> Tensor:
        """Predict every frame `(B, n_mels, n_frames)` from the means `(B, n_mels)`."""
        return self.start + self.slope * means[..., None]

    def _changes(self, rest: Tensor) -> Tensor:
        """Return cosine coefficients over time `(B, n_mels, n_frames)`, without that of the mean."""
        return (rest - rest.mean(dim=-1, keepdim=True)) @ self.cosine.T

    def _check(self, spectrogram: Tensor) -> None:
        if spectrogram.ndim != 4 or spectrogram.shape[1:] != (1, self.n_mels, self.n_frames):
            expected = f"(B, 1, {self.n_mels}, {self.n_frames})"
            raise ValueError(f"expected spectrogram of shape {expected}, got {tuple(spectrogram.shape)}")
