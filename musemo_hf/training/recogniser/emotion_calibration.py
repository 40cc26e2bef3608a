"""Calibration of a generator's emotion by a recogniser."""

from collections.abc import Sequence
from copy import deepcopy
from typing import Any

import numpy as np
import torch
from torch import Tensor

from musemo_hf.evaluation.statistics.concordance import concordance_report
from musemo_hf.models.gan import MusemoGanGenerator
from musemo_hf.models.unet import MusemoUNetGenerator
from musemo_hf.models.unet.emotion_map import fit_emotion_map
from musemo_hf.models.vit import MusemoViTForEmotionRegression
from musemo_hf.models.vit.kernel_mixture import KernelMixture
from musemo_hf.pipelines.generators import sample_clips
from musemo_hf.training.clips import Clips
from musemo_hf.training.recogniser.prediction import predict

FIGURES = ("ccc", "pearson_r", "bias", "scale_ratio")
EDGES = (0.01, 0.99)  # quantiles of the songs' emotions between which a generator is asked


def calibrate(
    generator: MusemoUNetGenerator | MusemoGanGenerator,
    recogniser: MusemoViTForEmotionRegression,
    songs: Clips,
    artists: Sequence[str],
    n_clips: int = 256,
    seed: int = 0,
) -> dict[str, Any]:
    """Set a generator's `emotion_map` and `emotion_range`, so that its clips are recognised as songs are.

    The map is fitted to clips of emotions of songs, and checked on as many others. The recogniser must not have learnt
    from songs on which the generator is evaluated later.

    Args:
        generator: The generator, whose map is replaced.
        recogniser: A recogniser by kernel regression on statistics, without a network.
        songs: The songs that both were trained on.
        artists: The artist of each song; the recognised emotions of songs are those of regressions without the artist.
        n_clips: The number of clips for the fit, and for the check.
        seed: The seed of the emotions that are drawn and of the clips.

    Returns:
        The figures of requested against recognised emotion, valence and arousal each: `before` the calibration, `after`
        it on other clips, and of labels against recognised emotion of `songs`; and `n_clips`, `emotion_map` and
        `emotion_range`.

    Raises:
        ValueError: The recogniser is of another kind, or see `fit_emotion_map`.
    """
    _configure(generator, None, None)
    emotion = songs.emotion.float()
    known = emotion, _recognised_songs(recogniser, songs, artists)
    chosen = np.random.default_rng((seed, len(emotion))).choice(len(emotion), 2 * n_clips, replace=True)
    first, second = emotion[chosen].split(n_clips)
    recognised = predict(recogniser, sample_clips(generator, first, seed))
    emotion_map = fit_emotion_map(first, recognised, known)
    edges = torch.quantile(emotion, torch.tensor(EDGES), dim=0).T.tolist()
    _configure(generator, emotion_map, edges)
    again = predict(recogniser, sample_clips(generator, second, seed + n_clips))
    return {
        "n_clips": n_clips,
        "emotion_map": emotion_map,
        "emotion_range": edges,
        "before": _figures(recognised, first),
        "after": _figures(again, second),
        "songs": _figures(known[1], known[0]),
    }


def _configure(generator: Any, emotion_map: list | None, emotion_range: list | None) -> None:
    values = {"emotion_map": emotion_map, "emotion_range": emotion_range}
    if isinstance(generator, MusemoGanGenerator):
        generator.config.update(values)
    else:
        generator.register_to_config(**values)


def _recognised_songs(recogniser: MusemoViTForEmotionRegression, songs: Clips, artists: Sequence[str]) -> Tensor:
    """Return what such a recogniser finds in each song when it does not know its artist, `(N, 2)`."""
    kernel = getattr(recogniser, "kernel", None)
    if recogniser.config.network or recogniser.config.embedding_size or not isinstance(kernel, KernelMixture):
        raise ValueError("expected a recogniser by kernel regression on statistics, without a network or an embedding")
    numbers = np.unique(np.asarray(artists), return_inverse=True)[1].tolist()
    return deepcopy(kernel).fit(songs.spectrogram, songs.emotion, numbers).float()


def _figures(recognised: Tensor, requested: Tensor) -> dict[str, Any]:
    report = concordance_report(recognised.numpy(), requested.numpy())
    return {name: report[name] for name in FIGURES}
