"""The places of DEAM's files on disk, in the layouts that its users have."""

import hashlib
import os
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

AUDIO_SUFFIXES = (".wav", ".flac", ".ogg", ".mp3")  # lossless first, for songs that are there twice
ANNOTATION_FILES = ("static_annotations_averaged_songs_1_2000.csv", "static_annotations_averaged_songs_2000_2058.csv")
METADATA_FILES = ("metadata_2013.csv", "metadata_2014.csv", "metadata_2015.csv")

# the flat layout first, then that of the public archive, unpacked in one folder or each part in its own folder
AUDIO_FOLDERS = ("MEMD_audio", "DEAM_audio/MEMD_audio")
ANNOTATION_FOLDERS = (
    "annotations",
    "annotations/annotations averaged per song/song_level",
    "DEAM_Annotations/annotations/annotations averaged per song/song_level",
    "annotations/annotations/annotations averaged per song/song_level",
)
METADATA_FOLDERS = ("metadata", "metadata/metadata")
OTHER_AUDIO_NAMES = ("memd_audio", "deam_audio", "audio")  # lower case; of folders in other layouts
MAX_DEPTH = 6  # of folders that are looked through for the files of another layout


class DeamError(ValueError):
    """An error in a DEAM folder or in a file of it."""


class LayoutError(DeamError, FileNotFoundError):
    """A part of DEAM that cannot be done without is nowhere in the folder."""

    __str__ = ValueError.__str__  # FileNotFoundError's own would look for an errno


@dataclass(frozen=True)
class DeamLayout:
    """The files of one DEAM folder, as they are when they are first asked for.

    Attributes:
        root: The folder of DEAM.
        audio: The folder of `<song_id>.mp3` (or .wav, .flac, .ogg).
        annotations: The CSVs of static labels, ids up to 2000 and from 2001; one of them may be missing.
        metadata: The CSVs of artists, titles and genres, for 2013, 2014 and 2015; any of them may be missing.
    """

    root: Path
    audio: Path
    annotations: tuple[Path, ...]
    metadata: tuple[Path, ...]

    @cached_property
    def _audio_files(self) -> list[Path]:
        found = (path for path in self.audio.iterdir() if path.is_file() and not path.name.startswith("."))
        return sorted(path for path in found if path.suffix.lower() in AUDIO_SUFFIXES)

    def audio_files(self) -> list[Path]:
        """List the audio files by name, without hidden files and other extensions; the folder is listed once."""
        return list(self._audio_files)

    def fingerprint(self) -> str:
        """Hash the names, sizes and times of the files in `audio_files`, and the contents of the CSVs.

        Raises:
            LayoutError: A file has gone since the folder was listed.
        """
        digest = hashlib.sha256()
        try:
            for path in self._audio_files:
                status = path.stat()
                digest.update(os.fsencode(f"{path.name}\0{status.st_size}\0{status.st_mtime_ns}\n"))
            for path in (*self.annotations, *self.metadata):
                digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\n")
        except FileNotFoundError as error:
            raise LayoutError(
                f"{self.root}: expected {error.filename} as when the folder was listed, it is gone"
            ) from error
        return digest.hexdigest()[:32]


def find_deam(data_dir: str | Path) -> DeamLayout:
    """Find DEAM's files under a folder: flat, as the public archive unpacks, or, with a warning, anywhere within.

    Metadata and one of the two files of annotations may be missing, with a warning: without metadata, every song is
    taken for an artist of its own.

    Args:
        data_dir: The folder that holds `MEMD_audio/`, `annotations/` and `metadata/`.

    Raises:
        LayoutError: There is no such folder, or it has no audio or no annotations.
    """
    root = Path(data_dir).expanduser().resolve()
    if not root.is_dir():
        raise LayoutError(f"expected a folder of DEAM files, found none at {root}")
    search = _Search(root)
    audio = search.audio()
    annotations = tuple(search.table(ANNOTATION_FOLDERS, name) for name in ANNOTATION_FILES)
    metadata = tuple(search.table(METADATA_FOLDERS, name) for name in METADATA_FILES)
    if not any(annotations):
        wanted = " or ".join(ANNOTATION_FILES)
        raise LayoutError(_missing(root, wanted, tuple(f"{folder}/{wanted}" for folder in ANNOTATION_FOLDERS)))
    search.warn(annotations, metadata)
    return DeamLayout(root, audio, tuple(filter(None, annotations)), tuple(filter(None, metadata)))


