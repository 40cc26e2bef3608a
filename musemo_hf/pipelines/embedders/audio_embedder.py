"""Embedders of audio, and what they have in common: log-mels are inverted to audio first."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch

from musemo_hf.audio.inversion import mel_to_audio
from musemo_hf.audio.mel import MelSettings
from musemo_hf.evaluation.spaces.embedders import Embedder

BATCH = 16  # clips that are handed to a model at once
Waveforms = Sequence[np.ndarray]


@dataclass(frozen=True)
class AudioEmbedder(Embedder):
    """Embeds audio; log-mels are first inverted by Griffin-Lim.

    Two sets are comparable only if both are embedded in the same way, because an inversion lacks the phases of audio.

    Attributes:
        embed_waveforms: A function of mono float32 clips `(samples,)` and their sampling rate in Hz that returns the
            features `(B, D)`.
        sampling_rate: The sampling rate in Hz that the model was trained with, and that audio is resampled to.
    """

    embed_waveforms: Callable[[Waveforms, float], np.ndarray] = field(repr=False, kw_only=True)
    sampling_rate: int = field(kw_only=True)

    def embed_audio(self, waveforms: np.ndarray | Waveforms, sampling_rate: float) -> np.ndarray:
        """Return the features of audio, float64 `(B, dimension)`.

        Args:
            waveforms: The mono clips: an array `(B, samples)`, or a list of arrays `(samples,)`, whose lengths may
                differ.
            sampling_rate: The sampling rate of the clips in Hz.

        Raises:
            ValueError: The clips have another rank, no samples or are not finite.
        """
        clips = [np.asarray(clip, dtype=np.float32) for clip in waveforms]
        for clip in clips:
            if clip.ndim != 1 or not len(clip):
                shape = getattr(waveforms, "shape", clip.shape)
                raise ValueError(f"expected audio (B, samples) for {self.name}, got {shape}")
            if not np.isfinite(clip).all():
                raise ValueError(f"expected finite audio for {self.name}, got NaN or infinity")
        parts = [clips[start : start + BATCH] for start in range(0, len(clips), BATCH)]
        features = [self.embed_waveforms(part, sampling_rate) for part in parts]
        return np.concatenate(features or [np.empty((0, self.dimension))]).astype(np.float64)


def audio_embedder(
    name: str, dimension: int, sampling_rate: int, embed_waveforms: Callable[[Waveforms, float], np.ndarray]
) -> AudioEmbedder:
    """Return the embedder of a model that reads audio.

    Args:
        name: The name with a version.
        dimension: The number of features D.
        sampling_rate: The sampling rate of the model in Hz.
        embed_waveforms: See `AudioEmbedder`.
    """

    def embed(clips_db: np.ndarray) -> np.ndarray:
        parts = [clips_db[start : start + BATCH] for start in range(0, len(clips_db), BATCH)]
        rate = MelSettings().sampling_rate
        return np.concatenate([embed_waveforms(list(invert(part)), rate) for part in parts])

    return AudioEmbedder(name, dimension, embed, embed_waveforms=embed_waveforms, sampling_rate=sampling_rate)


def invert(clips_db: np.ndarray) -> np.ndarray:
    """Convert log-mels to audio as every comparison does, `(B, samples)` at 22,050 Hz.

    Args:
        clips_db: The log-mels `(B, 128, n_frames)` in dB; they are clamped to the range of the feature extractor.
    """
    settings = MelSettings()
    clamped = np.clip(clips_db, settings.min_db, settings.max_db, dtype=np.float32)
    return mel_to_audio(torch.from_numpy(clamped), settings).numpy()
