"""Numbers that say how a song sounds as a whole, which a GAN is given in training in the place of noise."""

import torch
from sklearn.decomposition import PCA
from sklearn.linear_model import LinearRegression
from torch import Tensor
from torch.nn import functional

from musemo_hf.training.clips import Clips

BANDS = 4  # mel bands that are averaged


def song_codes(clips: Clips, n_values: int) -> Tensor:
    """Describe each song by a few values that are, over the songs, like normal noise that the emotion does not tell.

    A generator that is given them in training learns to make songs of each kind there is; noise takes their place
    afterwards. It is conditioned on an instance as in Casanova et al. (2021), and on few statistics of it only: level,
    deviation, change in time and roughness over frequency of groups of four mel bands, without the part that is linear
    in the emotion, in whitened principal components.

    Args:
        clips: The songs, at least `n_values` + 1.
        n_values: The number of values.

    Returns:
        The values, float32 `(N, n_values)`, of mean 0 and variance 1 each.

    Raises:
        ValueError: There are too few songs.
    """
    if len(clips) <= n_values:
        raise ValueError(f"expected more songs than the {n_values} values that describe one, got {len(clips)}")
    statistics = torch.cat([_statistics(part) for part in clips.spectrogram.split(64)]).cpu().numpy()
    statistics = (statistics - statistics.mean(axis=0)) / (statistics.std(axis=0) + 1e-6)
    emotion = clips.emotion.cpu().numpy()
    rest = statistics - LinearRegression().fit(emotion, statistics).predict(emotion)
    codes = PCA(n_values, whiten=True, svd_solver="full").fit_transform(rest)
    return torch.from_numpy(codes).float().to(clips.emotion.device)


def _statistics(spectrogram: Tensor) -> Tensor:
    """Return the statistics `(B, 4 * n_mels / 4)` of normalised log-mels `(B, 1, n_mels, n_frames)`."""
    bands = spectrogram[:, 0]
    change, roughness = bands.diff(dim=2).abs(), functional.pad(bands.diff(dim=1).abs(), (0, 0, 0, 1))
    values = [bands.mean(dim=2), bands.std(dim=2), change.mean(dim=2), roughness.mean(dim=2)]
    return torch.cat([functional.avg_pool1d(value[:, None], BANDS)[:, 0] for value in values], dim=1)
