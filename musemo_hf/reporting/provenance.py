"""Where numbers come from: what every report says of its corpus and of the libraries it was made with."""

import platform
from importlib.metadata import version
from typing import Any

PROCEDURAL = (
    "This corpus is procedural: sounds rendered from rules that follow valence and arousal. Its numbers show that the "
    "machinery runs, and say nothing about music."
)
HEARD = (
    "No person told the emotions of this corpus ({name}): agreement with them is agreement with that recogniser, whose "
    "errors they hold."
)
UNKNOWN_ARTISTS = (
    "The artists of {n_unknown_artists} of its songs are not known. Each counts as an artist of its own, so that songs "
    "held out may be by an artist that was learnt from."
)


def caveats(corpus: dict[str, Any]) -> list[str]:
    """What every page says first of a corpus that is not songs with labels of people."""
    said = [PROCEDURAL] if corpus["procedural"] else []
    if corpus.get("heard"):
        said.append(HEARD.format(**corpus))
    if corpus.get("n_unknown_artists"):
        said.append(UNKNOWN_ARTISTS.format(**corpus))
    return said


def versions() -> dict[str, str]:
    """Of what the numbers depend on."""
    names = ("musemo-hf", "torch", "transformers", "diffusers", "datasets", "accelerate", "librosa", "numpy")
    return {"python": platform.python_version(), **{name: version(name) for name in names}}
