"""How much noise a trained GAN is given: a constant learnt from training songs, as everything is."""

import numpy as np
import torch

from musemo_hf.audio.mel import denormalise
from musemo_hf.evaluation.distances.kernel import kernel_distance
from musemo_hf.evaluation.spaces.embedders import get_embedder, standardise
from musemo_hf.models.gan import MusemoGanGenerator
from musemo_hf.training.clips import Clips

EMBEDDER = "modulation-v1"
SEED = 20_000_000  # of the clips that are compared, apart from training's and the report's


def kernel_distances(generator: MusemoGanGenerator, clips: Clips, scales: list[float]) -> dict[float, float]:
    """KID between training songs and clips generated at their emotions, for each deviation of the noise.

    The discriminator sees clip and emotion together, and with few songs a generator learns to spread less around an
    emotion than songs do; noise of a larger deviation gives some of that back (the reverse of the truncation trick,
    Brock et al. 2019).

    Args:
        generator: trained; its `noise_scale` is left as it was.
        clips: songs of the training part.
        scales: deviations to try, above 0.

    Returns:
        Scale -> unbiased KID in `modulation-v1`, standardised by the songs.
    """
    embedder, before = get_embedder(EMBEDDER), generator.config.noise_scale
    real = embedder.embed(denormalise(clips.spectrogram[:, 0]).numpy())
    distances = {}
    try:
        for scale in scales:
            generator.config.noise_scale = scale
            made = [
                generator.generate(part, seed=SEED + 16 * number).float().cpu()
                for number, part in enumerate(clips.emotion.split(16))
            ]
            features = embedder.embed(denormalise(torch.cat(made)[:, 0]).numpy())
            reference, candidate = standardise(real, features)
            distances[scale] = float(kernel_distance(reference, candidate).kid)
    finally:
        generator.config.noise_scale = before
    return distances


def some_clips(clips: Clips, n_clips: int, seed: int = 0) -> Clips:
    """At most `n_clips` of them, drawn without replacement."""
    order = np.random.default_rng(seed).permutation(len(clips))[:n_clips]
    return clips[torch.from_numpy(order)]
