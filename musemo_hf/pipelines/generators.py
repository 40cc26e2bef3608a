"""Loading and sampling of generators, whatever their kind: a GAN's, a flow or a U-Net."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from musemo_hf.models.flow import MusemoFlowGenerator
from musemo_hf.models.gan import MusemoGanGenerator
from musemo_hf.models.unet import MusemoUNetGenerator
from musemo_hf.pipelines.model_kind import HUB_OPTIONS, check_kind

Generator = MusemoGanGenerator | MusemoFlowGenerator | MusemoUNetGenerator
DIFFUSED = {cls.__name__: cls for cls in (MusemoFlowGenerator, MusemoUNetGenerator)}  # those of diffusers


def load_generator(path: str | Path, dtype: torch.dtype | None = None, **options: Any) -> Generator:
    """Load a generator of the kind that its `config.json` names.

    Args:
        path: The folder or the repository of the generator.
        dtype: The type of its weights (default: float32).
        **options: Options of `from_pretrained`, such as `revision`, `token`, `subfolder` and `variant`.

    Raises:
        ValueError: It is a model of another kind.
        OSError: A file is missing.
    """
    found = check_kind(path, "generator", **{name: options[name] for name in HUB_OPTIONS if name in options})
    if found in DIFFUSED:
        return DIFFUSED[found].from_pretrained(path, torch_dtype=dtype, **options)
    return MusemoGanGenerator.from_pretrained(path, **options, **({} if dtype is None else {"dtype": dtype}))


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
