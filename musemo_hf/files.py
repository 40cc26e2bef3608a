"""Files and folders that are written whole or not at all, so that a kill or a full disk leaves no half of one."""

import json
import os
import re
import shutil
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

STALE = 24 * 3600.0  # seconds after which a temporary file can only be that of a process that was killed
_OURS = re.compile(r"\.[0-9a-f]{12}\.part$")


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Give the name of a temporary file beside `path`, which replaces `path` when the block ends without an error.

    Several processes and threads may write the same file; one of them is the last. The content is on the disk before
    the name is, so that not even a loss of power leaves an empty file. The parent folder is created if it is missing.
    """
    path = path.resolve() if path.is_symlink() else path
    if path.exists() and not path.is_file():  # a device or a pipe, such as /dev/stdout
        yield path
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove_stale(path.parent.absolute())
    part = _beside(path)
    try:
        yield part
        _sync(part)
        os.replace(part, path)
        _sync(path.parent)
    finally:
        part.unlink(missing_ok=True)


def atomic_write(path: Path, content: str | bytes) -> None:
    """Write a file whole or not at all; text is encoded as UTF-8, with the line ends that it has."""
    with atomic_path(path) as part:
        part.write_bytes(content.encode("utf-8") if isinstance(content, str) else content)


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Give an empty temporary folder beside `path`, which replaces `path` when the block ends without an error.

    Several processes may write the same folder; one of them is the last.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove_stale(path.parent.absolute())
    part = _beside(path)
    try:
        part.mkdir()
        yield part
        for inside in part.rglob("*"):
            _sync(inside)
        _sync(part)
        _exchange(part, path)
        _sync(path.parent)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _exchange(part: Path, path: Path) -> None:
    """Give a folder its final name; an older one steps aside first, since a rename replaces no folder with content."""
    if path.is_file():
        raise NotADirectoryError(f"expected a folder or nothing at {path}, found a file")
    while True:
        old = _beside(path)
        with suppress(FileNotFoundError):  # there is none, or another process has just moved it away
            os.replace(path, old)
        try:
            os.replace(part, path)
            return
        except OSError:
            if not path.is_dir():
                if old.exists():
                    os.replace(old, path)
                raise
            # another process was faster: its folder is the older one now
        finally:
            shutil.rmtree(old, ignore_errors=True)


def _beside(path: Path) -> Path:
    """Return a name beside `path` that no other process or thread uses."""
    return path.with_name(f"{path.name}.{uuid.uuid4().hex[:12]}.part")


@lru_cache(maxsize=1024)  # once in each folder, which may hold thousands of files
def _remove_stale(folder: Path) -> None:
    """Remove what processes that were killed have left in a folder."""
    for part in folder.glob("*.part"):
        try:
            if _OURS.search(part.name) and time.time() - part.stat().st_mtime > STALE:
                shutil.rmtree(part) if part.is_dir() else part.unlink()
        except OSError:  # another process has just removed it
            continue


def _sync(path: Path) -> None:
    """Have the operating system write a file, or the names in a folder, to the disk."""
    if os.name == "nt" and path.is_dir():  # Windows has no such call for folders
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def cache_folder() -> Path:
    """Return the folder of what can be made again: `$MUSEMO_CACHE`, or `~/.cache/musemo_hf`."""
    return Path(os.environ.get("MUSEMO_CACHE") or "~/.cache/musemo_hf").expanduser()


def is_whole(path: Path) -> bool:
    """Return whether a file is there and holds JSON."""
    try:
        json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return False
    return True


def once(path: Path, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Return the JSON object in a file; if the file is missing, empty or broken, make the object and write it first."""
    if not is_whole(path):
        atomic_write(path, json.dumps(make()))
    return json.loads(path.read_text(encoding="utf-8"))
