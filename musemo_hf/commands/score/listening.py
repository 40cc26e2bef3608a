"""Clips of both sides as sound, for the players of the page."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from musemo_hf.reporting.figures import to_data_uri

if TYPE_CHECKING:
    from musemo_hf.commands.score.clips import Clips

TITLES = {"REAL": "real music", "FAKE": "your set"}
MOST = 3  # clips of a side
N_FRAMES = 431  # ten seconds


def make_players(sides: dict[str, Clips]) -> dict[str, dict[str, str]]:
    """Return evenly spaced clips of each side as mp3 in data URIs, by title of the side and name of the clip.

    All have the gain of `write_playback`, so that both sides compare. Arrays become sound by Griffin-Lim.

    Args:
        sides: REAL and FAKE, after they have been read.
    """
    from musemo_hf.audio.loudness import write_playback
    from musemo_hf.audio.mel import MelSettings
    from musemo_hf.pipelines.song_files import shown

    rate = MelSettings().sampling_rate
    players: dict[str, dict[str, str]] = {}
    for side, clips in sides.items():
        players[TITLES[side]] = sounds = {}
        for number, clip in enumerate(clips.sample(MOST), 1):
            buffer = io.BytesIO()
            write_playback(buffer, _samples(clip, rate), rate, "MP3")
            name = shown(clip.name) if isinstance(clip, Path) else f"array {number}"
            sounds[f"{number}: {name}" if name in sounds else name] = to_data_uri(buffer.getvalue(), "audio/mpeg")
    return players


def _samples(clip: Any, rate: int) -> np.ndarray:
    """Read the first ten seconds of a file, or invert the first ten seconds of a log-mel."""
    if isinstance(clip, Path):
        from musemo_hf.audio.decoding import read_audio

        return read_audio(clip, rate, duration=10.0)
    from musemo_hf.audio.feature_extraction_musemo import MusemoFeatureExtractor
    from musemo_hf.evaluation.arrays import to_decibels

    extractor = MusemoFeatureExtractor()
    decibels = to_decibels(np.asarray(clip))[..., :N_FRAMES].astype(np.float32)
    return extractor.invert(extractor.from_decibels(decibels[None, None]))[0].numpy()
