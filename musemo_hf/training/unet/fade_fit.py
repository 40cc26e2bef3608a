"""How the clips of a U-Net generator begin, fitted to songs."""

import numpy as np
import torch

from musemo_hf.evaluation.arrays import evenly_spaced
from musemo_hf.models.unet import MusemoUNetGenerator
from musemo_hf.pipelines.generators import sample_clips
from musemo_hf.training.clips import Clips
from musemo_hf.training.fade import fade_of


def fit_fade_in(
    generator: MusemoUNetGenerator, songs: Clips, n_frames: int, n_clips: int = 64, seed: int = 0
) -> list[float]:
    """Return the `fade_in` with which clips begin as songs do on average: the fade of songs less that of own clips.

    Args:
        generator: The generator, whose present `fade_in` is removed.
        songs: The songs of the training.
        n_frames: The number of frames, at most half of those of a clip.
        n_clips: The number of clips to generate, at emotions of songs.
        seed: The seed of the clips.
    """
    generator.register_to_config(fade_in=None)
    asked = songs.emotion[torch.from_numpy(evenly_spaced(np.arange(len(songs)), n_clips))]
    own = fade_of(Clips(sample_clips(generator, asked, seed), asked), n_frames)
    return [round(of_songs - of_own, 4) for of_songs, of_own in zip(fade_of(songs, n_frames), own, strict=True)]
