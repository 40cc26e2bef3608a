"""The places of DEAM's files on disk, in either of the layouts that its users have."""

import hashlib
from dataclasses import dataclass
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


class DeamError(ValueError):
    """An error in a DEAM folder or in a file of it."""


class LayoutError(DeamError, FileNotFoundError):
    """A part of DEAM is in neither layout's place."""

    __str__ = ValueError.__str__  # FileNotFoundError's own would look for an errno


@dataclass(frozen=True)
class DeamLayout:
    """The files of one DEAM folder.

    Attributes:
        root: The folder of DEAM.
        audio: The folder of `<song_id>.mp3` (or .wav, .flac, .ogg).
        annotations: The two CSVs of static labels, ids up to 2000 and from 2001.
        metadata: The three CSVs of artists, titles and genres, for 2013, 2014 and 2015.
    """

    root: Path
    audio: Path
    annotations: tuple[Path, ...]
    metadata: tuple[Path, ...]

    def audio_files(self) -> list[Path]:
        """List the audio files by name, without hidden files and other extensions."""
        found = (path for path in self.audio.iterdir() if path.is_file() and not path.name.startswith("."))
        return sorted(path for path in found if path.suffix.lower() in AUDIO_SUFFIXES)

    def fingerprint(self) -> str:
        """Hash the names, sizes and times of the audio and the contents of the CSVs."""
        digest = hashlib.sha256()
        for path in self.audio_files():
            status = path.stat()
            digest.update(f"{path.name}\0{status.st_size}\0{status.st_mtime_ns}\n".encode())
        for path in (*self.annotations, *self.metadata):
            digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\n")
        return digest.hexdigest()[:32]


def find_deam(data_dir: str | Path) -> DeamLayout:
    """Find DEAM's files under a folder, flat or as the public archive unpacks.

    Args:
        data_dir: The folder that holds `MEMD_audio/`, `annotations/` and `metadata/`.

    Raises:
        LayoutError: There is no such folder, or a part of DEAM is in neither layout's place.
    """
    root = Path(data_dir).expanduser().resolve()
    if not root.is_dir():
        raise LayoutError(f"expected a folder of DEAM files, found none at {root}")
    audio = next((root / folder for folder in AUDIO_FOLDERS if (root / folder).is_dir()), None)
    if audio is None:
        raise LayoutError(_missing(root, "the audio folder", AUDIO_FOLDERS))
    return DeamLayout(
        root,
        audio,
        tuple(_find(root, ANNOTATION_FOLDERS, name) for name in ANNOTATION_FILES),
        tuple(_find(root, METADATA_FOLDERS, name) for name in METADATA_FILES),
    )


def _find(root: Path, folders: tuple[str, ...], name: str) -> Path:
    for folder in folders:
        if (root / folder / name).is_file():
            return root / folder / name
    raise LayoutError(_missing(root, name, tuple(f"{folder}/{name}" for folder in folders)))


def _missing(root: Path, what: str, places: tuple[str, ...]) -> str:
    flat, *archive = places
    tried = "\n".join(f"    {place}" for place in archive)
    return f"{root}: expected {what} of DEAM, found it in neither layout:\n  flat\n    {flat}\n  archive\n{tried}"
