"""A recogniser trained on songs and, where it predicts deviations, calibrated on songs that it did not learn from."""

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
    """How predicted deviations were calibrated.

    Attributes:
        songs: that gave the scale, of artists that the recogniser did not learn from.
        own: calibration of its deviation of each clip.
        constant: of one error for all clips, on the same songs, to compare with.
    """

    songs: SongArrays
    own: Calibration
    constant: Calibration


@dataclass(frozen=True)
class TrainedRecogniser:
    """What a training on songs made.

    Attributes:
        model: with averaged weights; `deviation_scale` in its configuration where it predicts deviations.
        learnt: songs that it learnt from.
        calibrated: None without predicted deviations.
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
    """Train on songs; with `uncertainty`, on nine tenths of them, with their raters' spread, and calibrate on the rest.

    The rest is of artists of its own. Predictions are calibrated as the pipelines make them: one pass over the clip.

    Args:
        config: of the network.
        training: settings.
        songs: of the training part; no song of a fold that is held out.
        run_dir: as of `RecogniserTrainer`.
        accelerator: of the launch.

    Raises:
        ValueError: as of `RecogniserTrainer`, or too few artists for `calibration_split`.
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
