"""The recordings behind the spectrograms of a data set, for players beside them."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from musemo_hf.audio.decoding import AudioDecodingError, read_audio
from musemo_hf.audio.mel import MelSettings
from musemo_hf.data.deam.deam import DeamSpectrograms
from musemo_hf.data.deam.excerpts import TooShortError, excerpt_start, file_duration
from musemo_hf.data.deam.layout import LayoutError, find_deam


def read_recordings(data_dir: str | Path | None, config_name: str, song_ids: Iterable[int]) -> dict[int, np.ndarray]:
    """Read the excerpts of songs as samples `(samples,)`, float32 at 22,050 Hz.

    Args:
        data_dir: The folder of DEAM, or None for the default corpus. A pack has no recordings, and gives none.
        config_name: The configuration that chose the excerpts, such as "excerpt_10s".
        song_ids: The ids of the songs; those without a readable file are left out.
    """
    if data_dir is not None and not Path(data_dir).is_dir():
        return {}
    config = DeamSpectrograms(config_name=config_name, data_dir=data_dir).config
    try:
        files = {path.stem: path for path in find_deam(str(config.data_dir)).audio_files()}
    except LayoutError:  # the default corpus, rendered on another machine
        return {}
    settings = MelSettings()
    rate, length = settings.sampling_rate, settings.n_samples(config.n_frames) / settings.sampling_rate
    found = {}
    for song_id in song_ids:
        path = files.get(str(song_id))
        if path is None:
            continue
        try:
            start = excerpt_start(file_duration(path), length, config.start, config.or_from_start)
            samples = read_audio(path, rate, duration=start + length)
        except (AudioDecodingError, TooShortError):
            continue
        found[song_id] = samples[round(start * rate) :]
    return found
