"""Embedders by the recogniser's pooled features, or by any Hugging Face audio model.

from musemo_hf.pipelines.audio_embedders import audio_model_embedder, recogniser_embedder

embedder = recogniser_embedder(MusemoViTForEmotionRegression.from_pretrained(path))
embedder = audio_model_embedder(ClapModel.from_pretrained(path), ClapFeatureExtractor.from_pretrained(path))
report = quality.compute(embedder=embedder)
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from musemo_hf.audio.decoding import resample
from musemo_hf.audio.inversion import mel_to_audio
from musemo_hf.audio.mel import MelSettings, normalise
from musemo_hf.evaluation.spaces.embedders import Embedder
from musemo_hf.models.gan import evaluating

BATCH = 16  # clips in a forward pass


@dataclass(frozen=True)
class AudioEmbedder(Embedder):
    """Embeds audio; log-mels are first inverted by Griffin-Lim.

    Two sets are comparable only if both are embedded in the same way, because an inversion lacks the phases of audio.

    Attributes:
        embed_waveforms: A function of `(B, samples)` float32 and the sampling rate in Hz that returns `(B, D)`.
    """

    embed_waveforms: Callable[[np.ndarray, int], np.ndarray] = field(repr=False, kw_only=True)

    def embed_audio(self, waveforms: np.ndarray, sampling_rate: int) -> np.ndarray:
        """Return the features of audio, float64 `(B, dimension)`.

        Args:
            waveforms: The mono clips `(B, samples)`.
            sampling_rate: The sampling rate of the clips in Hz.

        Raises:
            ValueError: The clips have another rank or are not finite.
        """
        waveforms = np.asarray(waveforms, dtype=np.float32)
        if waveforms.ndim != 2:
            raise ValueError(f"expected audio (B, samples) for {self.name}, got {waveforms.shape}")
        if not np.isfinite(waveforms).all():
            raise ValueError(f"expected finite audio for {self.name}, got NaN or infinity")
        parts = [waveforms[start : start + BATCH] for start in range(0, len(waveforms), BATCH)]
        features = [self.embed_waveforms(part, sampling_rate) for part in parts]
        return np.concatenate(features or [np.empty((0, self.dimension))]).astype(np.float64)


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

    return Embedder(name or _name("musemo-recogniser", model), int(model.config.hidden_size), embed)


def audio_model_embedder(model: Any, feature_extractor: Any, name: str | None = None) -> AudioEmbedder:
    """Return an embedder of log-mels and audio by a Hugging Face audio model (CLAP, AST, wav2vec2, ...).

    A clip's features are CLAP's audio embedding, else the pooled output, else the mean of the last hidden states.

    Args:
        model: The model.
        feature_extractor: The feature extractor of the model, with its sampling rate.
        name: The name with a version (default: the model type and a digest of the weights).
    """
    rate = int(feature_extractor.sampling_rate)

    def embed_waveforms(waveforms: np.ndarray, sampling_rate: int) -> np.ndarray:
        samples = [resample(waveform, sampling_rate, rate) for waveform in waveforms]
        inputs = feature_extractor(samples, sampling_rate=rate, return_tensors="pt")
        with evaluating(model):
            return _pooled(model, inputs.to(model.device)).float().cpu().numpy()

    def embed(clips_db: np.ndarray) -> np.ndarray:
        settings = MelSettings()
        clamped = torch.from_numpy(np.clip(clips_db, settings.min_db, settings.max_db, dtype=np.float32))
        parts = [mel_to_audio(part, settings).numpy() for part in clamped.split(BATCH)]
        return np.concatenate([embed_waveforms(part, settings.sampling_rate) for part in parts])

    silence = np.zeros((1, MelSettings().sampling_rate * 10), dtype=np.float32)
    dimension = embed_waveforms(silence, MelSettings().sampling_rate).shape[1]
    name = name or _name(model.config.model_type, model)
    return AudioEmbedder(name, dimension, embed, embed_waveforms=embed_waveforms)


def _pooled(model: Any, inputs: Any) -> Tensor:
    output = model.get_audio_features(**inputs) if hasattr(model, "get_audio_features") else model(**inputs)
    if isinstance(output, Tensor):
        return output
    for attribute in ("audio_embeds", "pooler_output"):
        if getattr(output, attribute, None) is not None:
            return getattr(output, attribute)
    return output.last_hidden_state.mean(dim=1)


def _name(kind: str, model: nn.Module) -> str:
    digest = hashlib.sha256()
    for key, value in sorted(model.state_dict().items()):
        digest.update(key.encode())
        digest.update(value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return f"{kind}-{digest.hexdigest()[:8]}-v1"
