"""Decoding of files to mono float32 at one sampling rate, in blocks and to the end, by soundfile and soxr."""

import io
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, NoReturn

import numpy as np
import soundfile
import soxr

from .loudness import recorded_gain
from .samples import SampleStatistics, check_rate, resample, to_mono
from .streams import Stream, StreamReader, find_streams, refused_format

# `resample` and `to_mono` had their home here
__all__ = ["AudioDecodingError", "Limits", "LoadedAudio", "audio_duration", "decode_audio", "read_audio", "read_tags"]
__all__ += ["resample", "to_mono"]

AudioFile = str | os.PathLike[str] | bytes | BinaryIO
BLOCK = 1 << 16  # values that are decoded at once: 256 kB
TOLERANCE = 0.1  # s; encoders count a few frames at the ends in different ways
FORMATS = "wav, flac, ogg, mp3, aiff"
UNKNOWN_SIZE = 0x7FFF_0000  # bytes; what a program that writes to a pipe puts where it does not know the size yet
# what libsndfile notes of a file that is shorter than its header says
SHORTER = re.compile(r"^ *(?:data|SSND|Data Size|riff|Riff size) *: (\d+) \(should be (\d+)\)", re.MULTILINE)


class AudioDecodingError(ValueError):
    """Raised for a file that is not audio, is empty, cannot be read to its end, or is larger than the limits."""


@dataclass(frozen=True)
class Limits:
    """Bounds on what is decoded. They are checked while decoding, since the header of a file may be wrong.

    Attributes:
        seconds: The longest duration in s.
        values: The largest number of values, which is frames times channels at the file's own sampling rate.
        sampling_rate: The highest sampling rate of a file in Hz.
        channels: The largest number of channels, at most 64.
        memory: The largest size of the mono result in bytes.
    """

    seconds: float = 6 * 3600.0
    values: int = 2**31
    sampling_rate: float = 384_000
    channels: int = 32
    memory: int = 2**31


DEFAULT_LIMITS = Limits()


@dataclass(frozen=True)
class LoadedAudio:
    """Contains audio that is ready for the models.

    Attributes:
        samples: The mono samples `(samples,)`, float32; values may exceed 1 where a lossy codec overshoots.
        sampling_rate: The sampling rate of the samples in Hz.
        duration: The decoded duration in s.
        notes: Sentences on what makes the audio doubtful, such as silence; empty for sound audio.
    """

    samples: np.ndarray
    sampling_rate: float
    duration: float
    notes: list[str] = field(default_factory=list)


def decode_audio(
    file: AudioFile,
    sampling_rate: float = 22050,
    offset: float = 0.0,
    duration: float | None = None,
    limits: Limits = DEFAULT_LIMITS,
) -> LoadedAudio:
    """Decode a file to mono samples at one sampling rate, and say what makes them doubtful.

    The file is decoded from its beginning, in blocks. Its length is what was decoded, whatever its header says; files
    that were joined are read to the end of the last. Channels that cancel each other are replaced by the loudest. Songs
    that were saved by this package are read at their true loudness, see `loudness`.

    Args:
        file: A path, the bytes of a file, or an open binary file.
        sampling_rate: The sampling rate of the result in Hz.
        offset: The time to skip at the start in s.
        duration: The time to read in s; None for all. A shorter file is read to its end.
        limits: Bounds on duration, work and memory.

    Raises:
        FileNotFoundError: The file does not exist.
        AudioDecodingError: The file is not audio, has no samples, breaks off, exceeds the limits, or its samples are
            refused by `to_mono`.
    """
    with _opened(file) as (source, name):
        decoding = _Decoding(source, name, check_rate(sampling_rate), limits)
        parts = decoding.run(offset, duration)
        if decoding.statistics.cancelling:
            again = _Decoding(source, name, decoding.target_rate, limits, decoding.statistics.loudest)
            parts = again.run(offset, duration)
    samples = np.concatenate(parts) if parts else np.zeros(0, np.float32)
    return LoadedAudio(samples, decoding.target_rate, decoding.seconds, decoding.statistics.notes)


def read_audio(
    path: AudioFile,
    sampling_rate: float = 22050,
    offset: float = 0.0,
    duration: float | None = None,
    limits: Limits = DEFAULT_LIMITS,
) -> np.ndarray:
    """Decode a file (wav, flac, ogg, mp3) to mono samples `(samples,)`, float32; see `decode_audio`."""
    return decode_audio(path, sampling_rate, offset, duration, limits).samples


