"""A folder of songs in DEAM's layout whose emotions are pseudo-labels, predicted by a recogniser.

pseudo_labels.json        the manifest: which recogniser predicted the emotions of which folder
pseudo_labels.csv         a line for each song, added when it is finished: its id, file, emotion and artist
skipped.csv               the files that were left out, and why
MEMD_audio/               the songs, named by their ids
annotations/, metadata/   DEAM's tables, written once every song is finished
"""

import csv
import io
import json
import warnings
from collections.abc import Iterable
from dataclasses import asdict, astuple, dataclass, fields
from pathlib import Path

from musemo_hf.data.deam.layout import ANNOTATION_FILES, METADATA_FILES, DeamError
from musemo_hf.data.deam.table_writer import ANNOTATION_HEADERS, METADATA_HEADERS, write_csv
from musemo_hf.data.tables import read_table
from musemo_hf.files import append_text, atomic_write

VERSION = 1
MANIFEST = "pseudo_labels.json"
SONGS_FILE = "pseudo_labels.csv"
_FORMER_NAMES = {MANIFEST: "heard_corpus.json", SONGS_FILE: "heard.csv"}  # of corpora made by `musemo listen`
_IDENTITY = ("version", "source", "weights", "hop_seconds")  # a corpus is resumed only where these are the same


class PseudoLabelError(DeamError):
    """A folder without pseudo-labels, with pseudo-labels of something else, or with files that cannot be read."""


@dataclass(frozen=True)
class PseudoLabelCorpus:
    """The manifest of a corpus with pseudo-labels.

    Attributes:
        version: The version of this format.
        name: The name of the folder of songs.
        source: The absolute path of the folder of songs.
        recogniser: "the packaged recogniser", a repository of the Hub, or the end of a folder's path.
        weights: The sha256 of the recogniser's weights.
        window_seconds: The length of the recogniser's window in seconds.
        hop_seconds: The largest distance of two windows in seconds; None stands for half a window.
        deviation: A sentence on what the deviations in the annotations are.
        n_songs: The number of songs with pseudo-labels; 0 until all are finished.
        n_skipped: The number of files that were left out.
        kind: A note for readers of the file.
    """

    version: int
    name: str
    source: str
    recogniser: str
    weights: str
    window_seconds: float
    hop_seconds: float | None = None
    deviation: str = ""
    n_songs: int = 0
    n_skipped: int = 0
    kind: str = "pseudo-labels: emotions predicted by a recogniser, not labels of people"

    @property
    def predictor(self) -> str:
        """The name of the recogniser with the beginning of the hash of its weights."""
        return f"{self.recogniser}, weights {self.weights[:8]}"

    @property
    def title(self) -> str:
        """Such as "120 songs of jazz, pseudo-labels by the packaged recogniser, weights 1a2b3c4d"."""
        return f"{self.n_songs} songs of {self.name}, pseudo-labels by {self.predictor}"


@dataclass(frozen=True)
class PseudoLabelledSong:
    """A song with its pseudo-label.

    Attributes:
        song_id: The id of the song, from `FIRST_OTHER_ID` on.
        file: The path of the song within the folder of songs.
        valence: The mean over windows in [-1, 1].
        arousal: The mean over windows in [-1, 1].
        valence_std: The deviation in the same unit, as the manifest describes it.
        arousal_std: The deviation in the same unit, as the manifest describes it.
        n_windows: The number of windows.
        duration: The length of the song in seconds.
        artist: The artist; "" where neither the tags nor the name of the file say.
        title: The title; "" where it is not known.
        genre: The genre; "" where it is not known.
    """

    song_id: int
    file: str
    valence: float
    arousal: float
    valence_std: float
    arousal_std: float
    n_windows: int
    duration: float
    artist: str = ""
    title: str = ""
    genre: str = ""


def read_manifest(folder: str | Path) -> PseudoLabelCorpus | None:
    """Read the manifest of a folder; None where the folder has no pseudo-labels.

    Raises:
        PseudoLabelError: The manifest cannot be read.
    """
    path = _find(Path(folder), MANIFEST)
    if not path.is_file():
        return None
    try:
        return PseudoLabelCorpus(**json.loads(path.read_text(encoding="utf-8")))
    except (TypeError, ValueError) as error:
        raise PseudoLabelError(f"{path}: expected the manifest of pseudo-labels, got: {error}") from error


