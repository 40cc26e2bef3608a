"""Calibration of a generator's emotion by a recogniser."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from musemo_hf.evaluation.statistics.concordance import concordance_report
from musemo_hf.models.unet import MusemoUNetGenerator
from musemo_hf.models.unet.emotion_map import fit_emotion_map
from musemo_hf.models.vit import MusemoViTForEmotionRegression
from musemo_hf.pipelines.generators import sample_clips
from musemo_hf.training.recogniser.prediction import predict

FIGURES = ("ccc", "pearson_r", "bias", "scale_ratio")
EDGES = (0.01, 0.99)  # quantiles of the songs' emotions between which a generator is asked


def calibrate(
    generator: MusemoUNetGenerator,
    recogniser: MusemoViTForEmotionRegression,
    emotion: Tensor,
    n_clips: int = 256,
    seed: int = 0,
) -> dict[str, Any]:
    """Set a generator's `emotion_map` and `emotion_range`, so that what is recognised is what was asked for.

    The map is fitted to clips of emotions of songs, and checked on as many others. The recogniser must not have learnt
    from songs on which the generator is evaluated later.

    Args:
        generator: The generator, whose map is replaced.
        recogniser: The recogniser.
        emotion: The (valence, arousal) of the training songs, `(N, 2)`.
        n_clips: The number of clips for the fit, and for the check.
        seed: The seed of the emotions that are drawn and of the clips.

    Returns:
        The figures of requested against recognised emotion, valence and arousal each: `before` the calibration, and
        `after` it on other clips; and `n_clips`, `emotion_map` and `emotion_range`.

    Raises:
        ValueError: See `fit_emotion_map`.
    """
    generator.register_to_config(emotion_map=None, emotion_range=None)
    chosen = np.random.default_rng((seed, len(emotion))).choice(len(emotion), 2 * n_clips, replace=True)
    first, second = emotion[chosen].float().split(n_clips)
    recognised = predict(recogniser, sample_clips(generator, first, seed))
    emotion_map = fit_emotion_map(first, recognised)
    edges = torch.quantile(emotion.float(), torch.tensor(EDGES), dim=0).T.tolist()
    generator.register_to_config(emotion_map=emotion_map, emotion_range=edges)
    again = predict(recogniser, sample_clips(generator, second, seed + n_clips))
    return {
        "n_clips": n_clips,
        "emotion_map": emotion_map,
        "emotion_range": edges,
        "before": _figures(recognised, first),
        "after": _figures(again, second),
    }


def _figures(recognised: Tensor, requested: Tensor) -> dict[str, Any]:
    report = concordance_report(recognised.numpy(), requested.numpy())
    return {name: report[name] for name in FIGURES}
