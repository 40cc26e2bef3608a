"""A local page that plays real songs before and after each channel, which are not ours to publish."""

import html
from collections.abc import Mapping, Sequence
from pathlib import Path

from numpy.typing import NDArray

from musemo_hf.audio.loudness import write_playback

from .channels import SETTINGS, Channel

SONGS = 3


def write_players(songs: Sequence[NDArray], ways: Mapping[str, Channel], folder: str | Path) -> Path:
    """Write the first three songs as they are and after each channel, with a page of players.

    Args:
        songs: The samples of each song `(samples,)` at 22,050 Hz.
        ways: The channels by name.
        folder: The folder of the page.

    Returns:
        The path of `index.html`.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    lines = ["<!doctype html><meta charset=utf-8><title>Songs after each channel</title>"]
    for number, song in enumerate(songs[:SONGS], 1):
        lines.append(f"<h2>Song {number}</h2>")
        for place, (name, samples) in enumerate({"the song": song, **{n: w(song) for n, w in ways.items()}}.items()):
            file = f"song{number}-{place}.flac"
            write_playback(folder / file, samples, SETTINGS.sampling_rate, "FLAC")
            lines.append(f'<p>{html.escape(name)}<br><audio controls src="{file}"></audio></p>')
    page = folder / "index.html"
    page.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return page
