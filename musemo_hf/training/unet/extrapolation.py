"""Extrapolation away from a U-Net's own clips, which undoes part of what it does to music.

A sampler that follows an imperfect network makes clips that are more alike and less structured than those that the
network learnt from. Trained on its own clips, the network would change in the direction of that fault, and more of the
same faulty clips would follow. Negative extrapolation (Neon, Alemohammad et al. 2025) goes the other way: a copy is
trained on own clips for a few updates, and the weights are moved by the same amount away from the copy's.
"""

from pathlib import Path

import torch
from torch import Tensor
from tqdm.auto import trange

from musemo_hf.files import atomic_path
from musemo_hf.models.unet import MusemoUNetGenerator
from musemo_hf.models.unet.beat import BEAT, find_beat
from musemo_hf.models.unet.descriptors import DESCRIPTORS
from musemo_hf.training.clips import Clips
from musemo_hf.training.identity import hash_of

BATCH = 16
SEED = 30_000_000  # of the own clips, apart from the seeds of all reports


def own_clips(
    generator: MusemoUNetGenerator, songs: Clips, num_inference_steps: int, folder: Path
) -> tuple[Clips, dict[str, Tensor]]:
    """Make a clip for each song of the training, with its emotion, its descriptors and its beat.

    Batches are kept as files, from which an interrupted run goes on; another generator or another number of steps has a
    folder of its own.

    Args:
        generator: The trained generator.
        songs: The songs it was trained on.
        num_inference_steps: The number of sampling steps.
        folder: The folder of the folder of the batches.

    Returns:
        The clips with the emotions and genres of the songs, and the descriptors and beats that they were made for, by
        name, as far as the generator takes them.
    """
    made_for = {} if generator.prior is None else {DESCRIPTORS: generator.describe(songs.spectrogram).cpu()}
    if generator.config.beat:
        made_for[BEAT] = find_beat(songs.spectrogram)
    made = []
    values = [*generator.state_dict().values(), torch.tensor(generator.config.prediction_gains or [])]
    decisive = torch.cat([value.detach().float().flatten().cpu() for value in values])
    folder = folder / f"{hash_of(decisive)}-{num_inference_steps}-steps"
    for start in trange(0, len(songs), BATCH, desc="own clips", leave=None):
        kept = folder / f"{start:05d}.pt"
        if not kept.is_file():
            part = slice(start, start + BATCH)
            given = {name: value[part] for name, value in made_for.items()}
            seeds = [SEED + start + i for i in range(len(songs.emotion[part]))]
            clips = generator.generate(songs.emotion[part], seeds, None, num_inference_steps, conditions=given)
            with atomic_path(kept) as partial:
                torch.save(clips.float().cpu(), partial)
        made.append(torch.load(kept, weights_only=True))
    return Clips(torch.cat(made), songs.emotion, songs.genre), made_for


def extrapolate(generator: MusemoUNetGenerator, copy: MusemoUNetGenerator, weight: float) -> None:
    """Move the network of a generator away from that of a copy that was trained on its own clips.

    The weights become w + weight (w - v), for the weights w of the generator and v of the copy (Alemohammad et al.
    2025, "Neon: Negative Extrapolation From Self-Training"). What the network does not learn, such as the
    standardisation of bands, stays.

    Args:
        generator: The generator, whose network is changed.
        copy: The copy.
        weight: How far, relative to the way to the copy; 0 changes nothing.
    """
    with torch.no_grad():
        for own, other in zip(generator.network.parameters(), copy.network.parameters(), strict=True):
            own.add_(weight * (own - other.to(own)))
