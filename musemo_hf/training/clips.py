"""Clips for training: normalised log-mels with their emotions, in memory."""

from dataclasses import dataclass

import torch
from torch import Tensor

from musemo_hf.audio.mel import normalise
from musemo_hf.data.arrays import SongArrays
from musemo_hf.models.gan import check_emotion


@dataclass(frozen=True)
class Clips:
    """N clips.

    Attributes:
        spectrogram: Normalised log-mels, float32 `(N, 1, n_mels, n_frames)`.
        emotion: The (valence, arousal) of each clip in [-1, 1], `(N, 2)`.
    """

    spectrogram: Tensor
    emotion: Tensor

    def __post_init__(self) -> None:
        check_emotion(self.emotion)
        if self.spectrogram.ndim != 4 or len(self.spectrogram) != len(self.emotion):
            raise ValueError(
                f"expected (N, 1, n_mels, n_frames) and N emotions, got {tuple(self.spectrogram.shape)} and "
                f"{len(self.emotion)}"
            )
        low, high = self.spectrogram.amin().item(), self.spectrogram.amax().item()
        if not (low >= -1.001 and high <= 1.001):  # also where NaN
            raise ValueError(f"expected normalised log-mels in [-1, 1], got {low:g} to {high:g}; are they in dB?")

    def __len__(self) -> int:
        return len(self.emotion)

    def __getitem__(self, index: object) -> "Clips":
        return Clips(self.spectrogram[index], self.emotion[index])  # type: ignore[index]

    def to(self, device: torch.device) -> "Clips":
        """Move the clips to a device; a data set fits a GPU, and then no batch is copied."""
        return Clips(self.spectrogram.to(device), self.emotion.to(device))

    @classmethod
    def of_songs(cls, songs: SongArrays) -> "Clips":
        """Return all songs of a data set as clips."""
        return cls(normalise(torch.from_numpy(songs.spectrogram))[:, None], torch.from_numpy(songs.emotion).float())

    @classmethod
    def joined(cls, *parts: "Clips") -> "Clips":
        """Concatenate several sets of clips."""
        return cls(torch.cat([p.spectrogram for p in parts]), torch.cat([p.emotion for p in parts]))
