"""Clips for training: normalised log-mels with their emotions, in memory."""

from dataclasses import dataclass, replace

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
        genre: The genre of each clip as its metadata writes it; None where no clip's is known.
    """

    spectrogram: Tensor
    emotion: Tensor
    genre: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        check_emotion(self.emotion)
        if self.spectrogram.ndim != 4 or len(self.spectrogram) != len(self.emotion):
            raise ValueError(
                f"expected (N, 1, n_mels, n_frames) and N emotions, got {tuple(self.spectrogram.shape)} and "
                f"{len(self.emotion)}"
            )
        if self.genre is not None and len(self.genre) != len(self.emotion):
            raise ValueError(f"expected a genre for each of {len(self.emotion)} clips, got {len(self.genre)}")
        low, high = self.spectrogram.amin().item(), self.spectrogram.amax().item()
        if not (low >= -1.001 and high <= 1.001):  # also where NaN
            raise ValueError(f"expected normalised log-mels in [-1, 1], got {low:g} to {high:g}; are they in dB?")

    def __len__(self) -> int:
        return len(self.emotion)

    def __getitem__(self, index: object) -> "Clips":
        genre = self.genre
        if genre is not None:
            place = index.cpu() if isinstance(index, Tensor) else index
            genre = tuple(genre[i] for i in torch.arange(len(genre))[place].tolist())  # type: ignore[index]
        return Clips(self.spectrogram[index], self.emotion[index], genre)  # type: ignore[index]

    def to(self, device: torch.device) -> "Clips":
        """Move the clips to a device; a data set fits a GPU, and then no batch is copied."""
        return replace(self, spectrogram=self.spectrogram.to(device), emotion=self.emotion.to(device))

    @classmethod
    def of_songs(cls, songs: SongArrays) -> "Clips":
        """Return all songs of a data set as clips."""
        spectrogram = normalise(torch.from_numpy(songs.spectrogram))[:, None]
        return cls(spectrogram, torch.from_numpy(songs.emotion).float(), tuple(songs.genre))

    @classmethod
    def joined(cls, *parts: "Clips") -> "Clips":
        """Concatenate several sets of clips; the genre is known where it is known of all of them."""
        genres = [part.genre for part in parts]
        genre = None if None in genres else tuple(name for names in genres for name in names or ())
        return cls(torch.cat([p.spectrogram for p in parts]), torch.cat([p.emotion for p in parts]), genre)
