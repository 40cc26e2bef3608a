"""A head by kernel ridge regression on several groups of statistics."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from .full_precision import FullPrecision
from .patterns import SIZE as PATTERNS_SIZE
from .patterns import PatternStatistics
from .texture import texture_size, texture_statistics
from .tonal import SIZE as TONAL_SIZE
from .tonal import tonal_statistics

STATISTICS = ("texture", "tonal", "patterns")
EMBEDDING = "embedding"
COMPONENTS = {"patterns": 64, EMBEDDING: 128}  # principal components that are kept; of other groups all statistics
FARTHEST = 4.0  # limit of standardised statistics, which keeps a broken input near music
NEVER = 1e9  # scale of a statistic without variance
RIDGE = 0.5  # of the kernel matrix, whose diagonal is 1
TAUGHT_RIDGE = 0.2  # for targets of a teacher, which carry less noise than labels
WEIGHTS = {"texture": 0.6, "tonal": 0.2, "patterns": 0.2, EMBEDDING: 1.0}  # of the kernels, relative to each other


class KernelMixture(FullPrecision):
    """Predicts emotion by kernel ridge regression with a weighted sum of Gaussian kernels, one a group of statistics.

    A ridge shrinks predictions towards the mean, which concordance punishes. So they are rescaled such that the
    leave-one-artist-out predictions of the training songs, which have a closed form, have the labels' deviation. The
    weights were chosen on inner splits of training songs; choosing them anew for each fit and dimension was no better.

    Args:
        n_frames: The number of frames of a spectrogram.
        n_clips: The number of training songs that are kept; 0 before fitting.
        statistics: The names of groups of statistics, out of `STATISTICS`.
        embedding_size: The number of features of an external embedding, one more group; 0 for none.
    """

    mixture: Tensor

    def __init__(self, n_frames: int, n_clips: int, statistics: Sequence[str], embedding_size: int = 0) -> None:
        super().__init__()
        sizes = mixture_sizes(n_frames, statistics, embedding_size)
        self.groups: Any = nn.ModuleDict({name: _Group(*size, n_clips) for name, size in sizes.items()})
        self.patterns = PatternStatistics() if "patterns" in statistics else None
        self.register_buffer("mixture", mixture_of(sizes))
        self.weight, self.bias = _fitted((n_clips, 2)), _fitted((2,))

    @torch.no_grad()
    def fit(
        self,
        spectrogram: Tensor,
        emotion: Tensor,
        artists: Sequence[int] | None = None,
        embedding: Tensor | None = None,
        taught: Tensor | None = None,
        seed: int = 0,
        batch_size: int = 32,
    ) -> Tensor:
        """Fit to training songs.

        Args:
            spectrogram: The normalised log-mels `(N, 1, n_mels, n_frames)` of at least 2 songs.
            emotion: The emotions `(N, 2)` (valence, arousal).
            artists: A number for each song, equal for songs of one artist; None where each has an artist of its own.
            embedding: The external embedding of each song `(N, embedding_size)`, for a head with one.
            taught: Targets `(N, 2)` that replace the labels in the regression, such as those blended with predictions
                of a teacher; the scale is still that of the labels.
            seed: The seed of the learnt patterns.
            batch_size: The number of songs whose statistics are computed at once.

        Returns:
            The predictions `(N, 2)` of the training songs, each by a fit without the songs of its artist.

        Raises:
            ValueError: There are fewer than 2 songs, or the embedding is missing or of another shape.
        """
        if len(spectrogram) < 2:
            raise ValueError(f"expected at least 2 songs to fit a kernel head to, got {len(spectrogram)}")
        self.check_embedding(embedding, len(spectrogram))
        if self.patterns is not None:
            self.patterns.fit(spectrogram, seed)
        values = self._statistics(spectrogram, embedding, batch_size)
        kernels = torch.stack([group.fit(values[name]) for name, group in self.groups.items()])
        labels = emotion.to(self.bias.device, torch.float64)
        targets = labels if taught is None else taught.to(labels)
        members = _members(range(len(labels)) if artists is None else artists)
        centred = targets - targets.mean(dim=0)
        kernel = torch.einsum("g,gnm->nm", self.mixture.to(kernels), kernels).double()
        inverse = _inverse(kernel, RIDGE if taught is None else TAUGHT_RIDGE)
        alone = _without_artist(inverse, centred, members)
        spread = labels.std(dim=0) / alone.std(dim=0).clamp(min=1e-6)
        self.weight = nn.Parameter((inverse @ centred * spread).to(self.bias), requires_grad=False)
        self.bias.copy_(labels.mean(dim=0))
        return labels.mean(dim=0) + alone * spread

    def forward(self, spectrogram: Tensor, embedding: Tensor | None = None) -> Tensor:
        """Predict (valence, arousal) `(B, 2)`; the arguments and errors are those of `standardised`."""
        return self.regress(self.standardised(spectrogram, embedding))

    def standardised(self, spectrogram: Tensor, embedding: Tensor | None = None) -> dict[str, Tensor]:
        """Return each group of statistics, standardised and reduced, `(B, D)`.

        Args:
            spectrogram: The normalised log-mels `(B, 1, n_mels, n_frames)`.
            embedding: The external embedding `(B, embedding_size)`, for a head with one.

        Raises:
            ValueError: The embedding is missing, not asked for, or of another shape.
        """
        self.check_embedding(embedding, len(spectrogram))
        values = self._statistics(spectrogram, embedding, len(spectrogram))
        return {name: group(values[name]) for name, group in self.groups.items()}

    def regress(self, standardised: Mapping[str, Tensor]) -> Tensor:
        """Predict (valence, arousal) `(B, 2)` from the result of `standardised`."""
        kernels = torch.stack([group.kernel(standardised[name]) for name, group in self.groups.items()])
        return self.bias.detach() + torch.einsum("g,gbn->bn", self.mixture, kernels) @ self.weight.detach()

    @torch.no_grad()
    def adapt(self, standardised: Mapping[str, Tensor], emotion: Tensor, artists: Sequence[int]) -> Tensor:
        """Add clips to a fitted regression, which then also knows what it got wrong about them.

        The prediction f(x) becomes f(x) + k(x, X) (K + ridge I)^-1 (y - f(X)) with the added clips X: the mean of a
        Gaussian process whose prior mean is f (Rasmussen & Williams 2006, eq. 2.38). Far from X it stays f.

        Args:
            standardised: The result of `standardised` for M clips.
            emotion: The emotions `(M, 2)` of these clips.
            artists: A number for each clip, equal for clips of one artist.

        Returns:
            The predictions `(M, 2)` of these clips, each as if the clips of its artist had not been added.

        Raises:
            ValueError: There are fewer than 2 artists.
        """
        if len(set(artists)) < 2:
            raise ValueError(f"expected clips of at least 2 artists, got {len(set(artists))}")
        before = self.regress(standardised)
        missed = (emotion.to(before) - before).double()
        kernels = torch.stack([g.kernel(standardised[name], standardised[name]) for name, g in self.groups.items()])
        inverse = _inverse(torch.einsum("g,gnm->nm", self.mixture, kernels).double(), RIDGE)
        alone = _without_artist(inverse, missed, _members(artists))
        self.weight = nn.Parameter(torch.cat([self.weight, (inverse @ missed).to(self.weight)]), requires_grad=False)
        for name, group in self.groups.items():
            group.clips = torch.cat([group.clips, standardised[name].half()])
        return before + alone.to(before)

    def check_embedding(self, embedding: Tensor | None, n: int) -> None:
        """Refuse an embedding that is missing, not asked for, or of another shape than `(n, embedding_size)`."""
        size = self.groups[EMBEDDING].mean.shape[0] if EMBEDDING in self.groups else 0
        if embedding is None and size == 0:
            return
        if embedding is None or embedding.shape != (n, size):
            expected = f"an embedding of shape ({n}, {size})" if size else "no embedding"
            raise ValueError(f"expected {expected}, got {None if embedding is None else tuple(embedding.shape)}")

    def _statistics(self, spectrogram: Tensor, embedding: Tensor | None, batch_size: int) -> dict[str, Tensor]:
        """Compute the groups of statistics, batch after batch."""
        compute: dict[str, Callable[[Tensor], Tensor]] = {"texture": texture_statistics, "tonal": tonal_statistics}
        if self.patterns is not None:
            compute["patterns"] = self.patterns
        parts = [part.to(self.bias.device, torch.float32) for part in spectrogram.split(max(1, batch_size))]
        found = {name: torch.cat([compute[name](part) for part in parts]) for name in self.groups if name in compute}
        if embedding is not None:  # a root, since activations of a network are heavy-tailed
            values = embedding.to(self.bias)
            found[EMBEDDING] = values.sign() * values.abs().sqrt()
        return found


class _Group(FullPrecision):
    """Holds a group of statistics of the training songs, standardised and reduced to principal components."""

    mean: Tensor
    scale: Tensor
    varying: Tensor
    directions: Tensor | None
    clips: Tensor

    def __init__(self, size: int, kept: int, n_clips: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(size))
        self.register_buffer("scale", torch.ones(size))
        self.register_buffer("varying", torch.ones(()))  # the number of statistics that vary
        directions = None if kept == size else torch.zeros(size, kept, dtype=torch.float16)
        self.register_buffer("directions", directions)
        self.register_buffer("clips", torch.zeros(n_clips, kept, dtype=torch.float16))

    def fit(self, values: Tensor) -> Tensor:
        """Fit to the statistics `(N, size)` of training songs, keep them, and return their kernel `(N, N)`."""
        deviation = values.std(dim=0, unbiased=False)
        self.mean.copy_(values.mean(dim=0))
        self.scale.copy_(deviation.where(deviation > 1e-5, NEVER))  # what never varies says nothing
        standard = self._standardised(values)
        self.varying.copy_((deviation > 1e-5).sum().clamp(min=1))
        if self.directions is not None:
            self.directions.copy_(_principal_directions(standard, self.directions.shape[1]))
        self.clips = self(values).half()
        return self.kernel(self.clips.float())

    def forward(self, values: Tensor) -> Tensor:
        """Return statistics `(B, size)` standardised and reduced, `(B, kept)`."""
        standard = self._standardised(values)
        return standard if self.directions is None else standard @ self.directions.to(standard)

    def kernel(self, reduced: Tensor, clips: Tensor | None = None) -> Tensor:
        """Return the kernel with clips, by default the kept ones, `(B, n)`: 1 for the same, about 0.6 for others."""
        clips = self.clips.to(reduced) if clips is None else clips
        norms = reduced.square().sum(dim=-1, keepdim=True) + clips.square().sum(dim=-1)
        squared = (norms - 2 * reduced @ clips.T).clamp(min=0)
        return torch.exp(-0.25 * squared / self.varying)

    def _standardised(self, values: Tensor) -> Tensor:
        return ((values - self.mean) / self.scale).clamp(-FARTHEST, FARTHEST)


def _fitted(shape: tuple[int, ...]) -> nn.Parameter:
    """Return values that are fitted in closed form, and not by gradients."""
    return nn.Parameter(torch.zeros(shape), requires_grad=False)


def mixture_sizes(n_frames: int, statistics: Sequence[str], embedding_size: int) -> dict[str, tuple[int, int]]:
    """Return the number of statistics of each group, and how many are kept of them."""
    own = {"texture": texture_size(n_frames), "tonal": TONAL_SIZE, "patterns": PATTERNS_SIZE}
    sizes = {name: own[name] for name in statistics} | ({EMBEDDING: embedding_size} if embedding_size else {})
    return {name: (size, min(size, COMPONENTS.get(name, size))) for name, size in sizes.items()}


def mixture_of(groups: Iterable[str]) -> Tensor:
    """Return the weights of groups' kernels, which sum to 1."""
    weights = torch.tensor([WEIGHTS[name] for name in groups])
    return weights / weights.sum()


