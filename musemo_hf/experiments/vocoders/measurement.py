"""The measurement of channels on real songs that no network was trained on."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from musemo_hf.audio.decoding import read_audio
from musemo_hf.audio.feature_extraction_musemo import MusemoFeatureExtractor
from musemo_hf.models.gan import evaluating

from .channels import SETTINGS, Channel
from .conversion import conversion_figures
from .figures import emotion_figures, external_figures, librosa_seconds, measure_channel, summary

START, SECONDS = 5.0, 10.0  # of a song
CONVERTED_SONGS = 20
CONVERTED_RATE = 24000  # Hz, of songs whose log-mels are converted
TIMED_SONGS = 2  # of librosa, which takes seconds for each


def read_songs(folder: str | Path, n_songs: int | None, sampling_rate: int = SETTINGS.sampling_rate) -> list[NDArray]:
    """Read ten seconds of each song of a folder, from the fifth second on.

    Args:
        folder: The folder of audio files.
        n_songs: The largest number of songs, which are evenly spaced over the sorted names; None for all.
        sampling_rate: The sampling rate in Hz.

    Raises:
        ValueError: There are fewer than two songs, or one is shorter.
    """
    endings = (".mp3", ".wav", ".flac", ".ogg")
    files = sorted(path for path in Path(folder).rglob("*") if path.suffix.lower() in endings)
    if len(files) < 2:
        raise ValueError(f"expected at least 2 songs in {folder}, found {len(files)}")
    if n_songs is not None and n_songs < len(files):
        files = [files[i] for i in np.linspace(0, len(files) - 1, n_songs).round().astype(int)]
    songs, length = [], round(SECONDS * sampling_rate)
    for path in files:
        samples = read_audio(path, sampling_rate, START, SECONDS)
        if len(samples) < length:
            raise ValueError(f"expected songs of at least {START + SECONDS:g} s, got {path.name}")
        songs.append(samples[:length])
    return songs


def measure(
    songs: Sequence[NDArray],
    ways: Mapping[str, Channel],
    embedder: Any = None,
    recogniser: tuple[Any, MusemoFeatureExtractor] | None = None,
    seed: int = 0,
    known: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Measure what is left of songs after each channel.

    Args:
        songs: The samples of each song `(samples,)` at 22,050 Hz.
        ways: The channels by name.
        embedder: An `AudioEmbedder` that took part in the training of no network that is compared; None to leave the
            external figures out.
        recogniser: A recogniser of emotion and its feature extractor; None to leave the emotions out.
        seed: The seed of the bootstrap over songs.
        known: Earlier results of the same songs, whose channels are not measured again.

    Returns:
        `channels` with the figures of each channel (see `figures.py`), `librosa_seconds`, `n_songs` and `embedder`.

    Raises:
        ValueError: The earlier results are of other songs or of another embedder.
    """
    facts = {"n_songs": len(songs), "embedder": None if embedder is None else embedder.name}
    facts["threads"] = torch.get_num_threads()
    if known is not None and (other := {name: known.get(name) for name in facts}) != facts:
        raise ValueError(f"expected earlier results of {facts}, got those of {other}")
    found: dict[str, dict[str, Any]] = {
        name: known["channels"][name] for name in ways if known and name in known["channels"]
    }
    order, ways = list(ways), {name: way for name, way in ways.items() if name not in found}
    features, emotions = {}, {}
    for name, channel in ways.items():
        values, rebuilt = measure_channel(channel, songs)
        found[name] = {figure: summary(of_songs, seed=seed) for figure, of_songs in values.items()}
        found[name]["level_spread"] = float(np.abs(values["level"]).max())
        if embedder is not None:
            features[name] = embedder.embed_audio(rebuilt, SETTINGS.sampling_rate)
        if recogniser is not None:
            emotions[name] = recognise(*recogniser, rebuilt)
    if embedder is not None:
        real = embedder.embed_audio(songs, SETTINGS.sampling_rate)
        for name, figures in external_figures(real, features, seed).items():
            found[name] |= figures
    if recogniser is not None:
        before = recognise(*recogniser, songs)
        for name, after in emotions.items():
            found[name] |= emotion_figures(before, after)
    seconds = known["librosa_seconds"] if known else np.mean([librosa_seconds(song) for song in songs[:TIMED_SONGS]])
    return {"channels": {name: found[name] for name in order}, "librosa_seconds": float(seconds)} | facts


def recognise(model: Any, extractor: MusemoFeatureExtractor, songs: Sequence[NDArray]) -> NDArray:
    """Return the (valence, arousal) that a recogniser predicts of songs, `(N, 2)`."""
    with evaluating(model):
        parts = [
            model(spectrogram=extractor([song], sampling_rate=SETTINGS.sampling_rate)["spectrogram"]).emotion
            for song in songs
        ]
    return torch.cat(parts).float().numpy()


def measure_conversion(folder: str | Path) -> dict[str, Any]:
    """Measure the conversion of log-mels on at most 20 songs of a folder; see `conversion_figures`."""
    songs = read_songs(folder, CONVERTED_SONGS, CONVERTED_RATE)
    return {"grids": conversion_figures(songs, CONVERTED_RATE), "n_songs": len(songs)}
