"""Artist, title and genre of a song, from its tags or from the name of its file."""

from dataclasses import dataclass
from pathlib import Path

from musemo_hf.audio.decoding import read_tags


@dataclass(frozen=True)
class SongNames:
    """Artist, title and genre of a song; "" where they are not known."""

    artist: str = ""
    title: str = ""
    genre: str = ""


def song_names(path: Path) -> SongNames:
    """Read names from a file's tags, and complete them from a file name such as "Artist - Title.mp3".

    A file name of two or more parts between " - " has the artist first and the title last; "01 - Title" has no artist,
    and neither has a file name without " - ".

    Raises:
        AudioDecodingError: The file is not audio.
    """
    tags = read_tags(path)
    artist, title = _from_name(path.stem)
    found = {"artist": tags.get("artist"), "title": tags.get("title"), "genre": tags.get("genre")}
    cleaned = {name: " ".join((text or "").replace("\0", " ").split()) for name, text in found.items()}
    return SongNames(cleaned["artist"] or artist, cleaned["title"] or title, cleaned["genre"])


def _from_name(stem: str) -> tuple[str, str]:
    parts = [" ".join(part.split()) for part in stem.split(" - ")]
    numbered = parts[0].rstrip(".").isdigit()
    if len(parts) - numbered >= 2:
        return parts[int(numbered)], parts[-1]
    return "", parts[-1]
