"""Training of a recogniser and, if it predicts deviations, calibration on songs that it was not trained on."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator

from musemo_hf.data.arrays import SongArrays
from musemo_hf.data.folds import artist_groups
from musemo_hf.models.vit import MusemoViTConfig, MusemoViTForEmotionRegression
from musemo_hf.training.clips import Clips

from .calibration import Calibration, calibrate, calibrate_recogniser, calibration_split
from .prediction import predict
from .settings import RecogniserTraining
from .trainer import RecogniserTrainer


@dataclass(frozen=True)
class Calibrated:
    """The calibration of predicted deviations.

    Attributes:
        songs: The songs of the calibration, by artists that the recogniser was not trained on.
        own: The calibration of the predicted deviation of each clip.
        constant: The calibration of one error for all clips, on the same songs, for comparison.
    """

    songs: SongArrays
    own: Calibration
    constant: Calibration


@dataclass(frozen=True)
class TrainedRecogniser:
    """The result of a training on songs.

    Attributes:
        model: The recogniser with averaged weights, and with `deviation_scale` if it predicts deviations.
        learnt: The songs that it was trained on.
        calibrated: The calibration; None if no deviations are predicted.
    """

    model: MusemoViTForEmotionRegression
    learnt: SongArrays
    calibrated: Calibrated | None = None


def train_recogniser(
    config: MusemoViTConfig,
    training: RecogniserTraining,
    songs: SongArrays,
    run_dir: str | Path | None = None,
    accelerator: Accelerator | None = None,
    origin: Mapping[str, Any] | None = None,
    accept_other_hardware: bool = False,
    embedding: np.ndarray | None = None,
) -> TrainedRecogniser:
    """Train a recogniser on songs, or with `uncertainty` on nine tenths of them, and calibrate it on the rest.

    The rest is by artists of its own. Predictions are calibrated as the pipelines make them: in one pass over the clip.
    A recogniser without a network is fitted in closed form, at once.

    Args:
        config: The configuration of the network.
        training: The settings of the training.
        songs: The training songs, without those of a held-out fold.
        run_dir: See `RecogniserTrainer`.
        accelerator: The accelerator of the launch; None makes one.
        origin: Where the songs come from, see `origin_of`.
        accept_other_hardware: See `TrainingLoop.train`.
        embedding: The features `(N, D)` of the songs by `config.embedder`, for a recogniser without a network.

    Raises:
        ValueError: See `RecogniserTrainer` and `calibration_split`; or there is an embedder beside a network, whose
            training knows none.
    """
    if not config.network:
        return TrainedRecogniser(_fit(config, songs, embedding, training.seed), songs)
    if config.embedder is not None:
        raise ValueError(f"expected network=False with an embedder, got {config.embedder} beside a network")
    learnt, left = calibration_split(songs) if config.uncertainty else (songs, None)
    spread = torch.from_numpy(learnt.emotion_std) if config.uncertainty else None
    clips = Clips.of_songs(learnt)
    trainer = RecogniserTrainer(config, training, clips, run_dir, accelerator, label_deviation=spread, origin=origin)
    model = trainer.train(accept_other_hardware)
    if left is None:
        return TrainedRecogniser(model, learnt)
    held = Clips.of_songs(left)
    constant = calibrate(predict(model, held.spectrogram).numpy(), left.emotion, left.artist)
    own = calibrate_recogniser(model, held, left.artist)
    return TrainedRecogniser(model, learnt, Calibrated(left, own, constant))


def _fit(
    config: MusemoViTConfig, songs: SongArrays, embedding: np.ndarray | None, seed: int
) -> MusemoViTForEmotionRegression:
    clips, model = Clips.of_songs(songs), MusemoViTForEmotionRegression(config).eval()
    artists = np.unique(artist_groups(songs.artist), return_inverse=True)[1].tolist()
    features = None if embedding is None else torch.from_numpy(embedding).float()
    model.fit_in_closed_form(clips.spectrogram, clips.emotion, artists, features, seed)
    return model
