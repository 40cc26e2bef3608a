"""Reading a folder of audio or .npy arrays, or a saved data set, as batches of log-mels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

ENDINGS = (".wav", ".flac", ".ogg", ".mp3")
LENGTHS = (1292, 431)  # frames: 30 s and 10 s
BATCH = 16
DATA_SET_FILES = ("state.json", "dataset_dict.json")
Batch = tuple[list[str], "list[np.ndarray]"]


@dataclass
class Clips:
    """One side of a comparison, read in batches.

    Attributes:
        path: The path on the command line.
        kind: "audio", "arrays" or "data set".
        files: The files of audio or arrays.
        column: The column of a data set.
        left_out: The reasons why files could not be read, by file; filled while reading. The others are read.
        jobs: The number of processes that decode audio.
        names: The names of the clips read so far, in their order.
    """

    path: Path
    kind: str
    files: list[Path] = field(default_factory=list)
    column: Any = None
    left_out: dict[str, str] = field(default_factory=dict)
    jobs: int = 1
    names: list[str] = field(default_factory=list)

    @property
    def n_read(self) -> int:
        """The number of clips read so far."""
        return len(self.names)

    def all_names(self) -> list[str]:
        """Return the names of all clips, read or not, without those of arrays that cannot be read."""
        if self.kind == "data set":
            return [str(index) for index in range(len(self.column))]
        if self.kind == "audio":
            return [*map(self._name, self.files), *self.left_out]
        return [name for file in self.files for name in _array_names(file, self._name(file))]

    def below_rate(self, lowest_rate: int) -> dict[str, str]:
        """Return the reasons why audio files cannot be judged as sound, by file: they are sampled at a lower rate.

        Args:
            lowest_rate: The lowest sampling rate in Hz.
        """
        from musemo_hf.pipelines.embedders.sound_clips import check_rate

        found = {}
        for file in self.files if self.kind == "audio" else []:
            try:
                check_rate(file, lowest_rate)
            except ValueError as error:
                found[self._name(file)] = str(error)
        return found

    def name_of(self, path: str) -> str:
        """Return the name of an audio file by its path as text."""
        from musemo_hf.pipelines.song_files import shown

        return next((self._name(file) for file in self.files if shown(file) == path), path)

    def leave_out(self, reasons: dict[str, str]) -> None:
        """Leave audio files out before any is read, with the reason by file."""
        self.files = [file for file in self.files if self._name(file) not in reasons]
        self.left_out |= reasons

    def first(self) -> np.ndarray | None:
        """Return the first stored clip, for its unit and frames; None for audio, which takes any, or without clips."""
        if self.kind == "audio":
            return None
        return next((clips[0] for _, clips in self._stored()), None)

    def batches(self, n_frames: int | None, normalised: bool) -> Iterator[Batch]:
        """Yield names and clips, at most 16 at a time.

        Args:
            n_frames: The number of frames of audio, from the beginning of each file; shorter files are left out.
            normalised: Whether audio is converted to [-1, 1] instead of dB; stored clips keep their unit.

        Raises:
            ValueError: No clip could be read.
        """
        for names, clips in (
            self._decoded(n_frames or LENGTHS[0], normalised) if self.kind == "audio" else self._stored()
        ):
            self.names += names
            yield names, clips
        if not self.n_read:
            why = "; ".join([*dict.fromkeys(self.left_out.values())][:3]) or "empty arrays"
            raise ValueError(f"{self.path}: expected clips, got none from {len(self.files)} files: {why}")

    def sample(self, most: int) -> list[Any]:
        """Return evenly spaced clips among those that `batches` has read: files of audio, or stored clips.

        Args:
            most: The largest number of clips.
        """
        import numpy as np

        from musemo_hf.evaluation.arrays import evenly_spaced

        if self.kind == "audio":
            read = [file for file in self.files if self._name(file) not in self.left_out]
            return [read[index] for index in evenly_spaced(np.arange(len(read)), most)]
        wanted = {int(index) for index in evenly_spaced(np.arange(self.n_read), most)}
        stored = (clip for _, clips in self._stored() for clip in clips)
        return [clip for index, clip in enumerate(stored) if index in wanted]

    def lengths(self) -> list[int]:
        """Return the longest of `LENGTHS` that each audio file holds, without files that hold none."""
        held = (next((length for length in LENGTHS if frames >= length), None) for frames in map(_frames, self.files))
        return [length for length in held if length is not None]

    def _decoded(self, n_frames: int, normalised: bool) -> Iterator[Batch]:
        from musemo_hf.runner.mapping import map_tasks

        names: list[str] = []
        clips: list[np.ndarray] = []
        decode = partial(_decode, n_frames=n_frames, normalised=normalised)
        for file, clip in zip(self.files, map_tasks(decode, self.files, self.jobs), strict=True):
            if isinstance(clip, str):
                self.left_out[self._name(file)] = clip
                continue
            names.append(self._name(file))
            clips.append(clip)
            if len(clips) == BATCH:
                yield names, clips
                names, clips = [], []
        if clips:
            yield names, clips

    def _stored(self) -> Iterator[Batch]:
        if self.kind == "data set":
            for start in range(0, len(self.column), BATCH):
                clips = list(self.column[start : start + BATCH]["spectrogram"])
                yield [str(start + index) for index in range(len(clips))], clips
            return
        from musemo_hf.pipelines.song_files import UNREADABLE, why

        for file in self.files:
            try:
                yield from _array_batches(file, self._name(file))
            except UNREADABLE as error:
                self.left_out[self._name(file)] = why(file, error)

    def _name(self, file: Path) -> str:
        from musemo_hf.pipelines.song_files import shown

        return shown(file.name if file == self.path else file.relative_to(self.path).as_posix())


def open_clips(path: Path, side: str, jobs: int = 1) -> Clips:
    """Find the clips at a path.

    Args:
        path: A folder of audio or of .npy arrays, at any depth; one such file; or a folder of `Dataset.save_to_disk`
            with a column `spectrogram`.
        side: The name of the side in errors.
        jobs: The number of processes that decode audio.

    Raises:
        ValueError: There are no clips, audio and arrays are mixed, or a data set lacks the column.
    """
    if any((path / name).is_file() for name in DATA_SET_FILES):
        return Clips(path, "data set", column=_column(path, side))
    files = [path] if path.is_file() else sorted(file for file in path.rglob("*") if file.is_file())
    shown = [file for file in files if not file.name.startswith(".")]
    audio = [file for file in shown if file.suffix.lower() in ENDINGS]
    arrays = [file for file in shown if file.suffix.lower() == ".npy"]
    if audio and arrays:
        raise ValueError(f"expected audio or .npy arrays as {side} in {path}, got {len(audio)} and {len(arrays)}")
    if not audio and not arrays:
        what = "no such folder" if not path.exists() else f"{len(shown)} other files"
        raise ValueError(
            f"expected {', '.join(ENDINGS)} or .npy files, or a saved data set, as {side} in {path}, got {what}"
        )
    return Clips(path, "audio", audio, jobs=jobs) if audio else Clips(path, "arrays", arrays)


def _decode(file: Path, n_frames: int, normalised: bool) -> np.ndarray | str:
    """Decode the beginning of a file as a log-mel, or return the reason why it cannot be read."""
    import torch

    from musemo_hf.audio.mel import normalise
    from musemo_hf.data.deam.excerpts import excerpt_log_mel
    from musemo_hf.pipelines.song_files import UNREADABLE, shown

    try:
        decibels = excerpt_log_mel(file, 0.0, n_frames)
    except UNREADABLE as error:
        return shown(str(error) or type(error).__name__)
    return normalise(torch.from_numpy(decibels)).numpy() if normalised else decibels


def _column(path: Path, side: str) -> Any:
    import datasets

    stored = datasets.load_from_disk(str(path))
    if isinstance(stored, datasets.DatasetDict):
        if len(stored) != 1:
            raise ValueError(f"expected one split as {side} in {path}, got {', '.join(stored)}; give a split's folder")
        stored = next(iter(stored.values()))
    if "spectrogram" not in stored.column_names or not len(stored):
        raise ValueError(
            f"expected a column `spectrogram` with rows as {side} in {path}, got {len(stored)} rows of "
            f"{', '.join(stored.column_names)}"
        )
    return stored.select_columns("spectrogram").with_format("numpy")


def _array_batches(file: Path, name: str) -> Iterator[Batch]:
    """Yield a clip `(128, n)`, or those of a stack `(N, 128, n)` or `(N, 1, 128, n)`, which is mapped into memory."""
    import numpy as np

    try:
        array = np.load(file, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise ValueError(f"{file}: expected an array of numbers, got: {error}") from error
    if array.ndim not in (2, 3, 4) or array.shape[-2] != 128 or (array.ndim == 4 and array.shape[1] != 1):
        raise ValueError(f"{file}: expected an array (128, n_frames) or (N, 128, n_frames), got {array.shape}")
    if array.ndim == 2:
        yield [name], [np.asarray(array)]
        return
    for start in range(0, len(array), BATCH):
        clips = [clip.reshape(clip.shape[-2:]) for clip in np.asarray(array[start : start + BATCH])]
        yield [f"{name}[{start + index}]" for index in range(len(clips))], clips


def _array_names(file: Path, name: str) -> list[str]:
    """Return the name of a clip, or those of a stack, by the header of its file."""
    import numpy as np

    try:
        shape = np.load(file, mmap_mode="r", allow_pickle=False).shape
    except (ValueError, EOFError, OSError):
        return []  # reading says what is wrong with it
    return [name] if len(shape) == 2 else [f"{name}[{index}]" for index in range(shape[0] if shape else 0)]


def _frames(file: Path) -> int:
    from musemo_hf.audio.mel import MelSettings
    from musemo_hf.data.deam.excerpts import TOLERANCE, file_duration
    from musemo_hf.pipelines.song_files import UNREADABLE

    settings = MelSettings()
    try:
        longest = settings.n_samples(LENGTHS[0]) / settings.sampling_rate
        return settings.n_frames(round((file_duration(file, longest) + TOLERANCE) * settings.sampling_rate))
    except UNREADABLE:  # it is listed when it is read
        return 0
