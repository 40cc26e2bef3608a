"""The recognisers of a study: one predicts the emotion of generated clips, another teaches variants that need one."""

from dataclasses import asdict, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch

from musemo_hf.audio.feature_extraction_musemo import MusemoFeatureExtractor
from musemo_hf.files import atomic_folder
from musemo_hf.models.vit import MusemoViTConfig, MusemoViTForEmotionRegression
from musemo_hf.training.checkpoint import save_model
from musemo_hf.training.clips import Clips
from musemo_hf.training.recogniser.prediction import predict
from musemo_hf.training.recogniser.trainer import RecogniserTrainer

from .study import Study

JUDGE, TEACHER = "judge", "teacher"


class StudyRecogniser:
    """A recogniser in a folder of its own, trained on the training songs.

    Args:
        study: The context.
        name: `JUDGE` or `TEACHER`, the name of the folder; each has a seed of its own.
    """

    def __init__(self, study: Study, name: str) -> None:
        self.study, self.folder = study, study.run_dir / name
        self.seed = study.plan.judge_seed if name == JUDGE else study.plan.teacher_seed
        self.checkpoint, self.path = self.folder / "recogniser", self.folder / "figures.json"

    @cached_property
    def model(self) -> MusemoViTForEmotionRegression:
        """The trained recogniser."""
        model = MusemoViTForEmotionRegression.from_pretrained(self.checkpoint)
        return model.to(self.study.accelerator.device).eval()

    def predict(self, spectrogram: torch.Tensor) -> np.ndarray:
        """Predict the emotions, float64 `(N, 2)`, of normalised log-mels `(N, 1, 128, n_frames)`."""
        return predict(self.model, spectrogram).double().numpy()

    def train(self) -> dict[str, Any]:
        """Train the recogniser, and return its agreement with the labels of the held-out songs."""
        study, configuration = self.study, self.study.configuration
        training = replace(configuration.recogniser_training, seed=self.seed)
        study.identify(self.folder, {"recogniser": configuration.recogniser, "training": asdict(training)})
        config = MusemoViTConfig(n_frames=study.n_frames, **configuration.recogniser)
        trainer = RecogniserTrainer(
            config, training, study.training, self.folder / "run", study.accelerator, data_parallel=False
        )
        model = trainer.train(study.accept_other_hardware)
        with atomic_folder(self.checkpoint) as partial:
            MusemoFeatureExtractor(n_frames=study.n_frames).save_pretrained(partial)
            save_model(model, partial)
        predicted = self.predict(Clips.of_songs(study.held_out).spectrogram)
        return study.agreement(predicted, np.arange(len(predicted)))
