"""Where numbers come from: what every report says of its corpus and of the libraries it was made with."""

import platform
from importlib.metadata import version

PROCEDURAL = (
    "This corpus is procedural: sounds rendered from rules that follow valence and arousal. Its numbers show that the "
    "machinery runs, and say nothing about music."
)


def versions() -> dict[str, str]:
    """Of what the numbers depend on."""
    names = ("musemo-hf", "torch", "transformers", "diffusers", "datasets", "accelerate", "librosa", "numpy")
    return {"python": platform.python_version(), **{name: version(name) for name in names}}
