"""Songs of a held-out fold of DEAM with the emotions that people reported, and recognisers that never saw them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from musemo_hf.audio.feature_extraction_musemo import MusemoFeatureExtractor
from musemo_hf.data.arrays import SongArrays
from musemo_hf.data.deam.waveforms import read_excerpts
from musemo_hf.experiments.recognisers.comparison import embed_songs
from musemo_hf.models.gan import evaluating
from musemo_hf.models.vit import MusemoViTConfig
from musemo_hf.pipelines.embedders.audio_embedder import AudioEmbedder
from musemo_hf.training.configuration import Configuration
from musemo_hf.training.corpus import hold_out, select
from musemo_hf.training.recogniser.calibrated_training import train_recogniser

from .channels import SETTINGS

Recognise = Callable[[Sequence[NDArray]], NDArray]
BATCH = 16  # songs that are recognised at once


@dataclass(frozen=True)
class LabelledSongs:
    """The audio of a fold, with labels.

    Attributes:
        waveforms: The samples of each song `(samples,)` at 22,050 Hz.
        emotion: The mean (valence, arousal) of the raters in [-1, 1], float `(N, 2)`.
        artist: The N names of artists, "" where unknown.
        fold: The number of the fold.
    """

    waveforms: list[NDArray] = field(repr=False)
    emotion: NDArray
    artist: list[str]
    fold: int


def read_fold(songs: SongArrays, data_dir: str | Path, config_name: str, fold: int) -> LabelledSongs:
    """Read the audio of one fold of a DEAM folder; see `read_excerpts`.

    Args:
        songs: The prepared songs, with labels and folds.
        data_dir: The folder of DEAM.
        config_name: The configuration that they were prepared with.
        fold: The number of the artist-disjoint fold.

    Raises:
        ValueError: The fold does not exist, or see `read_excerpts`.
    """
    hold_out(songs, fold)  # refuses a fold that does not exist
    chosen = select(songs, np.flatnonzero(songs.fold == fold))
    return LabelledSongs([*read_excerpts(chosen, data_dir, config_name)], chosen.emotion, chosen.artist, fold)


def fit_without(
    fold: int,
    songs: SongArrays,
    configuration: Configuration,
    data_dir: str | Path | None = None,
    embedder: AudioEmbedder | None = None,
) -> Recognise:
    """Fit a recogniser to all folds but one, and return the function that applies it to audio.

    Args:
        fold: The fold that is left out.
        songs: The prepared songs.
        configuration: The configuration of the recogniser, such as `recogniser_statistics_10s.yaml`.
        data_dir: The folder of DEAM, for a recogniser with an embedder.
        embedder: The embedder of audio that the configuration names; None for a recogniser of log-mels alone.

    Returns:
        A function from waveforms `(samples,)` at 22,050 Hz to predicted (valence, arousal), float `(N, 2)`.

    Raises:
        ValueError: The configuration names an embedder, and another or none is given.
    """
    n_frames = songs.spectrogram.shape[-1]
    config = MusemoViTConfig(n_frames=n_frames, **configuration.recogniser)
    given = None if embedder is None else embedder.name
    if config.embedder != given:
        raise ValueError(f"expected the embedder {config.embedder} of the configuration, got {given}")
    training, embedding = hold_out(songs, fold), None
    if embedder is not None:
        if data_dir is None:
            raise ValueError(f"expected the folder of DEAM for a recogniser with {embedder.name}, got None")
        embedding = embed_songs(training, data_dir, embedder.name)
    model = train_recogniser(config, configuration.recogniser_training, training, embedding=embedding).model
    extractor = MusemoFeatureExtractor(n_frames=n_frames)

    def recognise(waveforms: Sequence[NDArray]) -> NDArray:
        parts = []
        with evaluating(model):
            for start in range(0, len(waveforms), BATCH):
                batch = list(waveforms[start : start + BATCH])
                features = None
                if embedder is not None:
                    features = torch.from_numpy(embedder.embed_audio(batch, SETTINGS.sampling_rate)).float()
                mel = extractor(batch, sampling_rate=SETTINGS.sampling_rate)["spectrogram"]
                parts.append(model(spectrogram=mel, embedding=features).emotion)
        return torch.cat(parts).double().numpy()

    return recognise