def audio_duration(path: AudioFile, at_most: float | None = None, limits: Limits = DEFAULT_LIMITS) -> float:
    """Return the duration of a file in s, from decoding it to its end.

    Args:
        path: A path, the bytes of a file, or an open binary file.
        at_most: The time in s after which decoding stops, since a longer file needs no exact duration.
        limits: Bounds on duration and work.

    Raises:
        FileNotFoundError: The file does not exist.
        AudioDecodingError: See `decode_audio`.
    """
    with _opened(path) as (source, name):
        decoding = _Decoding(source, name, None, limits)
        decoding.run(0.0, at_most)
        return decoding.seconds


def read_tags(path: AudioFile) -> dict[str, str]:
    """Return the tags of a file that libsndfile knows, such as artist, title and genre.

    Raises:
        FileNotFoundError: The file does not exist.
        AudioDecodingError: The file is not audio.
    """
    with _opened(path) as (source, name):
        failure: Exception | str = "nothing"
        # tags before the first frame of an mp3 belong to no stream; of joined files, the whole may not open
        for stream in (Stream(0, source.seek(0, io.SEEK_END)), *_streams(source, name)[:1]):
            try:
                with _SoundFile(StreamReader(source, stream)) as file:
                    return file.copy_metadata()
            except (soundfile.LibsndfileError, RuntimeError) as error:
                failure = error
        raise AudioDecodingError(_not_audio(source, name, failure))


class _SoundFile(soundfile.SoundFile):
    """A file that is read forwards only. soundfile seeks after each block, which disturbs the decoder of an mp3."""

    def seekable(self) -> bool:
        return False


@contextmanager
def _opened(file: AudioFile) -> Iterator[tuple[BinaryIO, str]]:
    """Yield an open file, and what it is called in messages."""
    if isinstance(file, (bytes, bytearray, memoryview)):
        yield io.BytesIO(file), f"audio of {len(file):,} bytes"
        return
    if not isinstance(file, (str, os.PathLike)):
        yield file, str(getattr(file, "name", "an open file"))
        return
    path = Path(file)
    if not path.is_file():
        raise FileNotFoundError(f"expected an audio file, found none at {path}")
    try:
        with path.open("rb") as source:
            yield source, str(path)
    except OSError as error:
        raise AudioDecodingError(f"{path}: expected a file that can be read, got: {error.strerror or error}") from error


def _streams(source: BinaryIO, name: str) -> list[Stream]:
    try:
        return find_streams(source)
    except ValueError as error:
        raise AudioDecodingError(f"{name}: {error}") from error


def _not_audio(source: BinaryIO, name: str, error: Exception | str) -> str:
    if refused := refused_format(source):
        return (
            f"{name}: expected audio that soundfile can decode ({FORMATS}), got {refused}; convert it first, for "
            "example with `ffmpeg -i FILE song.flac`"
        )
    got = re.sub(r"^Error opening <.*?>: ", "", str(error))
    return f"{name}: expected audio that soundfile can decode, got: {got}"


