"""Descriptors of whole clips, of which a generator first draws some and then makes a clip that has them.

A network that is told only the emotion has to decide by itself, where all is noise, what the whole clip is like. One
that was trained for hours decides too timidly, so that its clips are too much alike. Representation-conditioned
generation (Li et al. 2024, "Return of Unconditional Generation") divides the work: a simple model draws what a clip is
like, and the network makes it.
"""

import math
from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from .beat import BEAT
from .full_precision import FullPrecision

DESCRIPTORS = "descriptors"
N_GROUPS = 32  # of mel bands
LAGS = (8, 80)  # frames, 0.19 to 1.84 s: the beats that are told from each other
LIMIT = 4.0  # standard deviations beyond which no descriptor is given to a network
SMALLEST = 1e-4
PERTURBATION = 0.3  # standard deviation of what is added to the descriptors of a training clip
BANDWIDTH = 0.12  # radius of the kernel over emotions and conditions, in their units of [-1, 1]
NEIGHBOURS = 20  # training clips that are within the radius at least, which grows until they are


def statistics(latents: Tensor) -> Tensor:
    """Return what is measured on latents `(B, 1, n_mels, frames)` of any length, `(B, n)`.

    For groups of mel bands the mean level, and the logarithms of its deviation over time, of its changes between
    frames (how many onsets) and of its curvature over frequency (how many partials); and the autocorrelation of the
    strength of onsets (the beat).
    """
    cells = latents[:, 0] if latents.shape[-1] > 1 else latents[:, 0].repeat(1, 1, 2)
    groups = math.gcd(N_GROUPS, cells.shape[1])

    def grouped(values: Tensor) -> Tensor:
        return functional.adaptive_avg_pool1d(values[:, None], groups)[:, 0]

    level = grouped(cells.mean(-1))
    spread = grouped(cells.std(-1)).clamp(min=SMALLEST).log()
    changes = cells.diff(dim=-1)
    onsets = grouped(changes.abs().mean(-1)).clamp(min=SMALLEST).log()
    curvature = functional.pad(cells.diff(n=2, dim=1).abs().mean(-1), (1, 1), mode="replicate")
    partials = grouped(curvature).clamp(min=SMALLEST).log()
    strength = functional.pad(changes.clamp(min=0).mean(1), (0, max(0, LAGS[1] + 2 - changes.shape[-1])))
    strength = strength - strength.mean(-1, keepdim=True)
    spectrum = torch.fft.rfft(strength, n=2 * strength.shape[-1]).abs().square()
    product = torch.fft.irfft(spectrum)
    beat = product[:, LAGS[0] : LAGS[1]] / product[:, :1].clamp(min=SMALLEST)
    return torch.cat([level, spread, onsets, partials, functional.avg_pool1d(beat[:, None], 2)[:, 0]], dim=1)


