"""A prepared data set as one small file, for a machine that has no DEAM.

The file is a safetensors file with labels, folds, ids, artists, genres and years as they are. Log-mels (356 MB in
float32 for 1,615 ten-second songs) are rounded to the finest of `STEPS` with which the file is small enough: the error
of a cell is at most half a step, and its root mean square about step / sqrt(12), 0.22 dB for a step of 0.75 dB. The
differences of these whole numbers over time and over bands are coded without loss by zlib's Huffman codes.

Parquet with zstd was tried on 200 songs at 0.75 dB, where this format takes 5.70 MB: levels as they are take 7.1 to
8.0 MB (a ratio of 1.25 to 1.40), which would need steps of 1.5 dB to stay within 50 MB for 1,615 songs; with Parquet's
own delta encoding they take 8.1 MB (1.43), and as the differences below 5.9 to 6.1 MB (1.04 to 1.08). bz2 and lzma
are larger too.
"""

import hashlib
import json
import math
import warnings
import zlib
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, get_type_hints

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from musemo_hf.data.arrays import SongArrays
from musemo_hf.files import atomic_write

FORMAT = "musemo pack 1"
MAX_BYTES = 50_000_000
STEPS = (0.5, 0.75, 1.0, 1.5, 2.0, 3.0)  # dB; a level is one byte, so that half a decibel serves 127 dB at most
CHUNK = 64  # songs at once
MAX_EXPANSION = 1100  # zlib makes at most 1,032 bytes of one
# what is stored exactly: its type, and its shape for each song
_EXACT: dict[str, tuple[str, tuple[int, ...]]] = {
    "emotion": ("float32", (2,)),
    "emotion_std": ("float32", (2,)),
    "fold": ("int8", ()),
    "song_id": ("int32", ()),
    "year": ("int16", ()),
}
_NAMES = ("artist", "genre")
_KNOWN = {"format", "pack", "pack_hash", "shape", *_NAMES}  # the metadata of a pack


class PackError(ValueError):
    """A file that is not a whole pack, or songs that do not fit into one."""


@dataclass(frozen=True)
class Pack:
    """The description of a pack.

    Attributes:
        config_name: The configuration of the data set, such as "excerpt_10s".
        labels: "corrected" or "published".
        procedural: Whether the songs are those of the demonstration corpus.
        n_skipped: The number of songs that were left out of the data set.
        step: The step of the log-mels' levels in dB; the error of a cell is at most half of it.
        offset: The lowest level in dB.
        rms_error: The root mean square of the rounding errors in dB.
        songs_hash: The sha256 of everything that `read_pack` returns.
        pseudo_labels: `PseudoLabelCorpus.title` where the emotions are pseudo-labels; None for labels of people.
    """

    config_name: str
    labels: str
    procedural: bool
    n_skipped: int
    step: float
    offset: float
    rms_error: float
    songs_hash: str
    pseudo_labels: str | None = None