def _principal_directions(values: Tensor, n: int) -> Tensor:
    """Return the first principal directions `(D, n)`, zeros where there are fewer songs than that."""
    centred = (values - values.mean(dim=0)).double()
    few_songs = len(centred) < centred.shape[1]
    power, vectors = torch.linalg.eigh(centred @ centred.T if few_songs else centred.T @ centred)
    power, vectors = power.flip(0)[:n], vectors.flip(1)[:, :n]
    if few_songs:
        vectors = centred.T @ vectors / power.clamp(min=1e-9).sqrt() * (power > 1e-9)
    return nn.functional.pad(vectors, (0, n - vectors.shape[1])).to(values)


def _inverse(kernel: Tensor, ridge: float) -> Tensor:
    identity = torch.eye(len(kernel), device=kernel.device, dtype=kernel.dtype)
    return torch.cholesky_inverse(torch.linalg.cholesky(kernel + ridge * identity))


def _without_artist(inverse: Tensor, targets: Tensor, members: list[Tensor]) -> Tensor:
    """Return the prediction of each song without its artist's songs, `(N, D)`, for centred targets `(N, D)`.

    With A the inverse of the regularised kernel and G the songs of an artist, it is y_G - A_GG^-1 (A y)_G, the
    block form of Rasmussen & Williams 2006, eq. 5.12.
    """
    weight = inverse @ targets
    alone = targets - weight / inverse.diagonal()[:, None]
    for songs in members:
        block = inverse[songs[:, None], songs]
        alone[songs] = targets[songs] - torch.linalg.solve(block, weight[songs])
    return alone


def _members(artists: Sequence[int]) -> list[Tensor]:
    """Return the songs of each artist with more than one."""
    songs: dict[int, list[int]] = {}
    for song, artist in enumerate(artists):
        songs.setdefault(int(artist), []).append(song)
    return [torch.tensor(found) for found in songs.values() if len(found) > 1]