class _Search:
    """Looks for files in the known places first, and then through the whole folder, which is walked once."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.elsewhere: list[Path] = []  # what was found in none of the known places

    @cached_property
    def _tree(self) -> dict[str, list[Path]]:
        """Map the lower-case names of folders and CSVs to their places, the shallowest first."""
        places: dict[str, list[Path]] = {}
        for path in sorted(_walk(self.root, MAX_DEPTH), key=lambda path: (len(path.parts), str(path))):
            places.setdefault(path.name.lower(), []).append(path)
        return places

    def audio(self) -> Path:
        known = next((self.root / folder for folder in AUDIO_FOLDERS if (self.root / folder).is_dir()), None)
        if known is not None:
            return known
        for name in OTHER_AUDIO_NAMES:
            for folder in self._tree.get(name, []):
                if folder.is_dir() and _has_audio(folder):
                    self.elsewhere.append(folder)
                    return folder
        raise LayoutError(_missing(self.root, "the audio folder", AUDIO_FOLDERS))

    def table(self, folders: tuple[str, ...], name: str) -> Path | None:
        for folder in folders:
            if (self.root / folder / name).is_file():
                return self.root / folder / name
        found = next((path for path in self._tree.get(name, []) if path.is_file()), None)
        if found is not None:
            self.elsewhere.append(found)
        return found

    def warn(self, annotations: tuple[Path | None, ...], metadata: tuple[Path | None, ...]) -> None:
        """Warn of files in other places and of files that are missing."""
        told = []
        if self.elsewhere:
            told.append(f"reads {', '.join(str(path.relative_to(self.root)) for path in self.elsewhere)}")
        for names, paths, result in (
            (ANNOTATION_FILES, annotations, "songs with labels there are left out"),
            (METADATA_FILES, metadata, "songs without metadata are each taken for an artist of its own"),
        ):
            missing = [name for name, path in zip(names, paths, strict=True) if path is None]
            told += [f"finds no {', '.join(missing)}: {result}"] if missing else []
        if told:
            warnings.warn(f"{self.root} is laid out otherwise than DEAM: " + "; ".join(told), stacklevel=3)


def _walk(folder: Path, depth: int) -> Iterator[Path]:
    """Yield the folders and CSVs within a folder, without hidden ones and those that a Macintosh adds to archives."""
    try:
        entries = list(os.scandir(folder))
    except OSError:  # a folder that may not be read holds nothing for us
        return
    for entry in entries:
        if entry.name.startswith(".") or entry.name == "__MACOSX":
            continue
        if entry.is_dir():
            yield Path(entry.path)
            if depth > 1:
                yield from _walk(Path(entry.path), depth - 1)
        elif entry.name.lower().endswith(".csv"):
            yield Path(entry.path)


def _has_audio(folder: Path) -> bool:
    """Return whether a folder has a file named by a song id."""
    return any(path.suffix.lower() in AUDIO_SUFFIXES and path.stem.isdigit() for path in folder.iterdir())


def _missing(root: Path, what: str, places: tuple[str, ...]) -> str:
    flat, *archive = places
    tried = "\n".join(f"    {place}" for place in archive)
    return (
        f"{root}: expected {what} of DEAM, found it in neither layout:\n  flat\n    {flat}\n  archive\n{tried}\n"
        f"nor anywhere else in the folder"
    )
