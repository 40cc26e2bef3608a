"""Genres as one vocabulary: DEAM's metadata joins several names, and spells them differently from year to year."""

import re

# The genres that DEAM's songs of 2014 are made of; those of 2013 are among them.
GENRES = (
    "Blues",
    "Classical",
    "Country",
    "Electronic",
    "Experimental",
    "Folk",
    "Hip-Hop",
    "International",
    "Jazz",
    "Pop",
    "Rock",
    "Soul-RnB",
)
OTHER_NAMES = {"hiphop": "Hip-Hop", "rap": "Hip-Hop", "soulrb": "Soul-RnB", "world": "International"}
_NAMES = {name.casefold(): name for name in GENRES} | OTHER_NAMES
_NAME = re.compile("|".join(sorted(map(re.escape, _NAMES), key=len, reverse=True)))


def split_genres(text: str) -> tuple[str, ...]:
    """Return the genres out of `GENRES` that a cell of metadata names, such as "Hip-Hop-Electronic", sorted.

    Other names in the cell, such as "n/a", are left out.
    """
    parts = re.sub("[^a-z]+", "-", text.casefold())
    found = re.findall(rf"(?<![a-z])(?:{_NAME.pattern})(?![a-z])", parts)
    return tuple(sorted({_NAMES[name] for name in found}))
