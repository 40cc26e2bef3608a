"""Songs of a folder: listing them, and naming those that cannot be read with the reason."""

import os
from collections import Counter
from pathlib import Path

from musemo_hf.data.deam.layout import AUDIO_SUFFIXES

# what a file may raise when it is read: a run over many files goes on with the next, whatever is wrong with one
UNREADABLE = (Exception,)


def list_songs(folder: Path) -> tuple[list[Path], dict[str, int]]:
    """List the songs of a folder by path, at any depth, and count its other files by ending.

    Hidden files and folders are left out.
    """
    found = (path for path in folder.rglob("*") if path.is_file())
    visible = [path for path in found if not any(part.startswith(".") for part in path.relative_to(folder).parts)]
    songs = sorted(
        (path for path in visible if path.suffix.lower() in AUDIO_SUFFIXES), key=lambda path: path.as_posix()
    )
    others = Counter(shown(path.suffix.lower()) for path in visible if path.suffix.lower() not in AUDIO_SUFFIXES)
    return songs, dict(sorted(others.items()))


def shown(name: str | Path) -> str:
    r"""Return the name of a file as text that can be written anywhere: bytes that are not UTF-8 become `\xe9`."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def why(path: str | Path, error: BaseException) -> str:
    """Return the reason why a file cannot be read, on one line and without its path."""
    # an error of the system names the file between quotes and its number, where its words are enough
    words = error.strerror if isinstance(error, OSError) and error.filename is not None else None
    text = " ".join((words or str(error)).split()) or type(error).__name__
    return shown(text.replace(f"{path}: ", "").replace(str(path), "the file"))