class _Decoding:
    """One pass over a file.

    Attributes:
        target_rate: The sampling rate of the result; None to count only.
        statistics: The statistics of the samples.
        seconds: The decoded time in s.
    """

    def __init__(
        self, source: BinaryIO, name: str, target_rate: float | None, limits: Limits, channel: int | None = None
    ) -> None:
        self.target_rate, self.statistics, self.seconds = target_rate or 0, SampleStatistics(), 0.0
        self._source, self._name, self._limits, self._channel = source, name, limits, channel
        self._n_values, self._n_bytes = 0, 0
        self._gain = np.float32(1 / recorded_gain(source))

    def run(self, offset: float, duration: float | None) -> list[np.ndarray]:
        """Decode all streams, and return the parts of the result."""
        parts: list[np.ndarray] = []
        resampler, rate_before = None, None
        try:
            for rate, block in self._blocks(offset, duration):
                mono = block[:, min(self._channel, block.shape[1] - 1)] if self._channel is not None else _mean(block)
                self.statistics.add(block, mono)
                if not self.target_rate:
                    continue
                if rate != rate_before:
                    parts += _end(resampler)
                    resampler, rate_before = _resampler(rate, self.target_rate), rate
                parts.append(mono if resampler is None else resampler.resample_chunk(mono))
                self._n_bytes += parts[-1].nbytes
                if self._n_bytes > self._limits.memory:
                    self._refuse(f"at most {self._limits.memory:,} bytes of samples at {self.target_rate:g} Hz")
            self.statistics.check()
        except AudioDecodingError:
            raise
        except ValueError as error:
            raise AudioDecodingError(f"{self._name}: {error}") from error
        return parts + _end(resampler)

    def _blocks(self, offset: float, duration: float | None) -> Iterator[tuple[int, np.ndarray]]:
        """Yield the sampling rate and a block `(n, channels)`, between `offset` and `offset + duration` in s."""
        skip, left = offset, duration
        for stream in _streams(self._source, self._name):
            with self._open(stream) as file:
                rate = file.samplerate
                n_skip, n_left = round(skip * rate), None if left is None else round(left * rate)
                n_read, n_given = 0, 0
                for block in self._decoded(file, stream):
                    part = block[max(0, n_skip - n_read) :]
                    n_read += len(block)
                    part = part if n_left is None else part[: n_left - n_given]
                    n_given += len(part)
                    self.seconds += len(part) / rate
                    yield rate, part
                    if n_given == n_left:
                        return
            skip = max(0.0, skip - n_read / rate)
            left = None if left is None else left - n_given / rate

    def _open(self, stream: Stream) -> _SoundFile:
        try:
            file = _SoundFile(StreamReader(self._source, stream))
        except (soundfile.LibsndfileError, RuntimeError) as error:
            raise AudioDecodingError(_not_audio(self._source, self._name, error)) from error
        if file.format == "MP3" and not stream.is_mpeg:  # a few bytes that look like a frame
            raise AudioDecodingError(_not_audio(self._source, self._name, "no frames of MPEG audio"))
        check_rate(file.samplerate)
        if file.samplerate > self._limits.sampling_rate:
            self._refuse(f"a sampling rate of at most {self._limits.sampling_rate:,g} Hz", f"{file.samplerate:,}")
        if file.channels > self._limits.channels:
            self._refuse(f"at most {self._limits.channels} channels", file.channels)
        return file

    def _decoded(self, file: _SoundFile, stream: Stream) -> Iterator[np.ndarray]:
        """Yield the blocks of a stream, and check that it does not break off."""
        rate, n_read, n_frames = file.samplerate, 0, max(1, BLOCK // file.channels)
        while True:
            try:
                block = file.read(n_frames, dtype="float32", always_2d=True)
            except (soundfile.LibsndfileError, RuntimeError) as error:
                reason = f"it breaks off after {n_read / rate:.2f} s or somewhat later, or is damaged ({error})"
                raise AudioDecodingError(f"{self._name}: expected audio up to its end, {reason}") from error
            if not len(block):
                break
            n_read += len(block)
            block *= self._gain
            self._n_values += block.size
            if self._n_values > self._limits.values:
                self._refuse(f"at most {self._limits.values:,} values (frames times channels)")
            if self.seconds + len(block) / rate > self._limits.seconds:
                self._refuse(f"at most {self._limits.seconds:,g} s of audio")
            yield block
        self._check_end(file, stream, n_read)

    def _check_end(self, file: _SoundFile, stream: Stream, n_read: int) -> None:
        """Raise an error for a stream that ends before its header says."""
        rate, log = file.samplerate, file.extra_info
        declared = float(stream.declared or (n_read if stream.header else file.frames))
        for size, found in SHORTER.findall(log):
            if int(found) < int(size) < UNKNOWN_SIZE:
                declared = max(declared, n_read * int(size) / max(int(found), 1))
        lost = "Last page lacks an end-of-stream bit" in log
        if declared < 2**62 and (lost or declared - n_read > TOLERANCE * rate):
            wanted = "audio up to its end" if lost else f"{declared / rate:.2f} s"
            raise AudioDecodingError(f"{self._name}: expected {wanted}, it breaks off after {n_read / rate:.2f} s")
        n_bytes = stream.stop - stream.start
        if stream.is_mpeg and n_read < rate and n_bytes > 2 * (1 << 16):
            raise AudioDecodingError(
                f"{self._name}: expected an mp3, only {n_read / rate:.3f} s of its {n_bytes:,} bytes could be decoded"
            )

    def _refuse(self, expected: str, got: object = "more") -> NoReturn:
        raise AudioDecodingError(f"{self._name}: expected {expected}, got {got}")


def _mean(block: np.ndarray) -> np.ndarray:
    return block[:, 0] if block.shape[1] == 1 else block.mean(axis=1, dtype=np.float32)


def _resampler(rate: float, target_rate: float) -> soxr.ResampleStream | None:
    return None if rate == target_rate else soxr.ResampleStream(rate, target_rate, 1, dtype="float32", quality="HQ")


def _end(resampler: soxr.ResampleStream | None) -> list[np.ndarray]:
    """Return what a resampler still holds."""
    return [] if resampler is None else [resampler.resample_chunk(np.zeros(0, np.float32), last=True)]
