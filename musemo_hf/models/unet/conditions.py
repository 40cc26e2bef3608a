"""The conditions of the U-Net: named values, of which each can be left out."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from .beat import BEAT, check_beat
from .descriptors import DESCRIPTORS, DescriptorEmbedding
from .genres import GENRE, GenreEmbedding

EMOTION = ("valence", "arousal")
WAVES = (0.5, 1.0, 2.0)  # a value v enters as sine and cosine of pi v times these


@dataclass(frozen=True)
class Scale:
    """The range of a condition that has a unit, which is mapped to [-1, 1].

    Attributes:
        low: The least value.
        high: The greatest value.
        unit: The unit.
        logarithmic: Whether equal ratios are equally far apart, and not equal differences.
    """

    low: float
    high: float
    unit: str
    logarithmic: bool = False

    def normalise(self, value: Tensor) -> Tensor:
        """Map values of the unit to [-1, 1]; NaN stays NaN."""
        low, high = (math.log(end) if self.logarithmic else end for end in (self.low, self.high))
        return 2 * ((value.log() if self.logarithmic else value) - low) / (high - low) - 1

    def denormalise(self, value: Tensor) -> Tensor:
        """Invert `normalise`, for values in [-1, 1]."""
        low, high = (math.log(end) if self.logarithmic else end for end in (self.low, self.high))
        values = (value + 1) / 2 * (high - low) + low
        return (values.exp() if self.logarithmic else values).clamp(self.low, self.high)


# conditions that are measured on a clip; any other condition is given in [-1, 1]
SCALES = {
    "loudness": Scale(-10, 50, "dB"),
    "brightness": Scale(100, 4000, "Hz", logarithmic=True),
    "tempo": Scale(40, 240, "beats per minute", logarithmic=True),
}


class Conditions(nn.Module):
    """Embeds named values as one vector.

    Each value enters beside a flag that says whether it is given, so that any of them can be left out: the emotion for
    classifier-free guidance (Ho & Salimans 2022), the others because a user need not know them. It enters as sines and
    cosines, because songs differ by little in most values, and the network would learn slowly from such small numbers.

    Args:
        names: The names of the values. The first two are "valence" and "arousal".
        width: The number of values of the embedding.
        genres: The names of genres, of which one may be given as the condition "genre"; none for no such condition.
        n_descriptors: The number of descriptors of the whole clip, which may be given as "descriptors"; 0 for none.
        beat: Whether a beat may be given as "beat", which is an input of the network and not embedded.

    Raises:
        ValueError: The names do not begin with valence and arousal, or one occurs twice, or see `GenreEmbedding`.
    """

    def __init__(
        self, names: Sequence[str], width: int, genres: Sequence[str] = (), n_descriptors: int = 0, beat: bool = False
    ) -> None:
        super().__init__()
        self.names = tuple(names)
        if self.names[:2] != EMOTION or len({*self.names, GENRE, DESCRIPTORS, BEAT}) <= len(self.names) + 2:
            raise ValueError(f"expected different conditions, the first of them valence and arousal, got {self.names}")
        self.beat = beat
        n_inputs = (1 + 2 * len(WAVES)) * len(self.names)
        self.embed = nn.Sequential(nn.Linear(n_inputs, width), nn.SiLU(), nn.Linear(width, width))
        self.genre = GenreEmbedding(genres, width) if genres else None
        self.descriptors = DescriptorEmbedding(n_descriptors, width) if n_descriptors else None

    def check(self, others: Mapping[str, Tensor], n_clips: int) -> dict[str, Tensor]:
        """Return values `(n_clips,)` in [-1, 1] by name, and the shares of genres under "genre".

        Args:
            others: Values by name, in the unit of `SCALES` where it has one; NaN for a clip whose value is left out.
                Under "genre" the answer of `genre_shares`, under "descriptors" that of the generator's `describe`, and
                under "beat" that of `find_beat`.
            n_clips: The number of clips.

        Raises:
            ValueError: A name is unknown, or a value has another shape or is out of its range.
        """
        special: dict[str, Callable[[Tensor, int], Tensor]] = {}
        for name, part in ((GENRE, self.genre), (DESCRIPTORS, self.descriptors)):
            special |= {} if part is None else {name: part.check}
        special |= {BEAT: check_beat} if self.beat else {}
        names = (*self.names[2:], *special)
        if unknown := sorted(set(others) - set(names)):
            known = ", ".join(names) or "none"
            raise ValueError(f"expected conditions out of {known}, got {', '.join(unknown)}")
        given = {}
        for name, value in ((name, torch.as_tensor(value)) for name, value in others.items()):
            if name in special:
                given[name] = special[name](value, n_clips)
                continue
            if value.shape != (n_clips,):
                raise ValueError(f"expected {n_clips} values of {name}, one for each clip, got {tuple(value.shape)}")
            scale = SCALES.get(name, Scale(-1, 1, ""))
            if ((value < scale.low) | (value > scale.high)).any():
                low, high = value.min().item(), value.max().item()
                within = f"from {scale.low:g} to {scale.high:g} {scale.unit}".rstrip()
                raise ValueError(f"expected {name} {within}, got values from {low:g} to {high:g}")
            given[name] = scale.normalise(value.float())
        return given

    def values(self, emotion: Tensor, others: Mapping[str, Tensor], drop_mask: Tensor | None) -> tuple[Tensor, Tensor]:
        """Return the values `(B, n)` in the order of the names, and which of them are given, `(B, n)`.

        Args:
            emotion: The emotions `(B, 2)`.
            others: Values `(B,)` in [-1, 1] by name; NaN for a clip whose value is left out. Names that are missing are
                left out.
            drop_mask: A bool mask `(B,)`, True for clips whose emotion is left out; None for no clip.
        """
        if drop_mask is not None:
            emotion = emotion.masked_fill(drop_mask[:, None], torch.nan)
        left_out = emotion.new_full((len(emotion),), torch.nan)
        columns = [others.get(name, left_out).to(emotion)[:, None] for name in self.names[2:]]
        values = torch.cat([emotion, *columns], dim=1)
        return values.nan_to_num(0.0), ~values.isnan()

    def forward(self, emotion: Tensor, others: Mapping[str, Tensor], drop_mask: Tensor | None = None) -> Tensor:
        """Return embeddings `(B, width)`; see `values` for the arguments and errors."""
        values, given = self.values(emotion, others, drop_mask)
        angles = torch.cat([math.pi * speed * values for speed in WAVES], dim=1)
        given = given.to(values)
        waves = torch.cat([angles.sin(), angles.cos()], dim=1) * given.repeat(1, 2 * len(WAVES))
        embedding = self.embed(torch.cat([waves, given], dim=1))
        if self.genre is not None:
            embedding = embedding + self.genre(others.get(GENRE), len(emotion))
        if self.descriptors is not None:
            embedding = embedding + self.descriptors(others.get(DESCRIPTORS), len(emotion), drop_mask)
        return embedding
