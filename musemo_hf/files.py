"""Files and folders that are written whole or not at all, so that a kill or a full disk leaves no half of one."""

import ctypes
import errno
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
_AT_FDCWD, _RENAME_EXCHANGE = -100, 2  # of Linux, from fcntl.h and fs.h


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


def append_text(path: Path, text: str) -> None:
    """Add text to the end of a file, whole or not at all; a full disk leaves the file as it was.

    Several processes may add to one file, and their texts do not mix. A loss of power may leave a part of a text.
    """
    content = text.encode("utf-8")
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o666)
    try:
        before = os.fstat(descriptor).st_size
        try:
            if (written := os.write(descriptor, content)) != len(content):
                raise OSError(errno.ENOSPC, f"expected to add {len(content)} bytes, added {written}", str(path))
        except OSError:
            os.ftruncate(descriptor, before)
            raise
    finally:
        os.close(descriptor)


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Give an empty temporary folder beside `path`, which replaces `path` when the block ends without an error.

    Several processes may write the same folder; one of them is the last. On Linux the two folders change their names in
    one step. Elsewhere, and on file systems that cannot do that, the older folder is renamed first, so that for an
    instant there is no folder of that name. A process that reads several files one after another may read them from two
    folders.
    """
    path = path.resolve() if path.is_symlink() else path
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove_stale(path.parent.absolute())
    part = _beside(path)
    try:
        part.mkdir()
        yield part
        for inside in part.rglob("*"):
            _sync(inside)
        _sync(part)
        _replace_folder(part, path)
        _sync(path.parent)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _replace_folder(part: Path, path: Path) -> None:
    """Give a folder its final name; an older folder of that name becomes the temporary one, or is removed."""
    while True:
        if path.is_file():
            raise NotADirectoryError(f"expected a folder or nothing at {path}, found a file")
        old = _beside(path)
        with suppress(FileNotFoundError):  # there is none, or another process has just moved it away
            if _exchange(part, path):
                return
            os.replace(path, old)  # since a rename replaces no folder with content
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


def _exchange(one: Path, other: Path) -> bool:
    """Exchange the names of two folders in one step, by Linux's renameat2; return whether the system could do it.

    Raises:
        FileNotFoundError: One of them is missing.
    """
    renameat2 = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None) if os.name == "posix" else None
    if renameat2 is None:
        return False
    if renameat2(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE) == 0:
        return True
    if ctypes.get_errno() == errno.ENOENT:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(other))
    return False


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
