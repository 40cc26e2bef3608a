"""Musical structure of one clip of sound: partials, onsets, tonality, beat and repetition, by librosa."""

from __future__ import annotations

from typing import Any

import numpy as np

STRUCTURE = "structure-v1"
FEATURES = (
    "partial_length",
    "partial_count",
    "onset_sharpness",
    "tonal_clarity",
    "beat_strength",
    "self_similarity",
)
TITLES = {
    "partial_length": "length of partials, log seconds",
    "partial_count": "partials that last, at a time",
    "onset_sharpness": "sharpness of onsets",
    "tonal_clarity": "tonal clarity",
    "beat_strength": "strength of the beat",
    "self_similarity": "self-similarity",
}
N_FFT, HOP = 2048, 512  # samples, at 22,050 Hz as in the log-mel
EDGE = 8  # frames at either end that are left out: a song that was cut from an mp3 begins with silence
FLOOR_DB = 70.0  # below the loudest cell
PROMINENCE_DB = 10.0  # of a partial over the bands around it
AROUND = 9  # bands that a partial stands out from
MAX_BAND = 90  # of 128; partials above 5 kHz are not followed
LASTING = 6  # frames (0.14 s) from which on a partial is counted
N_ONSETS = 20  # the highest peaks of the onset strength: two a second
BEAT_SECONDS = (0.3, 1.5)  # 40 to 200 BPM
REPEAT_SECONDS = 2.0  # what sounds alike within this time is one event, no repetition
# Krumhansl & Kessler 1982: how well each pitch class fits into a major and a minor key
MAJOR = (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88)
MINOR = (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17)


def structure_features(samples: np.ndarray, sampling_rate: int) -> np.ndarray:
    """Measure the structure of one clip.

    Args:
        samples: The mono samples `(samples,)` of at least five seconds.
        sampling_rate: The sampling rate in Hz.

    Returns:
        One value for each of `FEATURES`: the logarithm of the mean duration of partials, weighted by duration, in
        seconds; the mean number of partials of at least 0.14 s that sound at a time; the mean of the 20 highest peaks
        of the onset strength over its mean; the mean correlation of the chroma of a second with the best of 24 key
        profiles; the highest mean of the tempogram between 40 and 200 BPM less its median there; the similarity of each
        moment to the one most alike at least two seconds away, less that of all moments. Silence has zeros.

    Raises:
        ValueError: The samples are not `(samples,)`, are too short, or contain NaN or infinity.
    """
    import librosa
    from librosa.onset import onset_strength

    samples = np.asarray(samples, dtype=np.float32)
    if samples.ndim != 1 or len(samples) < 5 * sampling_rate:
        raise ValueError(f"expected at least 5 s of mono samples at {sampling_rate} Hz, got {samples.shape}")
    if not np.isfinite(samples).all():
        raise ValueError("expected finite samples, got NaN or infinity")
    options: dict[str, Any] = {"sr": sampling_rate, "hop_length": HOP}
    power = np.square(np.abs(librosa.stft(samples, n_fft=N_FFT, hop_length=HOP)))[:, EDGE:-EDGE]
    if power.max() < 1e-10:
        return np.zeros(len(FEATURES))
    mel = librosa.power_to_db(librosa.feature.melspectrogram(S=power, sr=sampling_rate, n_mels=128), top_db=FLOOR_DB)
    onsets = onset_strength(S=mel, **options)[1:]
    chroma = librosa.feature.chroma_stft(S=power, sr=sampling_rate, tuning=0.0, norm=1)
    frames_a_second = sampling_rate / HOP
    length, count = _partials(mel, frames_a_second)
    return np.array(
        [
            length,
            count,
            _sharpness(onsets),
            _tonal_clarity(chroma, round(frames_a_second)),
            _beat_strength(onsets, sampling_rate),
            _self_similarity(mel, frames_a_second),
        ]
    )


