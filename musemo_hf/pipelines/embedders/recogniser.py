"""Embedders by the pooled features of a recogniser."""

import hashlib
import json
from typing import Any

import numpy as np
import torch
from torch import nn

from musemo_hf.audio.mel import normalise
from musemo_hf.evaluation.spaces.embedders import Embedder
from musemo_hf.models.gan import evaluating
from musemo_hf.pipelines.embedders.audio_embedder import BATCH


def recogniser_embedder(model: Any, name: str | None = None) -> Embedder:
    """Return an embedder by the pooled features of a recogniser, for clips with the model's `n_frames`.

    Args:
        model: The `MusemoViTForEmotionRegression`; its mode and device are kept.
        name: The name with a version (default: a name with a digest of the weights, which define the feature space).
    """
    n_frames = model.config.n_frames

    def embed(clips_db: np.ndarray) -> np.ndarray:
        if clips_db.shape[-1] != n_frames:
            raise ValueError(f"expected clips of {n_frames} frames for this recogniser, got {clips_db.shape[-1]}")
        spectrogram = normalise(torch.from_numpy(np.array(clips_db, dtype=np.float32)))[:, None]
        with evaluating(model):
            parts = [model(spectrogram=part.to(model.device)).pooled.float().cpu() for part in spectrogram.split(BATCH)]
        return torch.cat(parts).numpy()

    return Embedder(name or name_of("musemo-recogniser", model), int(model.config.hidden_size), embed)


def name_of(kind: str, model: nn.Module, feature_extractor: Any = None) -> str:
    """Return a versioned name with a digest of all that defines the feature space.

    Args:
        kind: The beginning of the name.
        model: The model, whose weights count.
        feature_extractor: The feature extractor of the model, whose configuration counts too; None for those whose
            extractor is always the same.
    """
    digest = hashlib.sha256()
    if feature_extractor is not None:
        digest.update(json.dumps(feature_extractor.to_dict(), sort_keys=True, default=repr).encode())
    for key, value in sorted(model.state_dict().items()):
        digest.update(key.encode())
        digest.update(value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return f"{kind}-{digest.hexdigest()[:8]}-v1"
