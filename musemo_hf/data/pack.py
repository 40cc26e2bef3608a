"""A prepared data set as one small file, to be carried to a machine that is lent for minutes.

The file is a safetensors file. Labels, folds, ids, artists, genres and years are in it as they are. Log-mels, of which
1,615 ten-second ones are 356 MB in float32, are rounded to whole steps of decibels, in the finest of `STEPS` with which
the file is small enough: no cell is off by more than half a step, and the error's root mean square is about step /
sqrt(12), 0.22 dB for a step of 0.75 dB. Differences over time and over bands of those whole numbers are then coded by
zlib's Huffman codes, without loss. Its search for repetitions is left out: in music there are none, and it costs time
and size (so do bz2 and lzma, tried on the same songs).
"""

import hashlib
import json
import zlib
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from musemo_hf.data.arrays import SongArrays
from musemo_hf.files import atomic_write

FORMAT = "musemo pack 1"
MAX_BYTES = 50_000_000
STEPS = (0.5, 0.75, 1.0, 1.5, 2.0, 3.0)  # dB; a level is one byte, so that half a decibel serves 127 dB at most
CHUNK = 64  # songs at once
_EXACT = ("emotion", "emotion_std", "fold", "song_id", "year")
_NAMES = ("artist", "genre")


class PackError(ValueError):
    """A file that is no pack, or not a whole one, or songs that do not fit into one."""


@dataclass(frozen=True)
class Pack:
    """What a pack was made of, and how.

    Attributes:
        config_name: "excerpt_10s" or "excerpt_30s".
        labels: "corrected" or "published".
        procedural: whether its songs are of the procedural corpus, and no music.
        n_skipped: songs that were left out when it was prepared.
        step: of the log-mels' levels, dB; no cell is off by more than half of it.
        offset: the lowest level, dB.
        rms_error: root mean square of what rounding changed, dB.
        songs_hash: sha256 of everything that `read_pack` gives back.
        heard: of songs whose emotions a recogniser heard, and no person told, what `HeardCorpus.title` says.
    """

    config_name: str
    labels: str
    procedural: bool
    n_skipped: int
    step: float
    offset: float
    rms_error: float
    songs_hash: str
    heard: str | None = None


def write_pack(
    path: str | Path,
    songs: SongArrays,
    config_name: str,
    labels: str,
    procedural: bool = False,
    n_skipped: int = 0,
    heard: str | None = None,
    max_bytes: int = MAX_BYTES,
) -> Pack:
    """Write songs into one file, in the finest steps with which it is small enough.

    Args:
        path: of the file; one that is there is replaced once the new one is whole.
        songs: all of a prepared data set.
        config_name: with which they were prepared.
        labels: likewise.
        procedural: whether they are of the procedural corpus.
        n_skipped: songs that were left out.
        heard: see `Pack`.
        max_bytes: of the file.

    Raises:
        PackError: there are no songs, a log-mel is not finite, or no step makes the file small enough.
    """
    if not len(songs) or not np.isfinite(songs.spectrogram).all():
        raise PackError(f"expected songs with finite log-mels, got {len(songs)} songs")
    offset = float(songs.spectrogram.min())
    n_levels = float(songs.spectrogram.max()) - offset
    n_bytes = 0
    for step in STEPS:
        if round(n_levels / step) > 255:
            continue
        coded, rms_error, digest = _encode(songs, step, offset)
        pack = Pack(config_name, labels, procedural, n_skipped, step, offset, rms_error, digest, heard)
        content = _content(songs, coded, pack)
        n_bytes = len(content)
        if n_bytes <= max_bytes:
            atomic_write(Path(path), content)
            return pack
    raise PackError(
        f"expected songs that fit into {max_bytes:,} bytes in steps of at most {STEPS[-1]:g} dB, got {len(songs)} "
        f"songs over {n_levels:.0f} dB" + (f", which take {n_bytes:,}" if n_bytes else "")
    )


