"""Files of songs that commands write."""

from pathlib import Path
from typing import TYPE_CHECKING

from musemo_hf.files import atomic_path

if TYPE_CHECKING:
    from musemo_hf.pipelines.song import Song

ENDINGS = (".wav", ".flac", ".ogg", ".mp3")


def check_song_file(path: Path) -> None:
    """Check the name of a song that is to be written.

    Raises:
        ValueError: It does not end as a file of audio that can be written.
    """
    if path.suffix.lower() not in ENDINGS:
        raise ValueError(f"expected --output to be a file that ends in {', '.join(ENDINGS)}, got {path}")


def write_song(song: "Song", path: Path, plot: bool) -> None:
    """Write a song, with its picture where `plot` is true, and print a line about it."""
    song.save(path)
    if plot:
        write_picture(song, path)
    print(describe(song, path, f"{len(song.audio) / song.sampling_rate:.1f} s"))


def write_picture(song: "Song", path: Path) -> None:
    """Write the picture of a song's spectrogram beside the song, as a .png."""
    figure = song.plot().get_figure(root=True)
    if figure is not None:
        with atomic_path(path.with_suffix(".png")) as part:
            figure.savefig(part, format="png", dpi=110)


def describe(song: "Song", path: Path, size: str) -> str:
    """Return the line about a song that was written."""
    return f"{path}: valence {song.valence:+.2f}, arousal {song.arousal:+.2f}, seed {song.seed}, {size}"
