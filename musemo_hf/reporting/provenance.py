"""Provenance of numbers: what every report says of its corpus and of the libraries that made it."""

import platform
from importlib.metadata import version
from typing import Any

PROCEDURAL = (
    "The songs of this corpus, which the report calls real, are melodies in the public domain, such as Beethoven's Ode "
    "to Joy, played by synthetic instruments. The tempo, mode, register, loudness, brightness, articulation and attack "
    "of each song were set from an emotion by rules of published studies, and that emotion is its label. The figures "
    "show how well models learn these rules, tested on melodies that they were not trained on (each melody counts as "
    "an artist); they do not show how people hear recorded music."
)
PSEUDO_LABELS = (
    "The emotions of this corpus ({name}) are predicted by a recogniser, and not labels of people: agreement with them "
    "is agreement with that recogniser, whose errors they contain."
)
UNKNOWN_ARTISTS = (
    "The artists of {n_unknown_artists} of its songs are not known. Each counts as an artist of its own, so that songs "
    "held out may be by an artist of the training songs."
)


def caveats(corpus: dict[str, Any]) -> list[str]:
    """Return the sentences that every page begins with where the corpus is not music with labels of people."""
    sentences = [PROCEDURAL] if corpus["procedural"] else []
    if corpus.get("heard"):
        sentences.append(PSEUDO_LABELS.format(**corpus))
    if corpus.get("n_unknown_artists"):
        sentences.append(UNKNOWN_ARTISTS.format(**corpus))
    return sentences


def label_kind(corpus: dict[str, Any]) -> str:
    """Return the kind of a corpus's labels: "pseudo", "corrected" or "published"."""
    return "pseudo" if corpus.get("heard") else corpus["labels"]


def versions() -> dict[str, str]:
    """Return the versions of Python and of the libraries that numbers depend on."""
    names = ("musemo-hf", "torch", "transformers", "diffusers", "datasets", "accelerate", "librosa", "numpy")
    return {"python": platform.python_version(), **{name: version(name) for name in names}}