def write_pack(
    path: str | Path,
    songs: SongArrays,
    config_name: str,
    labels: str,
    procedural: bool = False,
    n_skipped: int = 0,
    pseudo_labels: str | None = None,
    max_bytes: int = MAX_BYTES,
) -> Pack:
    """Write songs into one file, in the finest steps with which it is small enough.

    Args:
        path: The file to write; one that is there is replaced once the new one is whole.
        songs: All songs of a prepared data set.
        config_name: The configuration of the data set; for this and the next four see `Pack`.
        labels: The labels of the data set.
        procedural: Whether the songs are those of the demonstration corpus.
        n_skipped: The number of songs that were left out.
        pseudo_labels: The title of the pseudo-labels, if the emotions are such.
        max_bytes: The largest size of the file in bytes.

    Raises:
        PackError: There are no songs, a log-mel is not finite, or no step makes the file small enough.
    """
    if not len(songs) or not np.isfinite(songs.spectrogram).all():
        raise PackError(f"expected songs with finite log-mels, got {len(songs)} songs")
    exact = {name: np.ascontiguousarray(getattr(songs, name), dtype=kind) for name, (kind, _) in _EXACT.items()}
    songs = replace(songs, **exact)  # type: ignore[arg-type]
    offset = float(songs.spectrogram.min())
    n_levels = float(songs.spectrogram.max()) - offset
    n_bytes = 0
    for step in STEPS:
        if round(n_levels / step) > 255:
            continue
        coded, rms_error, digest = _encode(songs, step, offset)
        pack = Pack(config_name, labels, procedural, n_skipped, step, offset, rms_error, digest, pseudo_labels)
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
    """Read the songs of a pack, in the order in which they were written.

    Raises:
        PackError: The file is not a pack, or was cut off or changed.
        FileNotFoundError: There is no such file.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"expected a file of `musemo prepare --pack`, found none at {path}")
    try:
        with safe_open(str(path), framework="numpy") as file:
            metadata = file.metadata() or {}
            if metadata.get("format") != FORMAT:
                raise PackError(
                    f"{path}: expected a file of `musemo prepare --pack` ({FORMAT}), got {metadata.get('format')!r}"
                )
            if unknown := sorted(set(metadata) - _KNOWN):
                raise PackError(f"expected entries out of {', '.join(sorted(_KNOWN))}, got {', '.join(unknown)}")
            exact = {name: file.get_tensor(name) for name in _EXACT}
            coded = file.get_tensor("levels").tobytes()
        digest = hashlib.sha256(metadata["pack"].encode()).hexdigest()
        if metadata.get("pack_hash", digest) != digest:  # packs of before have none
            raise PackError(f"expected a description with the hash {metadata['pack_hash']}, got {digest}")
        pack = _read_description(json.loads(metadata["pack"]), path)
        names = {name: json.loads(metadata[name]) for name in _NAMES}
        shape = _read_shape(json.loads(metadata["shape"]), exact, names)
        return _decode(coded, shape, exact, names, pack), pack
    except PackError as error:
        raise error if str(path) in str(error) else PackError(f"{path}: {error}") from error
    # the last three: a description or tensors of other types, and levels that no memory can hold
    except (SafetensorError, zlib.error, KeyError, TypeError, ValueError, OverflowError, RecursionError) as error:
        reason = f"no {error}" if isinstance(error, KeyError) else error
        raise PackError(f"{path}: expected a whole file of `musemo prepare --pack`, got: {reason}") from error
    except MemoryError as error:
        raise PackError(
            f"{path}: expected songs that fit into memory, got {path.stat().st_size:,} bytes of them"
        ) from error


def _read_shape(shape: Any, exact: dict[str, np.ndarray], names: dict[str, Any]) -> tuple[int, int, int]:
    """Return the shape of the log-mels (N, n_mels, n_frames), after a check that everything is there N times."""
    if not (isinstance(shape, list) and len(shape) == 3 and all(type(size) is int and size > 0 for size in shape)):
        raise PackError(f"expected the shape of log-mels as three positive numbers, got {shape}")
    for name, (kind, width) in _EXACT.items():
        wanted, array = (shape[0], *width), exact[name]
        if array.shape != wanted or array.dtype != kind:
            raise PackError(f"expected {name} as {kind} {wanted}, got {array.dtype} {array.shape}")
    for name, texts in names.items():
        if not (isinstance(texts, list) and len(texts) == shape[0] and all(isinstance(text, str) for text in texts)):
            raise PackError(f"expected {shape[0]} texts as {name}, got others")
    return shape[0], shape[1], shape[2]


def _decode(
    coded: bytes, shape: tuple[int, int, int], exact: dict[str, np.ndarray], names: dict[str, list[str]], pack: Pack
) -> SongArrays:
    """Return the songs, after a check of their hash."""
    levels = _undo(coded, shape)
    digest = _digest({**exact, **names}, pack.step, pack.offset)
    digest.update(levels.data)
    if digest.hexdigest() != pack.songs_hash:
        raise PackError(f"expected songs with the hash {pack.songs_hash}, got {digest.hexdigest()}")
    spectrogram = np.empty(shape, dtype=np.float32)
    for start in range(0, len(levels), CHUNK):
        spectrogram[start : start + CHUNK] = _decibels(levels[start : start + CHUNK], pack.step, pack.offset)
    return SongArrays(spectrogram=spectrogram, **exact, **names)  # type: ignore[arg-type]


def _read_description(values: dict[str, Any], path: Path) -> Pack:
    """Read a description, also of a pack that was written when `pseudo_labels` was called `heard`."""
    if not isinstance(values, dict):
        raise PackError(f"expected a description of the pack, got {type(values).__name__}")
    if "heard" in values:
        values["pseudo_labels"] = former = values.pop("heard")
        if former is not None:
            message = f"{path}: `heard` is now `pseudo_labels`; please make the pack again by `musemo prepare --pack`"
            warnings.warn(message, FutureWarning, stacklevel=3)
    pack = Pack(**values)
    for name, kind in get_type_hints(Pack).items():
        if not isinstance(getattr(pack, name), kind) and not (kind is float and type(getattr(pack, name)) is int):
            raise PackError(f"expected {name} of the pack as {kind}, got {getattr(pack, name)!r}")
    if pack.step not in STEPS or not abs(pack.offset) < 1e6:  # NaN too
        raise PackError(f"expected a step out of {STEPS} and an offset in dB, got {pack.step} and {pack.offset}")
    return pack


def _encode(songs: SongArrays, step: float, offset: float) -> tuple[bytes, float, str]:
    """Return the coded levels, the root mean square of the error in dB, and the hash of what will be read back."""
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
    """Return differences over time and then over bands modulo 256: most are small, whatever the level."""
    over_time = np.diff(levels, axis=2, prepend=np.uint8(0))
    return np.diff(over_time, axis=1, prepend=np.uint8(0))


def _undo(coded: bytes, shape: tuple[int, int, int]) -> np.ndarray:
    """Return the levels, uint8 `(N, n_mels, n_frames)`, from their coded `_differences`."""
    n_cells = math.prod(shape)
    if n_cells > MAX_EXPANSION * len(coded):  # before so much memory is asked for
        raise PackError(f"expected log-mels of shape {shape}, got {len(coded):,} bytes, too few for them")
    coder = zlib.decompressobj()
    differences = coder.decompress(coded, n_cells + 1)
    if len(differences) != n_cells or not coder.eof:
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
    description = json.dumps(asdict(pack))
    metadata |= {"format": FORMAT, "pack": description, "shape": json.dumps(songs.spectrogram.shape)}
    metadata["pack_hash"] = hashlib.sha256(description.encode()).hexdigest()
    return save(tensors, metadata)
