"""Networks as embedders: the recogniser's pooled features, and any Hugging Face audio model's.

from musemo_hf.pipelines.audio_embedders import audio_model_embedder, recogniser_embedder

embedder = recogniser_embedder(MusemoViTForEmotionRegression.from_pretrained(path))
embedder = audio_model_embedder(ClapModel.from_pretrained(path), ClapFeatureExtractor.from_pretrained(path))
report = quality.compute(embedder=embedder)
"""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from musemo_hf.audio.decoding import resample
from musemo_hf.audio.inversion import mel_to_audio
from musemo_hf.audio.mel import MelSettings, normalise
from musemo_hf.evaluation.spaces.embedders import Embedder

BATCH = 16  # clips that a network sees at once


@dataclass(frozen=True)
class AudioEmbedder(Embedder):
    """An embedder of audio; `embed` of log-mels listens to their Griffin-Lim inversion.

    Two sets are comparable only where both came the same way: real audio has phases that an inversion has not.

    Attributes:
        embed_waveforms: (`(B, samples)` float32, sampling rate in Hz) -> `(B, D)`.
    """

    embed_waveforms: Callable[[np.ndarray, int], np.ndarray] = field(repr=False, kw_only=True)

    def embed_audio(self, waveforms: np.ndarray, sampling_rate: int) -> np.ndarray:
        """Features of audio.

        Args:
            waveforms: `(B, samples)`, mono.
            sampling_rate: Hz; resampled to the model's own.

        Returns:
            float64 `(B, dimension)`.

        Raises:
            ValueError: another rank, NaN or infinity.
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
    """The pooled features of a `MusemoViTForEmotionRegression`.

    Args:
        model: the recogniser; its mode and device stay as they are.
        name: with a version; by default it carries a digest of the weights, as those are the feature space.

    Returns:
        An embedder of clips with the model's `n_frames`.
    """
    n_frames = model.config.n_frames

    def embed(clips_db: np.ndarray) -> np.ndarray:
        if clips_db.shape[-1] != n_frames:
            raise ValueError(f"expected clips of {n_frames} frames for this recogniser, got {clips_db.shape[-1]}")
        spectrogram = normalise(torch.from_numpy(np.array(clips_db, dtype=np.float32)))[:, None]
        with _evaluating(model):
            parts = [model(spectrogram=part.to(model.device)).pooled.float().cpu() for part in spectrogram.split(BATCH)]
        return torch.cat(parts).numpy()

    return Embedder(name or _name("musemo-recogniser", model), int(model.config.hidden_size), embed)


def audio_model_embedder(model: Any, feature_extractor: Any, name: str | None = None) -> AudioEmbedder:
    """A Hugging Face audio model (CLAP, AST, wav2vec2, ...) through its own feature extractor.

    A clip's features are CLAP's audio embedding, else the pooled output, else the mean of the last hidden states.

    Args:
        model: a model that takes what `feature_extractor` returns.
        feature_extractor: of the model; says the sampling rate.
        name: with a version; by default the model type and a digest of the weights.

    Returns:
        An embedder of log-mels and of audio.
    """
    rate = int(feature_extractor.sampling_rate)

    def embed_waveforms(waveforms: np.ndarray, sampling_rate: int) -> np.ndarray:
        samples = [resample(waveform, sampling_rate, rate) for waveform in waveforms]
        inputs = feature_extractor(samples, sampling_rate=rate, return_tensors="pt")
        with _evaluating(model):
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


@contextmanager
def _evaluating(model: nn.Module) -> Iterator[None]:
    """No dropout and no gradient, and the caller's mode afterwards."""
    training = model.training
    model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        model.train(training)


def _name(kind: str, model: nn.Module) -> str:
    digest = hashlib.sha256()
    for key, value in sorted(model.state_dict().items()):
        digest.update(key.encode())
        digest.update(value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return f"{kind}-{digest.hexdigest()[:8]}-v1"
