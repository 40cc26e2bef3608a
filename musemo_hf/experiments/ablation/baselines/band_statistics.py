"""The input of plain regressors: statistics over time of each band of a log-mel."""

import numpy as np

LEVELS = (0.1, 0.5, 0.9)
FLOOR, CEILING = -60.0, 40.0  # dB, the range of the feature extractor
CHUNK = 64  # clips at once: quantiles sort a copy


def band_statistics(spectrogram: np.ndarray) -> np.ndarray:
    """Compute mean, deviation, deviation of the change between frames, and percentiles 10, 50 and 90 of each band.

    Args:
        spectrogram: The log-mels `(N, n_mels, n_frames)` in dB; they are clipped to -60 to 40 dB.

    Returns:
        The statistics, float64 `(N, 6 n_mels)`.
    """
    parts = [_statistics(spectrogram[start : start + CHUNK]) for start in range(0, len(spectrogram), CHUNK)]
    return np.concatenate(parts).astype(np.float64)


def _statistics(spectrogram: np.ndarray) -> np.ndarray:
    x = np.clip(spectrogram, FLOOR, CEILING)
    change = np.diff(x, axis=-1).std(axis=-1)
    return np.concatenate([x.mean(axis=-1), x.std(axis=-1), change, *np.quantile(x, LEVELS, axis=-1)], axis=1)
