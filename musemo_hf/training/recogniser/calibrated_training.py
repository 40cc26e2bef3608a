"""Training of a recogniser and, if it predicts deviations, calibration on songs that it was not trained on."""

from dataclasses import dataclass
from pathlib import Path

import torch
from accelerate import Accelerator

from musemo_hf.data.arrays import SongArrays
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
) -> TrainedRecogniser:
    """Train a recogniser on songs, or with `uncertainty` on nine tenths of them, and calibrate it on the rest.

    The rest is by artists of its own. Predictions are calibrated as the pipelines make them: in one pass over the clip.

    Args:
        config: The configuration of the network.
        training: The settings of the training.
        songs: The training songs, without those of a held-out fold.
        run_dir: See `RecogniserTrainer`.
        accelerator: The accelerator of the launch; None makes one.

    Raises:
        ValueError: See `RecogniserTrainer` and `calibration_split`.
    """
    learnt, left = calibration_split(songs) if config.uncertainty else (songs, None)
    spread = torch.from_numpy(learnt.emotion_std) if config.uncertainty else None
    trainer = RecogniserTrainer(config, training, Clips.of_songs(learnt), run_dir, accelerator, label_deviation=spread)
    model = trainer.train()
    if left is None:
        return TrainedRecogniser(model, learnt)
    clips = Clips.of_songs(left)
    constant = calibrate(predict(model, clips.spectrogram).numpy(), left.emotion, left.artist)
    own = calibrate_recogniser(model, clips, left.artist)
    return TrainedRecogniser(model, learnt, Calibrated(left, own, constant))
