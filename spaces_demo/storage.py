"""The temporary files of the page: uploads and the songs of the API, with a quota and an end."""

import os
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from stat import S_ISDIR

KEPT_SECONDS = 3600
FULL_KEPT_SECONDS = 600  # while the quota is used up
QUOTA_BYTES = 4 * 1024**3
QUOTA_FILES = 20_000


class StorageFullError(Exception):
    """Raised where a file would exceed the quota, and no file is old enough to be removed."""


class Storage:
    """Keeps a folder of temporary files within a quota.

    Files are removed after an hour, and already after ten minutes, the oldest first, while the quota is used up. What
    a killed process left there counts like any other file.

    Args:
        folder: The folder, which belongs to this page alone.
        quota: The largest number of bytes in it, uploads under way included.
    """

    def __init__(self, folder: Path, quota: int = QUOTA_BYTES) -> None:
        self.folder = folder
        self.quota = quota
        self._reserved: dict[object, int] = {}
        self._lock = threading.Lock()

    @contextmanager
    def reserve(self, n_bytes: int) -> Iterator[None]:
        """Keep room for a file while it is written.

        Raises:
            StorageFullError: There is no room, also without the files that may be removed.
        """
        mark = object()
        with self._lock:
            self._make_room(n_bytes)
            self._reserved[mark] = n_bytes
        try:
            yield
        finally:
            with self._lock:
                del self._reserved[mark]

    def clear(self) -> None:
        """Remove the files that are old enough."""
        with self._lock, suppress(StorageFullError):
            self._make_room(0)

    def _make_room(self, n_bytes: int) -> None:
        now, files = time.time(), sorted(self._files())  # the oldest first
        used, number = sum(size for _, size, _ in files) + sum(self._reserved.values()), len(files)
        for changed, size, path in files:
            full = used + n_bytes > self.quota or number >= QUOTA_FILES
            if now - changed <= (FULL_KEPT_SECONDS if full else KEPT_SECONDS):
                break
            _remove(path, self.folder)
            used, number = used - size, number - 1
        if used + n_bytes > self.quota or number >= QUOTA_FILES:
            raise StorageFullError("The page has no room for more files at present: please try again in ten minutes.")

    def _files(self) -> Iterator[tuple[float, int, str]]:
        for folder, _, names in os.walk(self.folder):
            for name in names:
                path = os.path.join(folder, name)
                try:
                    status = os.stat(path, follow_symlinks=False)
                except OSError:  # removed meanwhile
                    continue
                yield status.st_mtime, status.st_size, path


def _remove(path: str, top: Path) -> None:
    """Remove a file, and its folder where that is empty then."""
    try:
        os.unlink(path)
        if Path(path).parent != top:
            os.rmdir(os.path.dirname(path))
    except OSError:  # another file lies there, or someone else was faster
        return


def page_folder() -> Path:
    """Return the folder of the page's files, which Gradio serves: GRADIO_TEMP_DIR, or one that only this user reads."""
    if "GRADIO_TEMP_DIR" not in os.environ:
        user = os.getuid() if os.name == "posix" else 0  # elsewhere the folder of temporary files is the user's own
        folder = Path(tempfile.gettempdir()) / f"musemo-space-{user}"
        with suppress(FileExistsError):
            folder.mkdir(mode=0o700)
        found = folder.lstat()
        is_ours = os.name != "posix" or (S_ISDIR(found.st_mode) and found.st_uid == user and not found.st_mode & 0o077)
        os.environ["GRADIO_TEMP_DIR"] = str(folder) if is_ours else tempfile.mkdtemp(prefix="musemo-space-")
    return Path(os.environ["GRADIO_TEMP_DIR"])


STORAGE = Storage(page_folder(), int(os.environ.get("MUSEMO_SPACE_QUOTA") or QUOTA_BYTES))