class DescriptorPrior(FullPrecision):
    """Computes descriptors of clips, and draws those of new clips of an emotion.

    Descriptors are principal components of `statistics`, each with mean 0 and variance 1 over the training clips. New
    ones are those of a training clip of nearly the wanted emotion and conditions, with normal noise added (a smoothed
    bootstrap): a kernel estimate of their distribution. The network is trained on descriptors with the same noise.

    Args:
        n_mels: The number of mel bands.
        n_descriptors: The number of descriptors.
        n_clips: The number of training clips.
        conditions: The names of the conditions that are known of the training clips.
        genres: The names of the genres.
        beat: Whether the beats of the training clips are kept, so that one is drawn with the descriptors.

    Raises:
        ValueError: There are fewer than 1 descriptor or training clip, or more descriptors than statistics.
    """

    mean: Tensor
    components: Tensor
    clips: Tensor
    known: Tensor
    clip_genres: Tensor
    beats: Tensor

    def __init__(
        self,
        n_mels: int,
        n_descriptors: int,
        n_clips: int,
        conditions: Sequence[str],
        genres: Sequence[str],
        beat: bool = False,
    ) -> None:
        super().__init__()
        n_statistics = 4 * math.gcd(N_GROUPS, n_mels) + (LAGS[1] - LAGS[0]) // 2
        if not (1 <= n_descriptors <= n_statistics and n_clips >= 1):
            raise ValueError(
                f"expected 1 to {n_statistics} descriptors and at least one training clip, got {n_descriptors} and "
                f"{n_clips}"
            )
        self.conditions, self.genres = tuple(conditions), tuple(genres)
        self.register_buffer("mean", torch.zeros(n_statistics))
        self.register_buffer("components", torch.zeros(n_descriptors, n_statistics))
        self.register_buffer("clips", torch.zeros(n_clips, n_descriptors))
        self.register_buffer("known", torch.zeros(n_clips, 2 + len(conditions)))  # emotion and conditions
        self.register_buffer("clip_genres", torch.zeros(n_clips, len(genres)))
        if beat:
            self.register_buffer("beats", torch.zeros(n_clips, 2))  # rate and strength

    @torch.no_grad()
    def fit(self, latents: Tensor, emotion: Tensor, measured: Mapping[str, Tensor]) -> None:
        """Learn from the training clips.

        Args:
            latents: Their latents `(N, 1, n_mels, frames)`.
            emotion: Their emotions `(N, 2)`.
            measured: Their conditions `(N,)` in [-1, 1] by name, the shares of genres `(N, n_genres)` as "genre",
                and the beats `(N, 3)` as "beat".

        Raises:
            ValueError: There are not as many clips as the model was made for, or fewer than descriptors.
        """
        if len(latents) != len(self.clips) or len(latents) <= len(self.components):
            raise ValueError(
                f"expected {len(self.clips)} training clips and more than {len(self.components)}, got {len(latents)}"
            )
        values = torch.cat([statistics(part) for part in latents.split(64)]).double()
        deviation = values.std(0).clamp(min=SMALLEST)
        standard = (values - values.mean(0)) / deviation
        _, scales, axes = torch.linalg.svd(standard, full_matrices=False)
        n_kept = len(self.components)
        axes = axes * axes.gather(1, axes.abs().argmax(1, keepdim=True)).sign()  # alike on every machine
        scales = (scales / math.sqrt(len(values) - 1)).clamp(min=SMALLEST)
        self.mean.copy_(values.mean(0))
        self.components.copy_((axes[:n_kept] / scales[:n_kept, None]) / deviation)
        self.clips.copy_(self.describe(latents))
        self.known.copy_(torch.stack([*emotion.T, *(measured[name] for name in self.conditions)], dim=1))
        if self.genres:
            self.clip_genres.copy_(measured["genre"])
        if hasattr(self, "beats"):
            self.beats.copy_(measured[BEAT][:, :2])

    def describe(self, latents: Tensor) -> Tensor:
        """Return the descriptors `(B, n_descriptors)` of latents `(B, 1, n_mels, frames)`."""
        values = torch.cat([statistics(part) for part in latents.to(self.mean).split(64)])
        # a product of matrices would be rounded under `torch.autocast`
        return ((values - self.mean)[:, None] * self.components).sum(-1).clamp(-LIMIT, LIMIT)

    def draw(
        self, emotion: Tensor, others: Mapping[str, Tensor], seeds: Sequence[int], near: Tensor | None = None
    ) -> Tensor:
        """Draw descriptors of new clips, `(B, n_descriptors)`.

        Args:
            emotion: The emotions `(B, 2)` that the network is asked for.
            others: Conditions `(B,)` in [-1, 1] by name, NaN where left out, and shares of genres as "genre".
            seeds: The seed of each clip.
            near: Descriptors `(B, n_descriptors)` that the drawn ones should resemble, those of a song that is changed.
        """
        drawn = []
        for index, random in self._choose(emotion, others, seeds, near):
            drawn.append(perturbed(self.clips[index], random))
        return torch.stack(drawn)

    def move(
        self, descriptors: Tensor, emotion: Tensor | None, others: Mapping[str, Tensor], seeds: Sequence[int]
    ) -> Tensor:
        """Return descriptors of songs that are changed, `(B, n_descriptors)`, with noise as in `draw`.

        They are moved by what songs of the wanted emotion and conditions differ from the song on average: by a linear
        regression of descriptors on what is asked for, from where the inverse regression places the song.

        Args:
            descriptors: The descriptors `(B, n_descriptors)` of the songs.
            emotion: The emotions `(B, 2)` that the network is asked for; None for those of the songs.
            others: See `draw`; genres are not used.
            seeds: The seed of each song.
        """
        like = torch.full((len(descriptors), 2), torch.nan) if emotion is None else emotion
        moved = descriptors.double().clone()
        clips, known = self.clips.double(), self.known.double()  # a float32 product is rounded under `torch.autocast`
        clips, mean = clips - clips.mean(0), clips.mean(0)
        to_values = torch.linalg.pinv(clips)
        for i, wanted in enumerate(self._wanted(like, others).double()):
            asked = ~wanted.isnan()
            values = known[:, asked]
            centred = values - values.mean(0)
            place = values.mean(0) + (moved[i] - mean) @ (to_values @ centred)
            moved[i] += (wanted[asked] - place) @ (torch.linalg.pinv(centred) @ clips)
        randoms = [torch.Generator().manual_seed(seed) for seed in seeds]
        return torch.stack([perturbed(*each) for each in zip(moved.to(descriptors), randoms, strict=True)])

    def draw_beats(
        self, emotion: Tensor, others: Mapping[str, Tensor], seeds: Sequence[int], near: Tensor | None = None
    ) -> Tensor:
        """Return the beats `(B, 3)` of the clips whose descriptors `draw` draws, with a phase that is drawn."""
        drawn = []
        for index, random in self._choose(emotion, others, seeds, near):
            random.manual_seed(random.initial_seed() ^ 1)  # other numbers than those of the descriptors
            drawn.append(torch.cat([self.beats[index], torch.rand(1, generator=random).to(self.beats)]))
        return torch.stack(drawn)

    def _wanted(self, emotion: Tensor, others: Mapping[str, Tensor]) -> Tensor:
        """Return what is asked for in the order of `known`, `(B, n)`, NaN where left out."""
        wanted = self.known.new_full((len(emotion), self.known.shape[1]), torch.nan)
        wanted[:, :2] = emotion
        for place, name in enumerate(self.conditions, start=2):
            if name in others:
                wanted[:, place] = others[name].to(wanted)
        return wanted

    def _choose(
        self, emotion: Tensor, others: Mapping[str, Tensor], seeds: Sequence[int], near: Tensor | None
    ) -> Iterator[tuple[Tensor, torch.Generator]]:
        """Yield the number of a training clip for each new one, and the random generator that chose it."""
        wanted = self._wanted(emotion, others)
        squares = ((wanted[:, None] - self.known) / BANDWIDTH).square().nan_to_num(0.0).sum(-1)
        if near is not None:
            # twice the perturbation is added between two draws of one clip; as far as that is as near as can be told
            squares = squares + (near[:, None] - self.clips).square().mean(-1) / (2 * PERTURBATION**2)
        shares = others.get("genre")
        if self.genres and shares is not None:
            fits = (shares.to(self.known)[:, None] * self.clip_genres).sum(-1) > 0
            squares = squares.masked_fill(~fits & (fits.any(1) & (shares.sum(1) > 0))[:, None], torch.inf)
        nearest = squares.sort(dim=1).values[:, : NEIGHBOURS + 1]  # a clip that does not fit is at infinity
        reach = nearest.masked_fill(nearest.isinf(), 0).amax(dim=1, keepdim=True).clamp(min=1.0)
        weights = (1.0001 - squares / reach).clamp(min=0)  # the kernel of Epanechnikov; the nearest always has weight
        for weight, seed in zip(weights.cpu(), seeds, strict=True):
            random = torch.Generator().manual_seed(seed)
            yield torch.multinomial(weight, 1, generator=random)[0], random


