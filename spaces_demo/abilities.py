"""What the generator of the page can do, read from its configuration before any model is loaded."""

import hashlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr
from studio import checkpoint

from musemo_hf.pipelines.steering.condition_ranges import check_range

log = logging.getLogger("musemo.space")

EDITORS = ("MusemoUNetGenerator",)  # the classes of generators that change songs


@dataclass(frozen=True)
class Abilities:
    """Contains what the generator can do.

    Attributes:
        name: The name of the checkpoint in links, with the beginning of its hash if it is a folder.
        can_vary: Whether it can change songs.
        conditions: The names of what can be asked of it beside the emotion.
        genres: The genres that it can be asked for.
    """

    name: str
    can_vary: bool = False
    conditions: tuple[str, ...] = ()
    genres: tuple[str, ...] = ()

    def check_conditions(self, conditions: Mapping[str, float]) -> None:
        """Check what is asked of the generator beside the emotion.

        Raises:
            gradio.Error: It cannot be asked for that, or a value is out of its range, or NaN.
        """
        for name, value in conditions.items():
            if name not in self.conditions:
                raise gr.Error(f"Expected no {name}: the generator of this page cannot be asked for it.")
            try:
                check_range(name, value)
            except ValueError as error:
                raise gr.Error(f"E{str(error)[1:]}.") from None

    def find_genre(self, genre: str | None) -> str | None:
        """Return the generator's own name of a genre, which may be given in any case; None for none.

        Raises:
            gradio.Error: The generator does not know it.
        """
        known = {name.casefold(): name for name in self.genres}
        if genre is None or genre.casefold() in known:
            return None if genre is None else known[genre.casefold()]
        if not known:
            raise gr.Error(f"Expected no genre: the generator of this page knows none, got {genre}.")
        raise gr.Error(f"Expected a genre out of {', '.join(self.genres)}, got {genre}.")


def read_abilities() -> Abilities:
    """Return what the generator can do; nothing, with a warning in the log, if its configuration cannot be read."""
    try:
        path = checkpoint("generator")
        config = _read_configuration(path)
    except (OSError, ValueError) as error:  # the page says so as soon as the generator is asked for
        log.warning("the generator's configuration cannot be read: %s", error)
        return Abilities("unknown")
    conditions, genres = (tuple(config.get(name) or ()) for name in ("conditions", "genres"))
    return Abilities(_name(path), config.get("_class_name") in EDITORS, conditions, genres)


def _read_configuration(path: str) -> dict[str, Any]:
    from musemo_hf.pipelines.model_kind import read_configuration

    try:
        return read_configuration(path)
    except OSError:
        return read_configuration(path, subfolder="generator")  # of a saved pipeline


def _name(path: str) -> str:
    sums = Path(path) / "SHA256SUMS"
    if not sums.is_file():
        return path if not Path(path).is_dir() else Path(path).name
    return f"{Path(path).name}-{hashlib.sha256(sums.read_bytes()).hexdigest()[:8]}"
