"""The gains of a U-Net generator's predictions, fitted to songs of its training."""

import torch
from torch import Tensor

from musemo_hf.models.unet import MusemoUNetGenerator
from musemo_hf.models.unet.descriptors import DESCRIPTORS, perturbed
from musemo_hf.models.unet.generation import evaluating
from musemo_hf.models.unet.prediction_gains import LARGEST, LOGITS, components, time_of

BATCH = 16


def fit_gains(generator: MusemoUNetGenerator, spectrogram: Tensor, emotion: Tensor, seed: int = 0) -> list[list[float]]:
    """Return the slope of true on predicted data at each time, for each component of `components`.

    Args:
        generator: The generator, whose `prediction_gains` are not applied.
        spectrogram: The normalised log-mels of training songs `(N, 1, n_mels, n_frames)`.
        emotion: Their (valence, arousal), `(N, 2)`.
        seed: The seed of the noise.

    Returns:
        Rows (logit, level, bands, frames, detail) for `prediction_gains`, between 0 and 2.
    """
    random, rows = torch.Generator().manual_seed(seed), []
    n_frames = spectrogram.shape[-1] // generator.network.frame_multiple * generator.network.frame_multiple
    with evaluating(generator):
        data = generator.bands.encode(spectrogram.to(generator.device))[..., :n_frames]
        given = {}
        if generator.prior is not None:
            given = {DESCRIPTORS: perturbed(generator.prior.describe(data), random).split(BATCH)}
        for logit in LOGITS:
            products = torch.zeros(2, 4, dtype=torch.float64)
            for place, (true, wanted) in enumerate(zip(data.split(BATCH), emotion.to(data).split(BATCH), strict=True)):
                others = {name: parts[place] for name, parts in given.items()}
                t = torch.full((len(true),), time_of(logit)).to(data)
                latents = torch.lerp(true, torch.randn(true.shape, generator=random).to(data), t[0].item())
                predicted = components(latents - t[0] * generator(latents, t, wanted, conditions=others).velocity)
                pairs = (predicted * components(true), predicted.square())
                products += torch.stack([pair.flatten(1).sum(1).double().cpu() for pair in pairs])
            slopes = (products[0] / products[1].clamp(min=1e-12)).clamp(0, LARGEST)
            rows.append([logit, *(round(slope, 3) for slope in slopes.tolist())])
    return rows
