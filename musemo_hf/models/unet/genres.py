"""The genre as a condition of the U-Net: an embedding of each genre, and one of what is not known."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

GENRE = "genre"


class GenreEmbedding(nn.Module):
    """Embeds the genres of clips; it adds nothing before training.

    A clip may have several genres, of which it then has equal shares. What its shares lack of 1 is the share of a
    learnt genre "unknown", which is the whole of a clip whose genre is left out.

    Args:
        genres: The names of the genres.
        width: The number of values of the embedding.

    Raises:
        ValueError: A name is empty, or two differ by no more than case.
    """

    def __init__(self, genres: Sequence[str], width: int) -> None:
        super().__init__()
        self.genres = tuple(genres)
        if not all(self.genres) or len({name.casefold() for name in self.genres}) < len(self.genres):
            raise ValueError(f"expected different names of genres, got {', '.join(map(repr, self.genres))}")
        self.embed = nn.Linear(len(self.genres) + 1, width, bias=False)
        nn.init.zeros_(self.embed.weight)

    def check(self, shares: Tensor, n_clips: int) -> Tensor:
        """Return shares of genres `(n_clips, n_genres)`.

        Raises:
            ValueError: They have another shape, one is negative or NaN, or those of a clip exceed 1.
        """
        if shares.shape != (n_clips, len(self.genres)):
            raise ValueError(
                f"expected shares of {len(self.genres)} genres for each of {n_clips} clips, got {tuple(shares.shape)}"
            )
        if not (shares >= 0).all() or (shares.sum(dim=1) > 1.001).any():
            raise ValueError("expected shares of genres from 0 on, and of at most 1 in all")
        return shares.float()

    def forward(self, shares: Tensor | None, n_clips: int) -> Tensor:
        """Return embeddings `(n_clips, width)` of shares `(n_clips, n_genres)`; None for no genre."""
        weight = self.embed.weight
        known = weight.new_zeros(n_clips, len(self.genres)) if shares is None else shares.to(weight)
        return self.embed(torch.cat([known, 1 - known.sum(dim=1, keepdim=True)], dim=1))


def genre_shares(genres: Sequence[str], named: Sequence[str | Sequence[str] | None]) -> Tensor:
    """Return the shares of genres `(N, n_genres)` of clips, for the condition "genre".

    Args:
        genres: The names of the genres that a generator knows.
        named: For each clip the name of its genre, in any case, or several names, which get equal shares; None or ()
            where the genre is left out.

    Raises:
        ValueError: A name is unknown.
    """
    index = {name.casefold(): place for place, name in enumerate(genres)}
    shares = torch.zeros(len(named), len(genres))
    for row, names in zip(shares, named, strict=True):
        names = (names,) if isinstance(names, str) else tuple(names or ())
        if unknown := [name for name in names if name.casefold() not in index]:
            raise ValueError(f"expected a genre out of {', '.join(genres) or 'none'}, got {unknown[0]!r}")
        for name in names:
            row[index[name.casefold()]] += 1 / len(names)
    return shares
