"""What steers a generator beside the emotion: conditions and the genre, as a caller of a pipeline gives them.

The functions are pushed to the Hub with the pipeline's code.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch

from musemo_hf.models.unet.genres import GENRE, genre_shares


def with_conditions(options: Mapping[str, Any], n_songs: int, generator: Any) -> dict[str, Any]:
    """Return options of a generator with each of its `conditions` as a tensor `(n_songs,)`, and the genre among them.

    Args:
        options: The options, in which a condition is one number or as many as songs, and `genre` one name or as many.
        n_songs: The number of songs.
        generator: The generator.

    Raises:
        ValueError: The conditions are no mapping, one of them is unknown or is no finite number, there are neither one
            value of it nor as many as songs, or the generator does not know the genre.
    """
    options = dict(options)
    genre, given = options.pop("genre", None), options.get("conditions")
    if given is not None and not isinstance(given, Mapping):
        raise ValueError(f"expected conditions as values by name, such as {{'tempo': 120}}, got {given!r}")
    conditions = dict(given or {})
    known = tuple(getattr(generator.config, "conditions", ()))
    if unknown := [str(name) for name in conditions if name not in known]:
        hint = "; the genre is an argument of its own" if GENRE in unknown or _genres(generator) else ""
        raise ValueError(f"expected conditions out of {', '.join(known) or 'none'}, got {', '.join(unknown)}{hint}")
    conditions = {name: _values(name, value, n_songs) for name, value in conditions.items()}
    if genre is not None:
        conditions[GENRE] = _shares(genre, n_songs, generator)
    return {**options, "conditions": conditions} if conditions else options


def _values(name: str, value: Any, n_songs: int) -> torch.Tensor:
    try:
        values = torch.as_tensor(value, dtype=torch.float32)
    except (TypeError, ValueError, RuntimeError):  # how torch refuses text, None and other objects
        raise ValueError(f"expected {name} as a number, or one for each of {n_songs} songs, got {value!r}") from None
    if values.shape not in ((), (n_songs,)):
        raise ValueError(f"expected one value of {name} or {n_songs}, one for each song, got {tuple(values.shape)}")
    if not values.isfinite().all():  # NaN would be a condition that is left out
        raise ValueError(f"expected a finite {name}, got {value!r}")
    return values.expand(n_songs)


def _shares(genre: str | Sequence[str | None], n_songs: int, generator: Any) -> torch.Tensor:
    names = [genre] * n_songs if isinstance(genre, str) else list(genre) if isinstance(genre, Iterable) else None
    if names is None or not all(name is None or isinstance(name, (str, tuple)) for name in names):
        raise ValueError(f"expected genre as a name, or one for each of {n_songs} songs, got {genre!r}")
    if len(names) != n_songs:
        raise ValueError(f"expected one genre or {n_songs}, one for each song, got {len(names)}")
    if not (known := _genres(generator)):
        raise ValueError(f"expected no genre for a generator that was trained without genres, got {genre!r}")
    return genre_shares(known, names)


def _genres(generator: Any) -> Sequence[str]:
    return getattr(generator.config, "genres", ())
