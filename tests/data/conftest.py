"""DEAM folders of a few real audio files, in either layout."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

PART_ONE = "static_annotations_averaged_songs_1_2000.csv"
PART_TWO = "static_annotations_averaged_songs_2000_2058.csv"
# The headers and quirks of the published files.
HEADER_ONE = "song_id, valence_mean, valence_std, arousal_mean, arousal_std"
HEADER_TWO = (
    "song_id, valence_mean, valence_std, valence_ max_mean, valence_max_std, valence_min_mean, valence_min_std, "
    "arousal_mean, arousal_std, arousal_max_mean, arousal_max_std, arousal_min_mean, arousal_min_std"
)
FOLDERS = {
    "flat": ("MEMD_audio", "annotations", "metadata"),
    "archive": ("MEMD_audio", "annotations/annotations averaged per song/song_level", "metadata"),
    "unzipped": (
        "DEAM_audio/MEMD_audio",
        "DEAM_Annotations/annotations/annotations averaged per song/song_level",
        "metadata/metadata",
    ),
}


def tone(seconds: float, frequency: float = 440.0, rate: int = 22050) -> np.ndarray:
    return (0.3 * np.sin(2 * np.pi * frequency * np.arange(round(seconds * rate)) / rate)).astype(np.float32)


class DeamFolder:
    """A folder to add songs to: `add(7, tone(1))`, `add(8, b"text")`; `write()` writes the tables."""

    def __init__(self, root: Path, layout: str = "flat", places: tuple[str, ...] = ()) -> None:
        self.root = root
        self.audio, self.annotations, self.metadata = (root / folder for folder in places or FOLDERS[layout])
        for folder in (self.audio, self.annotations, self.metadata):
            folder.mkdir(parents=True, exist_ok=True)
        self.labels: dict[int, tuple[float, float, float, float]] = {}
        self.artists: dict[int, str] = {}

    def add(self, song_id, content=None, label=(6.0, 1.2, 4.0, 0.8), artist=None, suffix=".mp3", rate=22050):
        path = self.audio / f"{song_id}{suffix}"
        if isinstance(content, bytes):
            path.write_bytes(content)
        elif content is not None:
            soundfile.write(path, content, rate)
        if label is not None:
            self.labels[song_id] = label
        self.artists[song_id] = f"Artist {song_id}" if artist is None else artist
        return path

    def write(self) -> Path:
        one = [f"{i},{v},{vs},{a},{as_}" for i, (v, vs, a, as_) in self.labels.items() if i <= 2000]
        two = [
            f"{i},{v},{vs},9.0,1,1.0,1,{a},{as_},9.0,1,1.0,1" for i, (v, vs, a, as_) in self.labels.items() if i > 2000
        ]
        (self.annotations / PART_ONE).write_text("\n".join([HEADER_ONE, *one]) + "\n")
        (self.annotations / PART_TWO).write_text("\n".join([HEADER_TWO, *two]) + "\n")
        rows = {2013: ["song_id,album,artist,title,Genre"], 2014: ["song_id,artist,album,title,Genre,,,"]}
        rows[2015] = ["song_id,title,artist,album,Genre,"]
        for i, artist in self.artists.items():
            if i <= 1000:
                rows[2013].append(f'{i},"\t{i}.mp3","{artist}\t","\tSong {i}\t","\tBlues\t"')
            elif i <= 2000:
                rows[2014].append(f"{i},{artist},An album,Song {i},Rock-Pop,tag,another,,one more than the header")
            else:
                rows[2015].append(f"{i},Song {i},{artist},n/a,Jazz,")
        for year, lines in rows.items():
            (self.metadata / f"metadata_{year}.csv").write_text("\n".join(lines) + "\n")
        return self.root


@pytest.fixture
def deam_folder(tmp_path):
    return DeamFolder(tmp_path / "DEAM")


@pytest.fixture
def make_folder(tmp_path):
    return lambda layout, places=(): DeamFolder(tmp_path / layout, layout, places)


@pytest.fixture
def make_tone():
    return tone
