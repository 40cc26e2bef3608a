"""Loading and sampling of generators, whatever their kind: a GAN's or a flow."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import hf_hub_download
from huggingface_hub.errors import EntryNotFoundError
from torch import Tensor

from musemo_hf.models.flow import MusemoFlowGenerator
from musemo_hf.models.gan import MusemoGanGenerator

Generator = MusemoGanGenerator | MusemoFlowGenerator


def load_generator(path: str | Path, **hub: Any) -> Generator:
    """Load a generator of the kind that its `config.json` names.

    Args:
        path: The folder or the repository of the generator.
        **hub: Arguments of `hf_hub_download`, such as `revision` and `token`.
    """
    try:
        local = Path(path) / "config.json"
        file = local if Path(path).is_dir() else hf_hub_download(str(path), "config.json", **hub)
        named = json.loads(Path(file).read_text(encoding="utf-8")).get("_class_name")  # diffusers writes it
    except (EntryNotFoundError, FileNotFoundError):
        named = None  # the error of `from_pretrained` says what is missing
    kind = MusemoFlowGenerator if named == MusemoFlowGenerator.__name__ else MusemoGanGenerator
    return kind.from_pretrained(path, **hub)


def sample_clips(generator: Any, emotion: Tensor | Sequence, seed: int, batch_size: int = 16, **options: Any) -> Tensor:
    """Generate one clip for each emotion, in batches.

    Args:
        generator: A model with `generate(emotion, seed)`.
        emotion: The (valence, arousal) of each clip in [-1, 1], `(N, 2)`.
        seed: Clip i has the seed `seed + i`.
        batch_size: The number of clips that are generated at once.
        **options: Further arguments of `generate`.

    Returns:
        Normalised log-mels, float32 `(N, 1, n_mels, n_frames)` on the CPU.
    """
    parts = [
        generator.generate(emotion[start : start + batch_size], seed=seed + start, **options).float().cpu()
        for start in range(0, len(emotion), batch_size)
    ]
    return torch.cat(parts)
