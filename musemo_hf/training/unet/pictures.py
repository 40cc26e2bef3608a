"""Pictures of samples, which show while a training goes on whether its generator makes music or noise."""

from pathlib import Path
from typing import Any

import torch

from musemo_hf.audio.feature_extraction_musemo import MusemoFeatureExtractor
from musemo_hf.files import atomic_write
from musemo_hf.pipelines.emotion_to_music import PRESETS
from musemo_hf.reporting.figures import spectrogram_grid, to_png

SEEDS = (0, 1)


def draw_samples(generator: Any, path: Path) -> None:
    """Write a PNG with two samples of each published emotion, always of the same seeds.

    Args:
        generator: A model with `generate(emotion, seed)`.
        path: The PNG to write.
    """
    extractor = MusemoFeatureExtractor(n_frames=generator.config.n_frames)
    rows = {}
    for seed in SEEDS:
        mels = generator.generate(torch.tensor(list(PRESETS.values())), seed=[seed] * len(PRESETS))
        rows[f"seed {seed}"] = list(extractor.to_decibels(mels[:, 0].float().cpu()).numpy())
    atomic_write(path, to_png(spectrogram_grid(rows, list(PRESETS)), dpi=70))
