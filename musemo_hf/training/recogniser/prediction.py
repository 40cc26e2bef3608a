"""Prediction with a recogniser."""

import torch
from torch import Tensor

from musemo_hf.models.vit import MusemoViTForEmotionRegression


def predict(model: MusemoViTForEmotionRegression, spectrogram: Tensor, batch_size: int = 32, crops: int = 1) -> Tensor:
    """Predict the (valence, arousal) of normalised log-mels.

    Args:
        model: The recogniser, which is put into eval mode.
        spectrogram: The log-mels, `(N, 1, n_mels, n_frames)`.
        batch_size: The number of clips that are predicted at once.
        crops: The number of copies of each clip, rolled in time by equal parts, whose predictions are averaged.

    Returns:
        float32 `(N, 2)` on the CPU.

    Raises:
        ValueError: `crops` is below 1 or above the number of frames.
    """
    return predict_with_deviation(model, spectrogram, batch_size, crops)[0]


@torch.no_grad()
def predict_with_deviation(
    model: MusemoViTForEmotionRegression, spectrogram: Tensor, batch_size: int = 32, crops: int = 1
) -> tuple[Tensor, Tensor | None]:
    """Predict like `predict`, and also the deviations; None if the recogniser does not predict them.

    The deviation over several copies is that of their mixture: the root of their mean variance plus the variance of
    their means.
    """
    if not 1 <= crops <= spectrogram.shape[-1]:
        raise ValueError(f"expected crops from 1 to the {spectrogram.shape[-1]} frames, got {crops}")
    model.eval()
    shifts = [spectrogram.shape[-1] * crop // crops for crop in range(crops)]
    emotions, deviations = [], []
    for part in spectrogram.split(batch_size):
        outputs = [model(spectrogram=part.to(model.device).roll(shift, dims=-1)) for shift in shifts]
        emotion = torch.stack([output.emotion.float() for output in outputs])
        emotions.append(emotion.mean(dim=0).cpu())
        if model.config.uncertainty:
            variance = torch.stack([output.deviation.float() for output in outputs]).square().mean(dim=0)
            deviations.append((variance + emotion.var(dim=0, unbiased=False)).sqrt().cpu())
    return torch.cat(emotions), torch.cat(deviations) if deviations else None
