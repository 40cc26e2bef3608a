"""The audio of prepared songs: the excerpts whose log-mels a data set holds."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from musemo_hf.audio.decoding import read_audio
from musemo_hf.audio.mel import MelSettings
from musemo_hf.data.arrays import SongArrays

from .deam import DeamSpectrograms
from .excerpts import TOLERANCE, excerpt_start, file_duration
from .layout import find_deam


def read_excerpts(songs: SongArrays, data_dir: str | Path, config_name: str) -> Iterator[NDArray]:
    """Read the audio of each song from where its log-mel begins, for as long as it lasts.

    Args:
        songs: The prepared songs.
        data_dir: The folder of DEAM that they were prepared from.
        config_name: The configuration of `DeamSpectrograms` that they were prepared with, such as "excerpt_10s".

    Yields:
        The mono samples of each song, float32 `(samples,)` at 22,050 Hz, in the order of the songs.

    Raises:
        ValueError: The folder is none, as a pack is, which holds no audio; the configuration is unknown; or a song has
            no file, or one that is too short.
        AudioDecodingError: A file cannot be read.
    """
    if not Path(data_dir).is_dir():
        raise ValueError(f"expected a folder of DEAM with the audio of its songs, got {data_dir}")
    configs = {config.name: config for config in DeamSpectrograms.BUILDER_CONFIGS}
    if config_name not in configs:
        raise ValueError(f"expected config_name to be one of {', '.join(configs)}, got {config_name!r}")
    config, settings = configs[config_name], MelSettings()
    rate, n_samples = settings.sampling_rate, settings.n_samples(songs.spectrogram.shape[-1])
    files = {path.stem: path for path in find_deam(data_dir).audio_files()}
    for song in map(str, songs.song_id):
        if song not in files:
            raise ValueError(f"{data_dir}: expected the audio of all songs, found none of {song}")
        length = n_samples / rate
        start = excerpt_start(file_duration(files[song]), length, config.start, config.or_from_start)
        # from the beginning and a little more than is wanted, as `excerpt_log_mel` reads it
        samples = read_audio(files[song], rate, duration=start + length + 2 * TOLERANCE)
        samples = samples[round(start * rate) :][:n_samples]
        yield np.pad(samples, (0, n_samples - len(samples)))