def write_manifest(folder: Path, corpus: PseudoLabelCorpus) -> None:
    """Write the manifest of a folder."""
    atomic_write(_find(folder, MANIFEST), json.dumps(asdict(corpus), indent=1))


def _find(folder: Path, name: str) -> Path:
    """Return the path of a file, under its former name where the corpus was made before the name changed."""
    former = folder / _FORMER_NAMES[name]
    if (folder / name).exists() or not former.exists():
        return folder / name
    warnings.warn(f"{former}: the name of this file is now {name}; please rename it", FutureWarning, stacklevel=3)
    return former


def open_corpus(folder: Path, corpus: PseudoLabelCorpus) -> None:
    """Begin a corpus in a new folder, or resume the same corpus; a folder with other files is not written to.

    Raises:
        PseudoLabelError: The folder holds other files, or a corpus of other songs, of another recogniser or with
            another hop.
    """
    found = read_manifest(folder)
    if found is not None:
        wanted, got = ({name: getattr(each, name) for name in _IDENTITY} for each in (corpus, found))
        if wanted != got:
            other = [name for name in _IDENTITY if wanted[name] != got[name]]
            expected, came = (", ".join(f"{name} {each[name]}" for name in other) for each in (wanted, got))
            raise PseudoLabelError(
                f"{folder}: expected a new folder, or one begun with {expected}; got one with {came}"
            )
    elif folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise PseudoLabelError(f"{folder}: expected an empty or missing folder, or one begun before, got other files")
    else:
        folder.mkdir(parents=True, exist_ok=True)
        write_manifest(folder, corpus)


def read_songs(folder: Path) -> list[PseudoLabelledSong]:
    """Read the finished songs; a line that a killed process left unfinished is removed from the file.

    Raises:
        PseudoLabelError: A row is not one of `PseudoLabelledSong`.
    """
    path = _find(folder, SONGS_FILE)
    if not path.is_file():
        return []
    content = path.read_bytes()
    whole = content[: content.rfind(b"\n") + 1]
    if len(whole) < len(content):
        atomic_write(path, whole)
    if not whole:
        return []
    types = {field.name: field.type for field in fields(PseudoLabelledSong)}
    columns = {name: (name,) for name in types}
    songs = []
    for row in read_table(path, columns, PseudoLabelError, exact=True):
        try:
            values = {name: types[name](row.cells[name]) for name in types}  # type: ignore[operator]
        except (KeyError, ValueError) as error:
            raise PseudoLabelError(f"{row.where}: expected a song with its pseudo-label, got {row.cells}") from error
        songs.append(PseudoLabelledSong(**values))
    return songs


def append_song(folder: Path, song: PseudoLabelledSong) -> None:
    """Add a line for a song, whole or not at all; a new file begins with a header."""
    path = _find(folder, SONGS_FILE)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    if not path.exists() or not path.stat().st_size:
        writer.writerow([field.name for field in fields(PseudoLabelledSong)])
    writer.writerow(astuple(song))
    append_text(path, text.getvalue())


def write_tables(folder: Path, songs: Iterable[PseudoLabelledSong]) -> None:
    """Write DEAM's annotations (1-9) and metadata, with all songs in the second and in the 2015 file."""
    labels, metadata = [], []
    for song in songs:
        valence, arousal = (f"{5 + 4 * mean:.4f}" for mean in (song.valence, song.arousal))
        v_std, a_std = (f"{4 * std:.4f}" for std in (song.valence_std, song.arousal_std))
        # the maxima and minima, which are not read, repeat the mean
        labels.append((song.song_id, valence, v_std, *(valence, v_std) * 2, arousal, a_std, *(arousal, a_std) * 2))
        metadata.append((song.song_id, song.title, song.artist, "", song.genre))
    tables = (
        ("annotations", zip(ANNOTATION_FILES, ANNOTATION_HEADERS, ([], labels), strict=True)),
        ("metadata", zip(METADATA_FILES, METADATA_HEADERS, ([], [], metadata), strict=True)),
    )
    for part, files in tables:
        for file, header, rows in files:
            write_csv(folder / part / file, header, rows)
