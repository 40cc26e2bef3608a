"""Arrays of samples: the checks that every sound passes, whether it comes from a file or from a program."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import soxr
import torch

MIN_RATE, MAX_RATE = 1_000, 1_000_000  # Hz
MAX_CHANNELS = 64
# Decoded music peaks at about 1, and the loudest generated songs of a thousand at about 30. Integers start at 128.
MAX_PEAK = 64.0
SILENCE = 1e-4  # root mean square relative to full scale: -80 dB
# The power of the mean of independent channels is the sum of their powers over n^2; of cancelling ones, far below.
CANCELLING = 0.25

SILENT = (
    "The audio is silent, or nearly so (root mean square below -80 dB of full scale): its emotion cannot be recognised."
)
CANCELLED = (
    "The channels cancel each other, so that their mean is nearly silent: only channel {} of {}, the loudest, is used."
)


def check_rate(sampling_rate: Any, highest: float = MAX_RATE) -> float:
    """Return a sampling rate in Hz as a number; it may be given as a number, a string, or an array of one value.

    Raises:
        ValueError: It is not a number, or not between 1,000 Hz and `highest` (as a rate in kHz is not).
    """
    expected = f"expected a sampling rate in Hz, from {MIN_RATE:,} to {highest:,.0f}"
    try:
        if isinstance(sampling_rate, (bool, np.bool_)):
            raise TypeError
        rate = float(sampling_rate.item() if hasattr(sampling_rate, "item") else sampling_rate)
    except (TypeError, ValueError, RuntimeError, OverflowError):
        raise ValueError(f"{expected}, got {sampling_rate!r}") from None
    if not MIN_RATE <= rate <= highest:  # also NaN
        hint = "; is it in kHz?" if 0 < rate < MIN_RATE else ""
        raise ValueError(f"{expected}, got {rate:g}{hint}")
    return int(rate) if rate == int(rate) else rate


def as_array(samples: Any) -> np.ndarray:
    """Return samples of any shape as contiguous float32, from an array, a tensor or a sequence of numbers.

    Raises:
        ValueError: They are not floating-point numbers. The full scale of integers is not known.
    """
    if isinstance(samples, torch.Tensor):
        if samples.is_floating_point():
            samples = samples.detach().to("cpu", torch.float32)
        samples = samples.detach().cpu().resolve_conj().resolve_neg().numpy()
    try:
        array = np.asarray(samples)
        is_float = np.issubdtype(array.dtype, np.floating) or array.dtype.name == "bfloat16"
        if is_float:
            with np.errstate(over="ignore"):  # to infinity, which is refused below
                return np.ascontiguousarray(array, dtype=np.float32).reshape(array.shape)
    except (TypeError, ValueError, RuntimeError) as error:
        raise ValueError(f"expected an array of floating-point samples, got: {error}") from None
    hint = "; int16 is divided by 32768" if np.issubdtype(array.dtype, np.integer) else ""
    raise ValueError(f"expected floating-point audio in about [-1, 1], got {array.dtype}{hint}")


class SampleStatistics:
    """Sums up samples block by block, and says what is wrong with the whole.

    Attributes:
        n_samples: The number of samples of each channel so far.
        n_channels: The largest number of channels so far.
    """

    def __init__(self) -> None:
        self.n_samples, self.n_channels = 0, 0
        self._powers = np.zeros(MAX_CHANNELS)
        self._mono_power, self._independent_power = 0.0, 0.0
        self._peak, self._integers = 0.0, True

    def add(self, block: np.ndarray, mono: np.ndarray) -> None:
        """Add a block `(samples, channels)` with the mean of its channels `(samples,)`.

        Raises:
            ValueError: A sample is NaN or infinite.
        """
        if not block.size:
            return
        powers = np.einsum("sc,sc->c", block, block, dtype=np.float64)
        if not np.isfinite(powers).all():
            raise ValueError("expected finite samples, got NaN or infinity")
        n_channels = block.shape[1]
        self.n_samples += len(block)
        self.n_channels = max(self.n_channels, n_channels)
        self._powers[:n_channels] += powers
        self._mono_power += float(np.einsum("s,s->", mono, mono, dtype=np.float64))
        self._independent_power += float(powers.sum()) / n_channels**2
        self._peak = max(self._peak, float(block.max()), -float(block.min()))
        self._integers = self._integers and bool((block == np.rint(block)).all())

    def check(self) -> None:
        """Raise a ValueError for no samples, and for integers given as floating-point numbers."""
        if self.n_samples == 0:
            raise ValueError("expected audio with at least one sample, got none")
        if self._peak > MAX_PEAK or (self._peak > 1 and self._integers):
            raise ValueError(
                f"expected samples in about [-1, 1], got a peak of {self._peak:g}; integers are divided by their full "
                "scale, such as 32768 for int16"
            )

    @property
    def cancelling(self) -> bool:
        """Whether the channels cancel each other in their mean."""
        audible = self._powers.max() >= SILENCE**2 * max(self.n_samples, 1)
        return self.n_channels > 1 and bool(audible) and self._mono_power < CANCELLING * self._independent_power

    @property
    def loudest(self) -> int:
        """The index of the channel with the highest power."""
        return int(self._powers.argmax())

    @property
    def notes(self) -> list[str]:
        """Sentences on what makes the audio doubtful."""
        if self.cancelling:
            return [CANCELLED.format(self.loudest + 1, self.n_channels)]
        return [SILENT] if self._powers.max() < SILENCE**2 * self.n_samples else []


def mono_with_notes(samples: Any) -> tuple[np.ndarray, list[str]]:
    """Average the channels, and say what makes the audio doubtful.

    Channels that cancel each other in their mean, such as those of a cable with one pole reversed, are replaced by the
    loudest of them.

    Args:
        samples: The samples `(samples,)` or `(samples, channels)`: an array, a tensor or a sequence of numbers.

    Returns:
        The mono samples `(samples,)`, contiguous float32, and the notes, full sentences.

    Raises:
        ValueError: The samples have another rank, more channels than samples, are integers (also as floating-point
            numbers), empty or not finite.
    """
    array = as_array(samples)
    if array.ndim not in (1, 2):
        raise ValueError(f"expected audio of shape (samples,) or (samples, channels), got {array.shape}")
    block = array if array.ndim == 2 else array[:, None]
    if block.size and (block.shape[1] > block.shape[0] or block.shape[1] > MAX_CHANNELS):
        raise ValueError(
            f"expected (samples, channels), got {array.shape}; are the axes swapped? Hand several clips over as a list"
        )
    mono = block.mean(axis=1, dtype=np.float32) if array.ndim == 2 else array
    statistics = SampleStatistics()
    statistics.add(block, mono)
    statistics.check()
    return np.ascontiguousarray(block[:, statistics.loudest]) if statistics.cancelling else mono, statistics.notes


def to_mono(samples: np.ndarray | torch.Tensor | Sequence[float]) -> np.ndarray:
    """Average the channels; see `mono_with_notes`, of which this is the samples `(samples,)`, float32."""
    return mono_with_notes(samples)[0]


def resample(samples: np.ndarray, source_rate: float, target_rate: float) -> np.ndarray:
    """Resample samples `(samples,)` from `source_rate` to `target_rate` in Hz, at soxr's high quality.

    Raises:
        ValueError: A rate is not one, see `check_rate`.
    """
    source_rate, target_rate = check_rate(source_rate), check_rate(target_rate)
    if source_rate == target_rate:
        return samples
    return soxr.resample(samples, source_rate, target_rate, quality="HQ")


def window_starts(n_samples: int, length: int, hop: float) -> np.ndarray:
    """Return the starts of evenly spaced windows, int `(n,)`, at most `hop` samples apart up to the end of the signal.

    Raises:
        ValueError: The hop is shorter than one sample.
    """
    if not hop >= 1:
        raise ValueError(f"expected a hop of at least one sample between windows, got {hop:g}")
    last = max(0, n_samples - length)
    return np.linspace(0, last, 1 + int(np.ceil(last / hop))).round().astype(int)
