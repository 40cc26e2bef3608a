"""How far songs are from themselves after a channel: spectra, an external embedding, emotion, loudness and time."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import librosa
import numpy as np
import torch
from numpy.typing import NDArray

from musemo_hf.audio.mel import mel_power
from musemo_hf.evaluation.distances.kernel import kernel_distance
from musemo_hf.evaluation.external.resampled_distances import scaled
from musemo_hf.evaluation.statistics.bootstrap import interval
from musemo_hf.evaluation.statistics.concordance import concordance_correlation

from .channels import SETTINGS, Channel, magnitudes

FLOOR = 1e-3  # of a magnitude; a full-scale sine has 512, so that this is 114 dB below it
DRAWS = 2000


def spectral_convergence(song: NDArray, rebuilt: NDArray) -> float:
    """Compute || |STFT(rebuilt)| - |STFT(song)| || / || |STFT(song)| || (Sturmel & Daudet 2011); 0 is exact."""
    true, found = _magnitudes(song), _magnitudes(rebuilt)
    return float(np.linalg.norm(found - true) / np.linalg.norm(true))


def log_stft_distance(song: NDArray, rebuilt: NDArray) -> float:
    """Compute the mean absolute difference of the natural logarithms of magnitudes, which are at least `FLOOR`."""
    logarithms = [np.log(np.maximum(_magnitudes(samples), FLOOR)) for samples in (song, rebuilt)]
    return float(np.abs(logarithms[1] - logarithms[0]).mean())


def level_change(song: NDArray, rebuilt: NDArray) -> float:
    """Compute the change of the root mean square in dB."""
    return float(10 * np.log10(np.mean(np.square(rebuilt)) / np.mean(np.square(song))))


def measure_channel(channel: Channel, songs: Sequence[NDArray]) -> tuple[dict[str, list[float]], list[NDArray]]:
    """Send songs through a channel.

    Args:
        channel: The channel.
        songs: The samples of each song `(samples,)` at 22,050 Hz.

    Returns:
        The values of each song by figure ("seconds" is processor time from the spectrogram to the samples), and the
        samples of each song after the channel.
    """
    values: dict[str, list[float]] = {"convergence": [], "log_stft": [], "level": [], "seconds": []}
    rebuilt = []
    for song in songs:
        spectrogram = channel.analyse(torch.from_numpy(song)[None])
        start = time.process_time()
        audio = channel.synthesise(spectrogram, len(song))[0].numpy()
        values["seconds"].append(time.process_time() - start)
        values["convergence"].append(spectral_convergence(song, audio))
        values["log_stft"].append(log_stft_distance(song, audio))
        values["level"].append(level_change(song, audio))
        rebuilt.append(audio)
    return values, rebuilt


def librosa_seconds(song: NDArray) -> float:
    """Return the processor time in s of librosa's own inversion of the log-mel of a song."""
    power = mel_power(torch.from_numpy(song)).numpy()
    start = time.process_time()
    librosa.feature.inverse.mel_to_audio(
        power, sr=SETTINGS.sampling_rate, n_fft=SETTINGS.n_fft, hop_length=SETTINGS.hop_length, n_iter=32
    )
    return time.process_time() - start


def external_figures(real: NDArray, rebuilt: Mapping[str, NDArray], seed: int = 0) -> dict[str, dict[str, Any]]:
    """Compare the embeddings of songs with those of the same songs after a channel.

    Args:
        real: The features of the songs `(N, D)`, by which all are standardised.
        rebuilt: The features after each channel `(N, D)`.
        seed: The seed of the bootstrap.

    Returns:
        For each channel `external`, the median distance of a song from itself over the median distance of two
        different songs, and `kid` with its standard error.
    """
    sides = scaled(real, {"real": real, **rebuilt})
    origin = sides.pop("real")
    pairs = np.linalg.norm(origin[:, None] - origin[None], axis=-1)[np.triu_indices(len(origin), 1)]
    found: dict[str, dict[str, Any]] = {}
    for name, features in sides.items():
        distances = np.linalg.norm(features - origin, axis=1) / np.median(pairs)
        kid = kernel_distance(origin, features)
        found[name] = {"external": summary(distances, np.median, seed), "kid": {"value": kid.kid, "error": kid.kid_se}}
    return found


def emotion_figures(before: NDArray, after: NDArray) -> dict[str, Any]:
    """Compare recognised emotions `(N, 2)` of songs before and after a channel."""
    names = ("valence", "arousal")
    agreement = np.atleast_1d(concordance_correlation(after, before))
    return {
        "emotion_ccc": {name: float(value) for name, value in zip(names, agreement, strict=True)},
        "emotion_error": {
            name: float(value) for name, value in zip(names, np.abs(after - before).mean(0), strict=True)
        },
    }


def summary(
    values: Sequence[float] | NDArray, statistic: Callable[..., Any] = np.mean, seed: int = 0
) -> dict[str, Any]:
    """Return a statistic over songs with its 95 % interval, a bootstrap over songs."""
    values = np.asarray(values, dtype=np.float64)
    draws = np.random.default_rng(seed).integers(0, len(values), (DRAWS, len(values)))
    low, high = interval(statistic(values[draws], axis=1))
    return {"value": float(statistic(values)), "interval": [float(low), float(high)]}


def _magnitudes(samples: NDArray) -> NDArray:
    return magnitudes(torch.from_numpy(np.ascontiguousarray(samples))[None])[0].numpy()
