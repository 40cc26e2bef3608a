"""A cache of features on disk, which several processes may share."""

import logging
import sqlite3
import zlib
from collections.abc import Iterable, Mapping
from contextlib import closing
from pathlib import Path

import numpy as np

from musemo_hf.files import cache_folder

logger = logging.getLogger(__name__)

WAIT = 60.0  # s for which a process waits for another that writes


class FeatureCache:
    """Stores feature vectors in one SQLite file, each whole or not at all, under keys that name all they depend on.

    A cache that cannot be used, such as a damaged file or a folder that cannot be written, costs time and no result:
    it is named in a warning, and holds nothing.

    Args:
        path: The file (default: `sound-features.sqlite` in the folder of caches).
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = cache_folder() / "sound-features.sqlite" if path is None else path

    def read(self, keys: Iterable[bytes]) -> dict[bytes, np.ndarray]:
        """Return the features `(D,)`, float32, of those keys that are there and whole."""
        found = {}
        try:
            with closing(self._connect()) as connection:
                for key in keys:
                    row = connection.execute("SELECT value FROM features WHERE key = ?", (key,)).fetchone()
                    if row is not None and zlib.crc32(row[0][4:]) == int.from_bytes(row[0][:4], "big"):
                        found[key] = np.frombuffer(row[0], np.float32, offset=4)
        except (sqlite3.Error, OSError) as error:
            self._warn(error)
        return found

    def write(self, features: Mapping[bytes, np.ndarray]) -> None:
        """Store features `(D,)` by key, as float32."""
        values = ((key, np.ascontiguousarray(row, np.float32).tobytes()) for key, row in features.items())
        rows = [(key, zlib.crc32(value).to_bytes(4, "big") + value) for key, value in values]
        try:
            with closing(self._connect()) as connection, connection:
                connection.executemany("INSERT OR REPLACE INTO features VALUES (?, ?)", rows)
        except (sqlite3.Error, OSError) as error:
            self._warn(error)

    def _connect(self) -> sqlite3.Connection:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(self.path, timeout=WAIT)
        connection.execute("CREATE TABLE IF NOT EXISTS features (key BLOB PRIMARY KEY, value BLOB) WITHOUT ROWID")
        return connection

    def _warn(self, error: Exception) -> None:
        logger.warning("the cache of features at %s cannot be used, and may be deleted: %s", self.path, error)