def read_pack(path: str | Path) -> tuple[SongArrays, Pack]:
    """The songs of a pack, in the order in which they were written.

    Raises:
        PackError: the file is no pack, or was cut off or changed.
        FileNotFoundError: there is no such file.
    """
    try:
        with safe_open(str(path), framework="numpy") as file:
            metadata = file.metadata() or {}
            if metadata.get("format") != FORMAT:
                raise PackError(
                    f"{path}: expected a file of `musemo prepare --pack` ({FORMAT}), got {metadata.get('format')!r}"
                )
            pack = Pack(**json.loads(metadata["pack"]))
            shape = tuple(json.loads(metadata["shape"]))
            exact = {name: file.get_tensor(name) for name in _EXACT}
            levels = _undo(zlib.decompress(file.get_tensor("levels").tobytes()), shape)
    except (SafetensorError, zlib.error) as error:
        raise PackError(f"{path}: expected a whole file of `musemo prepare --pack`, got: {error}") from error
    names = {name: json.loads(metadata[name]) for name in _NAMES}
    digest = _digest({**exact, **names}, pack.step, pack.offset)
    spectrogram = np.empty(shape, dtype=np.float32)
    for start in range(0, len(levels), CHUNK):
        digest.update(levels[start : start + CHUNK].tobytes())
        spectrogram[start : start + CHUNK] = _decibels(levels[start : start + CHUNK], pack.step, pack.offset)
    if digest.hexdigest() != pack.songs_hash:
        raise PackError(f"{path}: expected songs with the hash {pack.songs_hash}, got {digest.hexdigest()}")
    return SongArrays(spectrogram=spectrogram, **exact, **names), pack


def _encode(songs: SongArrays, step: float, offset: float) -> tuple[bytes, float, str]:
    """The levels, coded; the error's root mean square, dB; and the hash of what will be read back."""
    coder = zlib.compressobj(9, zlib.DEFLATED, zlib.MAX_WBITS, 9, zlib.Z_HUFFMAN_ONLY)
    exact = {name: getattr(songs, name) for name in (*_EXACT, *_NAMES)}
    digest, parts, squares = _digest(exact, step, offset), [], 0.0
    for start in range(0, len(songs), CHUNK):
        decibels = songs.spectrogram[start : start + CHUNK]
        levels = np.rint((decibels - np.float32(offset)) / np.float32(step)).astype(np.uint8)
        digest.update(levels.tobytes())
        squares += float(np.square(_decibels(levels, step, offset) - decibels, dtype=np.float64).sum())
        parts.append(coder.compress(_differences(levels).tobytes()))
    coded = b"".join([*parts, coder.flush()])
    return coded, float(np.sqrt(squares / songs.spectrogram.size)), digest.hexdigest()


def _differences(levels: np.ndarray) -> np.ndarray:
    """Over time and then over bands, each modulo 256: most are small, whatever the level."""
    over_time = np.diff(levels, axis=2, prepend=np.uint8(0))
    return np.diff(over_time, axis=1, prepend=np.uint8(0))


def _undo(differences: bytes, shape: tuple[int, ...]) -> np.ndarray:
    """The inverse of `_differences`: levels, uint8 `(N, n_mels, n_frames)`."""
    if len(differences) != np.prod(shape):
        raise PackError(f"expected log-mels of shape {shape}, got {len(differences):,} cells")
    levels = np.frombuffer(differences, dtype=np.uint8).reshape(shape).copy()
    for chunk in np.array_split(levels, -(-len(levels) // CHUNK)):
        np.cumsum(np.cumsum(chunk, axis=1, dtype=np.uint8), axis=2, dtype=np.uint8, out=chunk)
    return levels


def _decibels(levels: np.ndarray, step: float, offset: float) -> np.ndarray:
    return levels.astype(np.float32) * np.float32(step) + np.float32(offset)


def _digest(exact: dict[str, np.ndarray | list[str]], step: float, offset: float) -> "hashlib._Hash":
    digest = hashlib.sha256(repr((step, offset)).encode())
    for name in _EXACT:
        digest.update(np.ascontiguousarray(exact[name]).tobytes())
    for name in _NAMES:
        digest.update(json.dumps(exact[name]).encode())
    return digest


def _content(songs: SongArrays, coded: bytes, pack: Pack) -> bytes:
    tensors = {name: np.ascontiguousarray(getattr(songs, name)) for name in _EXACT}
    tensors["levels"] = np.frombuffer(coded, dtype=np.uint8)
    metadata = {name: json.dumps(getattr(songs, name)) for name in _NAMES}
    metadata |= {"format": FORMAT, "pack": json.dumps(asdict(pack)), "shape": json.dumps(songs.spectrogram.shape)}
    return save(tensors, metadata)
