"""Who works on a piece: the processes of a launch, or of two launches on one folder, never do the same one twice."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def claim(folder: Path) -> Iterator[bool]:
    """Try to claim a folder for as long as the context lasts.

    The claim is a lock of the operating system (`flock`) on a file in the folder, which goes with its process: a kill
    leaves no stale claim behind.

    Yields:
        Whether the folder is ours; False where another process has it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "claim").open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True
