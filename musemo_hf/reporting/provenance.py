"""Provenance of numbers: what every report says of its corpus and of the libraries that made it."""

import platform
from importlib.metadata import version
from typing import Any

PROCEDURAL = (
    "This corpus is procedural: sounds rendered from rules that follow valence and arousal. Its numbers show that the "
    "machinery runs, and say nothing about music."
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
