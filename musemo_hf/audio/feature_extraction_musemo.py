"""Feature extractor: audio to normalised log-mels, and back."""

import math
import operator
from collections.abc import Iterable, Mapping, Sequence, Set
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from transformers import BatchFeature, SequenceFeatureExtractor

from .decoding import LoadedAudio
from .loading import AudioInput, is_file, is_wrapped, load_audio
from .mel import MelSettings, denormalise, log_mel, normalise
from .samples import window_starts
from .verification import ChecksumsMixin

TENSOR_TYPES = ("pt", "np")
MAX_SIZE = 2**24  # of a window, a hop or a spectrogram: such a spectrogram is as long as four days


class MusemoFeatureExtractor(ChecksumsMixin, SequenceFeatureExtractor):
    """Converts audio to log-mels on the project's fixed scale, and log-mels to audio.

    Args:
        n_frames: The number of frames of a spectrogram; 1292 are 30 s, 431 are 10 s.
        sampling_rate: The sampling rate of the audio in Hz.
        n_fft: The number of samples of a Fourier transform.
        hop_length: The number of samples between frames.
        n_mels: The number of mel bands.
        min_db: The lowest level in dB; quieter values are raised to it.
        max_db: The highest level in dB; louder values are lowered to it.
    """

    model_input_names = ["spectrogram"]  # noqa: RUF012 (the base class declares it so)

    def __init__(
        self,
        n_frames: int = 1292,
        sampling_rate: int = 22050,
        n_fft: int = 2048,
        hop_length: int = 512,
        n_mels: int = 128,
        min_db: float = -60.0,
        max_db: float = 40.0,
        **kwargs: Any,
    ) -> None:
        sizes = {"n_frames": n_frames, "n_fft": n_fft, "hop_length": hop_length, "n_mels": n_mels}
        for name, value in sizes.items():
            _whole(value, name, 1)
        _whole(sampling_rate, "sampling_rate", 1_000, 1_000_000)  # Hz
        if not all(_is_finite(level) for level in (min_db, max_db)) or min_db >= max_db:
            raise ValueError(f"expected min_db below max_db, both in dB, got {min_db!r} and {max_db!r}")
        kwargs.pop("feature_size", None)
        kwargs.pop("padding_value", None)
        super().__init__(feature_size=n_mels, sampling_rate=sampling_rate, padding_value=-1.0, **kwargs)
        self.n_frames, self.n_fft, self.hop_length, self.n_mels = n_frames, n_fft, hop_length, n_mels
        self.min_db, self.max_db = min_db, max_db

    @classmethod
    def from_dict(cls, feature_extractor_dict: dict[str, Any], **kwargs: Any) -> Any:
        """Read a configuration, and refuse that of another feature extractor.

        Raises:
            ValueError: It names another `feature_extractor_type`.
        """
        if (found := feature_extractor_dict.get("feature_extractor_type", cls.__name__)) != cls.__name__:
            raise ValueError(f"expected the configuration of a {cls.__name__}, got one of a {found!r}")
        return super().from_dict(feature_extractor_dict, **kwargs)

    @property
    def settings(self) -> MelSettings:
        """The signal convention."""
        return MelSettings(self.sampling_rate, self.n_fft, self.hop_length, self.n_mels, self.min_db, self.max_db)

    @property
    def seconds(self) -> float:
        """The duration of a clip of `n_frames` frames in s."""
        return self.settings.n_samples(self.n_frames) / self.sampling_rate

    def __call__(
        self,
        audio: AudioInput | Sequence[AudioInput],
        sampling_rate: Any = None,
        return_tensors: str | None = "pt",
    ) -> BatchFeature:
        """Compute normalised log-mels, on one fixed scale for every clip.

        Args:
            audio: A file (a path, bytes or an open file), an array of samples (mono, or `(samples, channels)`), or a
                list of either; see `load_audio`.
            sampling_rate: The sampling rate of arrays in Hz; files carry their own.
            return_tensors: "pt" or "np".

        Returns:
            `spectrogram`: the log-mels `(B, 1, n_mels, n_frames)` in [-1, 1]. A longer input is cropped at its end, and
            a shorter one padded with -60 dB.

        Raises:
            ValueError: There is no input; an array has no sampling rate, another rank, integers (also as floats), more
                channels than samples, or NaN; or audio is shorter than one hop.
            FileNotFoundError: A file does not exist.
            AudioDecodingError: A file is not audio.
        """
        if return_tensors is not None and not (isinstance(return_tensors, str) and return_tensors in TENSOR_TYPES):
            raise ValueError(f"expected return_tensors out of {TENSOR_TYPES}, got {return_tensors!r}")
        clips = [self._long_enough(clip, sampling_rate) for clip in self._as_list(audio)]
        spectrograms = torch.stack([self._spectrogram(clip) for clip in clips])[:, None]
        return BatchFeature({"spectrogram": spectrograms}, tensor_type=return_tensors)

    def load(self, audio: AudioInput, sampling_rate: Any = None) -> LoadedAudio:
        """Return the whole of a file or of samples, mono at the extractor's sampling rate; see `load_audio`."""
        return load_audio(audio, sampling_rate, self.sampling_rate)

    def window_starts(self, n_samples: int, hop_seconds: float | None = None) -> np.ndarray:
        """Return the first samples of the clips that cover a signal of `n_samples`, int `(n,)`.

        Args:
            n_samples: The length of the signal at the extractor's sampling rate.
            hop_seconds: The largest distance of two clips in s; None for half a clip.
        """
        length = self.settings.n_samples(self.n_frames)
        hop = length / 2 if hop_seconds is None else hop_seconds * self.sampling_rate
        return window_starts(n_samples, length, hop)

    @staticmethod
    def _as_list(audio: Any) -> list:
        if is_file(audio) or is_wrapped(audio) or isinstance(audio, (np.ndarray, Tensor)):
            return [audio]
        if not isinstance(audio, Iterable) or isinstance(audio, (Mapping, Set)):
            raise ValueError(
                f"expected a file, an array of samples, or a list of either as audio, got {type(audio).__name__}"
            )
        clips = list(audio)
        if not clips:
            raise ValueError("expected at least one file or array of samples, got an empty list")
        return [clips] if np.isscalar(clips[0]) and not is_file(clips[0]) else clips

    def _long_enough(self, clip: AudioInput, sampling_rate: Any) -> np.ndarray:
        """Return the samples of a clip; a few samples are a broken recording and not a clip to be padded."""
        samples = load_audio(clip, sampling_rate, self.sampling_rate, duration=self.seconds).samples
        if len(samples) < self.hop_length:
            where = f"{clip}: " if isinstance(clip, (str, Path)) else ""
            raise ValueError(
                f"{where}expected at least {self.hop_length} samples (one hop) at {self.sampling_rate} Hz, "
                f"got {len(samples)}"
            )
        return samples

    def _spectrogram(self, samples: np.ndarray) -> Tensor:
        settings = self.settings
        decibels = log_mel(torch.from_numpy(samples[: settings.n_samples(self.n_frames)]), settings)
        missing = self.n_frames - decibels.shape[-1]
        return normalise(functional.pad(decibels, (0, max(missing, 0)), value=self.min_db), settings)

    def to_decibels(self, spectrogram: Tensor) -> Tensor:
        """Convert normalised values of any shape to dB."""
        return denormalise(_as_tensor(spectrogram), self.settings)

    def from_decibels(self, decibels: Tensor | np.ndarray) -> Tensor:
        """Normalise dB values of any shape, such as the data set's `spectrogram` column."""
        return normalise(_as_tensor(decibels), self.settings)

    @torch.no_grad()
    def invert(
        self, spectrogram: Tensor, n_iter: int = 32, seed: int = 0, vocoder: Any = None, keep: str = "bands"
    ) -> Tensor:
        """Convert normalised log-mels to audio at true loudness.

        The default is non-negative least squares and a Griffin-Lim that keeps the mel bands, which leaves real songs
        nearest to themselves (`docs/sound.md`). Generators are compared through the one that keeps the magnitude, as
        librosa's does. The memory grows with the song, by about 2 MB a second. A vocoder plays a long song in blocks
        of constant memory.

        Args:
            spectrogram: The log-mels `(B, 1, n_mels, n_frames)`, `(B, n_mels, n_frames)` or `(n_mels, n_frames)`.
            n_iter: The number of Griffin-Lim iterations.
            seed: The seed of the initial phases of Griffin-Lim.
            vocoder: A vocoder instead of Griffin-Lim, such as a `MusemoVocoder`; see `vocode`. The log-mels are
                converted to the grid that it expects.
            keep: What Griffin-Lim keeps: the mel "bands", or the "magnitude" of the least squares; see `mel_to_audio`.

        Returns:
            The samples `(B, samples)`, float32, at `sampling_rate`; 10 s for 431 frames, 30 s for 1292. Those of a
            vocoder are on the CPU.

        Raises:
            ValueError: There are no numbers, the shape is another, values are not finite or far outside [-1, 1] (as in
                dB), `n_iter` or `seed` is not a whole number from 0 on, `keep` is another word, or the vocoder's
                grid is unknown.
            TypeError: `vocoder` is no vocoder.
        """
        _whole(n_iter, "n_iter")
        _whole(seed, "seed", 0, 2**63 - 1)
        spectrogram = _as_tensor(spectrogram).float()
        channels = spectrogram.shape[1] if spectrogram.ndim == 4 else 1
        is_shaped = spectrogram.ndim in (2, 3, 4) and spectrogram.shape[-2] == self.n_mels and channels == 1
        if not is_shaped or not spectrogram.numel():
            raise ValueError(f"expected (B, 1, {self.n_mels}, n_frames), got {tuple(spectrogram.shape)}")
        if not torch.isfinite(spectrogram).all():
            raise ValueError("expected a finite spectrogram, got NaN or infinity")
        if spectrogram.abs().max() > 1.5:
            low, high = spectrogram.min().item(), spectrogram.max().item()
            raise ValueError(f"expected a normalised log-mel in [-1, 1], got {low:g} to {high:g}; is it in dB?")
        flat = spectrogram.reshape(-1, *spectrogram.shape[-2:])
        decibels = self.to_decibels(flat)
        # imported here, since they load scipy and librosa, which a prediction does not wait for
        if vocoder is not None:
            from .vocoding import vocode

            return vocode(decibels, vocoder, self.settings)
        from .inversion import mel_to_audio

        return mel_to_audio(decibels, self.settings, n_iter, seed, keep)


def _as_tensor(values: Any) -> Tensor:
    """Return real numbers as a tensor of their own precision."""
    try:
        if isinstance(values, np.ndarray):
            values = np.ascontiguousarray(values).reshape(values.shape)  # torch takes no negative strides
        tensor = torch.as_tensor(values)
    except (TypeError, ValueError, RuntimeError, OverflowError) as error:
        raise ValueError(f"expected an array of numbers, got {type(values).__name__}: {error}") from None
    if tensor.dtype is torch.bool or tensor.is_complex():
        raise ValueError(f"expected an array of real numbers, got {tensor.dtype}")
    return tensor


def _whole(value: Any, name: str, least: int = 0, most: int = MAX_SIZE) -> None:
    """Check a whole number."""
    try:
        number = least - 1 if isinstance(value, bool) else operator.index(value)
    except TypeError:
        number = least - 1
    if not least <= number <= most:
        raise ValueError(f"expected {name} as a whole number from {least} to {most}, got {value!r}")


def _is_finite(value: Any) -> bool:
    return isinstance(value, (int, float)) and math.isfinite(value)
