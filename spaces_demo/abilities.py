"""What the generator of the page can do, read from its configuration before any model is loaded."""

import hashlib
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from studio import checkpoint

log = logging.getLogger("musemo.space")

# condition -> (least value, greatest value, unit), as in `musemo_hf.models.unet.conditions`. That module imports torch,
# for which the page does not wait; a test keeps both equal.
RANGES = {
    "loudness": (-10, 50, "dB"),
    "brightness": (100, 4000, "Hz"),
    "tempo": (40, 240, "beats per minute"),
}
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


def range_of(condition: str) -> tuple[float, float, str]:
    """Return the least and the greatest value of a condition, and its unit."""
    return RANGES.get(condition, (-1, 1, ""))
