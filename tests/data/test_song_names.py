"""Who a song is by, from real files' tags and names."""

import numpy as np
import pytest
import soundfile

from musemo_hf.audio.decoding import AudioDecodingError
from musemo_hf.data.song_names import SongNames, song_names


def write(path, **tags):
    with soundfile.SoundFile(path, "w", 22050, 1) as file:
        for name, text in tags.items():
            setattr(file, name, text)
        file.write(np.zeros(4410, dtype=np.float32))
    return path


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg", "mp3"])
def test_tags_go_before_the_name(tmp_path, suffix):
    path = write(tmp_path / f"Another - Name.{suffix}", artist="Ana Bée", title="Rain", genre="Folk")
    assert song_names(path) == SongNames("Ana Bée", "Rain", "Folk")
    path = write(tmp_path / f"Another - Song.{suffix}", artist="Ana")
    assert song_names(path) == SongNames("Ana", "Song", "")


@pytest.mark.parametrize(
    ("stem", "artist", "title"),
    [
        ("Ana Bee - Rain", "Ana Bee", "Rain"),
        ("03 - Ana Bee - Rain", "Ana Bee", "Rain"),
        ("Ana Bee - An Album - 03. Rain", "Ana Bee", "03. Rain"),
        ("03 - Rain", "", "Rain"),
        ("03. - Rain", "", "Rain"),
        ("classical_001", "", "classical_001"),
        ("hi-fi", "", "hi-fi"),
        ("7", "", "7"),
    ],
)
def test_a_name_tells_the_artist_or_does_not(tmp_path, stem, artist, title):
    assert song_names(write(tmp_path / f"{stem}.wav")) == SongNames(artist, title, "")


def test_what_is_no_audio(tmp_path):
    (tmp_path / "a - b.mp3").write_bytes(b"no audio")
    with pytest.raises(AudioDecodingError, match="a - b"):
        song_names(tmp_path / "a - b.mp3")
