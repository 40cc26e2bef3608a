"""What is measured on training clips, so that a generator can be asked for it."""

from collections.abc import Mapping, Sequence

import librosa
import numpy as np
import torch
from librosa.feature import tempo as librosa_tempo
from librosa.onset import onset_strength
from torch import Tensor

from musemo_hf.audio.mel import MelSettings, denormalise
from musemo_hf.data.genres import GENRES, split_genres
from musemo_hf.models.unet.conditions import SCALES
from musemo_hf.models.unet.genres import GENRE, genre_shares
from musemo_hf.training.clips import Clips


def measure(clips: Clips, names: Sequence[str]) -> dict[str, Tensor]:
    """Measure clips, and return values `(N,)` in [-1, 1] by name, on the scales of `SCALES`.

    Args:
        clips: The clips.
        names: Names of `SCALES`.

    Raises:
        ValueError: A name is unknown.
    """
    if unknown := sorted(set(names) - set(MEASURES)):
        raise ValueError(f"expected conditions out of {', '.join(MEASURES)}, got {', '.join(unknown)}")
    decibels = denormalise(clips.spectrogram[:, 0]).numpy()
    values = {name: torch.tensor([MEASURES[name](each) for each in decibels]) for name in names}
    return {name: SCALES[name].normalise(value).clamp(-1, 1) for name, value in values.items()}


def loudness(decibels: np.ndarray) -> float:
    """Return the mean over time of the power of all bands, in dB, of a log-mel `(n_mels, n_frames)` in dB."""
    return float(10 * np.log10((10 ** (decibels / 10)).sum(axis=0)).mean())


def brightness(decibels: np.ndarray) -> float:
    """Return the centroid of the mean magnitude over frequency, in Hz, of a log-mel `(n_mels, n_frames)` in dB."""
    magnitude = (10 ** (decibels / 20)).mean(axis=1)
    centres = librosa.mel_frequencies(len(decibels) + 2, fmin=0, fmax=MelSettings().sampling_rate / 2)[1:-1]
    return float((magnitude * centres).sum() / magnitude.sum())


def tempo(decibels: np.ndarray) -> float:
    """Return librosa's estimate of the tempo in beats per minute, of a log-mel `(n_mels, n_frames)` in dB."""
    place = {"sr": MelSettings().sampling_rate, "hop_length": MelSettings().hop_length}
    onsets = onset_strength(S=decibels, **place)
    return float(librosa_tempo(onset_envelope=onsets, **place)[0])


MEASURES = {"loudness": loudness, "brightness": brightness, "tempo": tempo}


def draw_given(
    measured: Mapping[str, Tensor], n_crops: int, share: float, generator: torch.Generator
) -> dict[str, Tensor]:
    """Draw which values of which crops are given to the network, as bool `(n_crops,)` by name.

    Args:
        measured: The values by name.
        n_crops: The number of crops.
        share: The share of crops of which any is given; of these each value is given for half.
        generator: The random generator.
    """
    any_given = torch.rand(n_crops, generator=generator) < share
    return {name: any_given & (torch.rand(n_crops, generator=generator) < 0.5) for name in measured}


def shares_of(clips: Clips, genres: Sequence[str]) -> Tensor:
    """Return the shares of genres `(N, n_genres)` of clips, from their metadata; 0 where that names none of them.

    Args:
        clips: The clips.
        genres: The names of the genres, out of `musemo_hf.data.genres.GENRES`.

    Raises:
        ValueError: The genre of no clip is known, or a name is none of that vocabulary.
    """
    genre_shares(GENRES, genres)  # refuses a name that no metadata could match
    known = {name.casefold() for name in genres}
    named = [[name for name in split_genres(text) if name.casefold() in known] for text in clips.genre or ()]
    if not any(named):
        raise ValueError(
            f"expected clips with genres, of which some are {', '.join(genres)}, got none: name songs with genres, "
            'such as those of DEAM, with --data-dir, or train without genres with --set "unet.genres=[]"'
        )
    return genre_shares(genres, named)


def leave_out(values: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return conditions by name, NaN (of genres 0) for the crops to which they are not given.

    Args:
        values: The values `(n_crops,)` by name, and shares of genres.
        given: To which crops each is given, bool `(n_crops,)`.
    """
    return {
        name: value * given[name][:, None] if name == GENRE else value.where(given[name], torch.nan)
        for name, value in values.items()
    }
