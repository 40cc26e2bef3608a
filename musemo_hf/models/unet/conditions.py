"""The conditions of the U-Net: named values, of which each can be left out."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

EMOTION = ("valence", "arousal")


class Conditions(nn.Module):
    """Embeds named values as one vector.

    Each value enters beside a flag that says whether it is given, so that any of them can be left out: the emotion for
    classifier-free guidance (Ho & Salimans 2022), the others because a user need not know them.

    Args:
        names: The names of the values. The first two are "valence" and "arousal".
        width: The number of values of the embedding.

    Raises:
        ValueError: The names do not begin with valence and arousal, or one occurs twice.
    """

    def __init__(self, names: Sequence[str], width: int) -> None:
        super().__init__()
        self.names = tuple(names)
        if self.names[:2] != EMOTION or len(set(self.names)) < len(self.names):
            raise ValueError(f"expected different conditions, the first of them valence and arousal, got {self.names}")
        self.embed = nn.Sequential(nn.Linear(2 * len(self.names), width), nn.SiLU(), nn.Linear(width, width))

    def check(self, others: Mapping[str, Tensor], n_clips: int) -> dict[str, Tensor]:
        """Return values by name, each checked to be `(n_clips,)`.

        Raises:
            ValueError: A name is unknown, or a value has another shape.
        """
        if unknown := sorted(set(others) - set(self.names[2:])):
            known = ", ".join(self.names[2:]) or "none"
            raise ValueError(f"expected conditions out of {known}, got {', '.join(unknown)}")
        given = {name: torch.as_tensor(value) for name, value in others.items()}
        for name, value in given.items():
            if value.shape != (n_clips,):
                raise ValueError(f"expected {n_clips} values of {name}, one for each clip, got {tuple(value.shape)}")
        return given

    def values(self, emotion: Tensor, others: Mapping[str, Tensor], drop_mask: Tensor | None) -> tuple[Tensor, Tensor]:
        """Return the values `(B, n)` in the order of the names, and which of them are given, `(B, n)`.

        Args:
            emotion: The emotions `(B, 2)`.
            others: Values `(B,)` by name; NaN for a clip whose value is left out. Names that are missing are left out.
            drop_mask: A bool mask `(B,)`, True for clips whose emotion is left out; None for no clip.

        Raises:
            ValueError: See `check`.
        """
        others = self.check(others, len(emotion))
        if drop_mask is not None:
            emotion = emotion.masked_fill(drop_mask[:, None], torch.nan)
        left_out = emotion.new_full((len(emotion),), torch.nan)
        columns = [others.get(name, left_out).to(emotion)[:, None] for name in self.names[2:]]
        values = torch.cat([emotion, *columns], dim=1)
        return values.nan_to_num(0.0), ~values.isnan()

    def forward(self, emotion: Tensor, others: Mapping[str, Tensor], drop_mask: Tensor | None = None) -> Tensor:
        """Return embeddings `(B, width)`; see `values` for the arguments and errors."""
        values, given = self.values(emotion, others, drop_mask)
        return self.embed(torch.cat([values, given.to(values)], dim=1))
