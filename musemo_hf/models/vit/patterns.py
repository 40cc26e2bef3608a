"""Statistics of learnt patterns: one convolution whose filters are the centres of clustered patches of songs."""

import torch
from torch import Tensor, nn

from .full_precision import FullPrecision

N_BANDS = 32  # groups of neighbouring mel bands; a patch covers all of them
LENGTH, HOP = 8, 4  # frames of a patch, and between patches: 0.19 s and 0.09 s
DECIBELS = 50.0  # one unit of the normalised scale
COMPONENTS = 64  # whitened components of a patch
FILTERS = 300
THRESHOLD = 0.25  # cosine similarity below which a filter does not respond
SAMPLED = 20_000  # patches that the filters are learnt from
ROUNDS = 15  # of k-means
SIZE = 2 * FILTERS


class PatternStatistics(FullPrecision):
    """Computes how strongly and how unevenly patterns occur in a log-mel.

    The filters are learnt without labels, by spherical k-means on whitened patches (Coates & Ng 2012, Learning feature
    representations with k-means). A patch is taken relative to its mean level.
    """

    mean: Tensor
    whitening: Tensor
    filters: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(N_BANDS * LENGTH))
        self.register_buffer("whitening", torch.zeros(N_BANDS * LENGTH, COMPONENTS))
        self.register_buffer("filters", torch.zeros(COMPONENTS, FILTERS))

    @torch.no_grad()
    def fit(self, spectrogram: Tensor, seed: int = 0) -> None:
        """Learn the filters from songs.

        Args:
            spectrogram: The normalised log-mels `(N, 1, n_mels, n_frames)`.
            seed: The seed of the choice of patches and of the first filters.
        """
        generator = torch.Generator().manual_seed(seed)
        each = -(-SAMPLED // len(spectrogram))  # patches of a song
        chosen = []
        for song in spectrogram.split(1):
            patches = _patches(song.to(self.mean))[0]
            chosen.append(patches[torch.randint(len(patches), (each,), generator=generator).to(patches.device)])
        sample = torch.cat(chosen)
        self.mean.copy_(sample.mean(dim=0))
        centred = sample - self.mean
        values, vectors = torch.linalg.eigh(centred.T @ centred / len(centred))
        values, vectors = values.flip(0)[:COMPONENTS], vectors.flip(1)[:, :COMPONENTS]
        self.whitening.copy_(vectors / (values + 0.01 * values.mean() + 1e-6).sqrt())
        units = self._units(sample)
        centres = units[torch.randint(len(units), (FILTERS,), generator=generator).to(units.device)]
        for _ in range(ROUNDS):
            nearest = (units @ centres.T).argmax(dim=1)
            sums = torch.zeros_like(centres).index_add_(0, nearest, units)
            norms = sums.norm(dim=1, keepdim=True)
            centres = torch.where(norms > 1e-6, sums / norms.clamp(min=1e-6), centres)  # an empty cluster stays
        self.filters.copy_(nn.functional.normalize(centres, dim=1).T)

    def forward(self, spectrogram: Tensor) -> Tensor:
        """Return mean and deviation over time of each filter's response, as square roots, `(B, 600)`."""
        response = (self._units(_patches(spectrogram)) @ self.filters - THRESHOLD).clamp(min=0)
        return torch.cat([response.mean(dim=1), response.std(dim=1, unbiased=False)], dim=1).sqrt()

    def _units(self, patches: Tensor) -> Tensor:
        whitened = (patches - self.mean) @ self.whitening
        return whitened / (whitened.norm(dim=-1, keepdim=True) + 0.1 * COMPONENTS**0.5)  # faint patches stay short


def _patches(spectrogram: Tensor) -> Tensor:
    """Return patches of normalised log-mels in dB relative to their mean, `(B, patches, 256)`."""
    bands = DECIBELS * spectrogram[:, 0].float().unflatten(1, (N_BANDS, -1)).mean(dim=2)
    patches = bands.unfold(-1, LENGTH, HOP).permute(0, 2, 1, 3).flatten(2)
    return patches - patches.mean(dim=-1, keepdim=True)
