"""A folder of songs without labels in DEAM's layout, the emotion of each heard by a recogniser, and told by no person.

heard_corpus.json   what heard the songs; by it every reader knows that these are no labels of people
heard.csv           song id -> file, what was heard of it, and whose it is; a song a line, as it is finished
skipped.csv         the files left out, and why
MEMD_audio/         the songs, under their ids
annotations/, metadata/   DEAM's tables, once every song is heard
"""

import csv
import io
import json
from collections.abc import Iterable
from dataclasses import asdict, astuple, dataclass, fields
from pathlib import Path

from musemo_hf.data.deam.layout import ANNOTATION_FILES, METADATA_FILES, DeamError
from musemo_hf.data.deam.table_writer import ANNOTATION_HEADERS, METADATA_HEADERS, write_csv
from musemo_hf.files import atomic_write

VERSION = 1
MANIFEST = "heard_corpus.json"
HEARD_FILE = "heard.csv"
_IDENTITY = ("version", "source", "weights", "hop_seconds")  # what a folder that is gone on with has to share


class HeardCorpusError(DeamError):
    """A folder that is no heard corpus, one of something else, or one whose files cannot be read."""


@dataclass(frozen=True)
class HeardCorpus:
    """What a heard corpus is made of; its manifest.

    Attributes:
        version: of this format.
        name: of the folder of songs.
        source: that folder, in full.
        recogniser: "the packaged recogniser", a repository of the Hub, or the end of a folder's path.
        weights: sha256 of the recogniser's weights.
        window_seconds: what it hears at once, s.
        hop_seconds: the largest distance of two windows, s; half a window where None.
        deviation: what the deviations in the annotations are.
        n_songs: that were heard; 0 until all are.
        n_skipped: files left out.
        kind: for whoever opens the file.
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
    kind: str = "emotions heard by a recogniser, not labels of people"

    @property
    def listener(self) -> str:
        """The recogniser, told apart from others of its name."""
        return f"{self.recogniser}, weights {self.weights[:8]}"

    @property
    def title(self) -> str:
        """Such as "120 songs of jazz, emotions heard by the packaged recogniser, weights 1a2b3c4d"."""
        return f"{self.n_songs} songs of {self.name}, emotions heard by {self.listener}"


@dataclass(frozen=True)
class HeardSong:
    """A song, and what was heard of it.

    Attributes:
        song_id: from `FIRST_OTHER_ID` on.
        file: its path within the folder of songs.
        valence: mean over windows, in [-1, 1].
        arousal: mean over windows, in [-1, 1].
        valence_std: deviation, in the same unit; what it is stands in the manifest.
        arousal_std: likewise.
        n_windows: that were heard.
        duration: of the song, s.
        artist: "" where neither tags nor the file's name tell it.
        title: likewise.
        genre: likewise.
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


def read_manifest(folder: str | Path) -> HeardCorpus | None:
    """What heard a folder's songs; None where it is no heard corpus.

    Raises:
        HeardCorpusError: a manifest that cannot be read.
    """
    path = Path(folder) / MANIFEST
    if not path.is_file():
        return None
    try:
        return HeardCorpus(**json.loads(path.read_text(encoding="utf-8")))
    except (TypeError, ValueError) as error:
        raise HeardCorpusError(f"{path}: expected the manifest of a heard corpus, got: {error}") from error


def write_manifest(folder: Path, corpus: HeardCorpus) -> None:
    """Write the manifest of a folder."""
    atomic_write(folder / MANIFEST, json.dumps(asdict(corpus), indent=1))


def claim_folder(folder: Path, corpus: HeardCorpus) -> None:
    """Make a folder this corpus's, or find that it is; never write into someone's files.

    Raises:
        HeardCorpusError: the folder holds other files, or a corpus of other songs, heard by another recogniser or
            with another hop.
    """
    found = read_manifest(folder)
    if found is not None:
        wanted, got = ({name: getattr(each, name) for name in _IDENTITY} for each in (corpus, found))
        if wanted != got:
            other = [name for name in _IDENTITY if wanted[name] != got[name]]
            expected, came = (", ".join(f"{name} {each[name]}" for name in other) for each in (wanted, got))
            raise HeardCorpusError(
                f"{folder}: expected a new folder, or one begun with {expected}; got one with {came}"
            )
    elif folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise HeardCorpusError(f"{folder}: expected an empty or missing folder, or one begun before, got other files")
    else:
        folder.mkdir(parents=True, exist_ok=True)
        write_manifest(folder, corpus)


def read_heard(folder: Path) -> list[HeardSong]:
    """The songs heard so far; a line that a killed process left unfinished is taken off the file.

    Raises:
        HeardCorpusError: a row that is not one of `HeardSong`.
    """
    path = folder / HEARD_FILE
    if not path.is_file():
        return []
    content = path.read_bytes()
    whole = content[: content.rfind(b"\n") + 1]
    if len(whole) < len(content):
        path.write_bytes(whole)
    types = {field.name: field.type for field in fields(HeardSong)}
    songs = []
    for line, row in enumerate(csv.DictReader(io.StringIO(whole.decode(), newline="")), start=2):
        try:
            songs.append(HeardSong(**{name: types[name](text) for name, text in row.items()}))  # type: ignore[operator]
        except (KeyError, TypeError, ValueError) as error:
            raise HeardCorpusError(f"{path}:{line}: expected a song that was heard, got {row}") from error
    return songs


def append_heard(folder: Path, song: HeardSong) -> None:
    """Add a line; the file is begun with its header."""
    path = folder / HEARD_FILE
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    if not path.exists() or not path.stat().st_size:
        writer.writerow([field.name for field in fields(HeardSong)])
    writer.writerow(astuple(song))
    with path.open("a", encoding="utf-8", newline="") as file:
        file.write(text.getvalue())


def write_tables(folder: Path, songs: Iterable[HeardSong]) -> None:
    """DEAM's annotations (1-9) and metadata; all songs are in the second file of annotations and in that of 2015."""
    labels, metadata = [], []
    for song in songs:
        valence, arousal = (f"{5 + 4 * mean:.4f}" for mean in (song.valence, song.arousal))
        v_std, a_std = (f"{4 * std:.4f}" for std in (song.valence_std, song.arousal_std))
        # maxima and minima, which nobody reads, say no more than the mean
        labels.append((song.song_id, valence, v_std, *(valence, v_std) * 2, arousal, a_std, *(arousal, a_std) * 2))
        metadata.append((song.song_id, song.title, song.artist, "", song.genre))
    tables = (
        ("annotations", zip(ANNOTATION_FILES, ANNOTATION_HEADERS, ([], labels), strict=True)),
        ("metadata", zip(METADATA_FILES, METADATA_HEADERS, ([], [], metadata), strict=True)),
    )
    for part, files in tables:
        for file, header, rows in files:
            write_csv(folder / part / file, header, rows)
