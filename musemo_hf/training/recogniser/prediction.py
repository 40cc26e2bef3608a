"""Prediction with a recogniser."""

import torch
from torch import Tensor

from musemo_hf.models.vit import MusemoViTForEmotionRegression


def predict(model: MusemoViTForEmotionRegression, spectrogram: Tensor, batch_size: int = 32) -> Tensor:
    """Predict the (valence, arousal) of normalised log-mels.

    Args:
        model: The recogniser, which is put into evaluation mode.
        spectrogram: Normalised log-mels `(N, 1, n_mels, n_frames)`.
        batch_size: The number of clips per batch.

    Returns:
        float32 `(N, 2)` on the CPU.
    """
    return predict_with_deviation(model, spectrogram, batch_size)[0]


@torch.no_grad()
def predict_with_deviation(
    model: MusemoViTForEmotionRegression, spectrogram: Tensor, batch_size: int = 32
) -> tuple[Tensor, Tensor | None]:
    """Predict as `predict` does, with the standard deviations; None for a recogniser without them."""
    model.eval()
    outputs = [model(spectrogram=part.to(model.device)) for part in spectrogram.split(batch_size)]
    emotion = torch.cat([output.emotion.float().cpu() for output in outputs])
    if not model.config.uncertainty:
        return emotion, None
    return emotion, torch.cat([output.deviation.float().cpu() for output in outputs])