def seeds_of(noise: Tensor) -> list[int]:
    """Return a seed for each clip's noise `(B, n)`, so that the noise decides all of a clip."""
    return [int(each.double().abs().sum().item() * 2**20) % 2**31 for each in noise[:, :64].cpu()]


def perturbed(descriptors: Tensor, random: torch.Generator) -> Tensor:
    """Return descriptors, of any shape, with the noise that new ones have."""
    noise = torch.randn(descriptors.shape, generator=random).to(descriptors)
    return (descriptors + PERTURBATION * noise).clamp(-LIMIT, LIMIT)


class DescriptorEmbedding(nn.Module):
    """Embeds descriptors; it adds nothing before training.

    Args:
        n_descriptors: The number of descriptors.
        width: The number of values of the embedding.
    """

    def __init__(self, n_descriptors: int, width: int) -> None:
        super().__init__()
        self.n_descriptors = n_descriptors
        last = nn.Linear(width, width)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
        self.embed = nn.Sequential(nn.Linear(n_descriptors + 1, width), nn.SiLU(), last)

    def check(self, descriptors: Tensor, n_clips: int) -> Tensor:
        """Return descriptors `(n_clips, n_descriptors)`.

        Raises:
            ValueError: They have another shape.
        """
        if descriptors.shape != (n_clips, self.n_descriptors):
            raise ValueError(
                f"expected {self.n_descriptors} descriptors for each of {n_clips} clips, got {tuple(descriptors.shape)}"
            )
        return descriptors.float().clamp(-LIMIT, LIMIT)

    def forward(self, descriptors: Tensor | None, n_clips: int, drop_mask: Tensor | None = None) -> Tensor:
        """Return embeddings `(n_clips, width)`.

        Args:
            descriptors: The descriptors `(n_clips, n_descriptors)`, NaN for a clip whose are left out; None for none.
            n_clips: The number of clips.
            drop_mask: A bool mask `(n_clips,)`, True for clips whose descriptors are left out; None for no clip.
        """
        weight = next(self.parameters())
        if descriptors is None:
            descriptors = weight.new_full((n_clips, self.n_descriptors), torch.nan)
        elif drop_mask is not None:
            descriptors = descriptors.masked_fill(drop_mask[:, None], torch.nan)
        given = ~descriptors.isnan().any(1, keepdim=True)
        values = torch.where(given, descriptors, torch.zeros_like(descriptors))
        return self.embed(torch.cat([values, given.to(values)], dim=1).to(weight))