def _partials(mel: np.ndarray, frames_a_second: float) -> tuple[float, float]:
    """Follow peaks of the log-mel over its medians in time and in frequency, from band to neighbouring band."""
    import librosa
    from scipy.ndimage import median_filter

    own = mel - np.median(mel, axis=1, keepdims=True)  # steady colour, which noise has too, is no partial
    prominent = own > median_filter(own, (AROUND, 1), mode="nearest") + PROMINENCE_DB
    peaks = (librosa.util.localmax(own, axis=0) & prominent & (mel > mel.max() - FLOOR_DB + 10))[:MAX_BAND]
    durations = _durations(peaks)
    if not len(durations):
        return float(-np.log(frames_a_second)), 0.0  # as if of one frame
    mean = np.square(durations).sum() / durations.sum()
    return float(np.log(mean / frames_a_second)), float(durations[durations >= LASTING].sum() / peaks.shape[1])


def _durations(peaks: np.ndarray) -> np.ndarray:
    """Return how many frames each track of peaks lasts; a track goes on in the same or a neighbouring band."""
    ages = np.zeros(len(peaks), dtype=int)
    ended = []
    for column in peaks.T:
        reached = np.convolve(column, np.ones(3), mode="same") > 0
        ended.append(ages[(ages > 0) & ~reached])
        nearby = np.maximum(ages, np.maximum(np.append(ages[1:], 0), np.append(0, ages[:-1])))
        ages = np.where(column, nearby + 1, 0)
    return np.concatenate([*ended, ages[ages > 0]])


def _sharpness(onsets: np.ndarray) -> float:
    import librosa

    peaks = np.sort(onsets[librosa.util.localmax(onsets)])[::-1][:N_ONSETS]
    return float(peaks.mean() / onsets.mean()) if len(peaks) and onsets.mean() > 0 else 0.0


def _tonal_clarity(chroma: np.ndarray, window: int) -> float:
    """Average the key clarity of each second (Krumhansl 1990, key finding by correlation)."""
    profiles = np.array([np.roll(profile, key) for profile in (MAJOR, MINOR) for key in range(12)])
    starts = range(0, chroma.shape[1] - window + 1, window)
    seconds = np.array([chroma[:, start : start + window].mean(axis=1) for start in starts])
    profiles, seconds = (rows - rows.mean(axis=1, keepdims=True) for rows in (profiles, seconds))
    norms = np.linalg.norm(seconds, axis=1)[:, None] * np.linalg.norm(profiles, axis=1)
    return float((seconds @ profiles.T / np.maximum(norms, 1e-9)).max(axis=1).mean())


def _beat_strength(onsets: np.ndarray, sampling_rate: int) -> float:
    import librosa

    window = 8 * sampling_rate // HOP
    tempogram = librosa.feature.tempogram(
        onset_envelope=onsets, sr=sampling_rate, hop_length=HOP, win_length=min(window, len(onsets))
    )
    first, last = (int(seconds * sampling_rate / HOP) for seconds in BEAT_SECONDS)
    lags = tempogram[first:last].mean(axis=1)
    return float(lags.max() - np.median(lags))


def _self_similarity(mel: np.ndarray, frames_a_second: float) -> float:
    """Compare moments of half a second by their timbre, each relative to the clip."""
    import librosa

    timbre = librosa.feature.mfcc(S=mel, n_mfcc=13)[1:]
    timbre = (timbre - timbre.mean(axis=1, keepdims=True)) / (timbre.std(axis=1, keepdims=True) + 1e-6)
    fifths = timbre[:, : timbre.shape[1] // 5 * 5].reshape(len(timbre), -1, 5).mean(axis=2)
    moments = librosa.feature.stack_memory(fifths, n_steps=4)[:, 3:]
    moments = moments / np.maximum(np.linalg.norm(moments, axis=0), 1e-9)
    alike = moments.T @ moments
    apart = np.abs(np.subtract.outer(np.arange(len(alike)), np.arange(len(alike)))) * 5 / frames_a_second
    far = apart >= REPEAT_SECONDS
    return float(np.where(far, alike, -1).max(axis=1).mean() - alike[far].mean())
