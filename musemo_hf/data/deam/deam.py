"""`DeamSpectrograms`: DEAM as a Hugging Face data set of log-mels with valence and arousal."""

import errno
import json
import logging
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import datasets
from datasets import Array2D, Features, List, Value
from filelock import FileLock, Timeout

from musemo_hf.audio.decoding import AudioDecodingError
from musemo_hf.audio.mel import MelSettings
from musemo_hf.data.deam.excerpts import TooShortError, excerpt_log_mel, excerpt_start, file_duration
from musemo_hf.data.deam.layout import DeamError, DeamLayout, find_deam
from musemo_hf.data.deam.metadata import edition
from musemo_hf.data.deam.songs import Song, list_songs
from musemo_hf.data.demo_corpus import demo_corpus_dir, demo_corpus_path, demo_parameters
from musemo_hf.data.folds import folds_hash
from musemo_hf.data.pseudo_labels import read_manifest
from musemo_hf.data.skipped import SkippedSong, count_reasons, read_skipped, write_skipped
from musemo_hf.runner.mapping import map_tasks

logger = logging.getLogger(__name__)

VERSION = "1.1.1"  # prepared data sets are cached by it: raise it when the same files give other values
SKIPPED_FILE = "skipped.csv"
_DESCRIPTION = (
    "DEAM (MediaEval Database for Emotional Analysis of Music): log-mel spectrograms of excerpts, with mean valence "
    "and arousal in [-1, 1] and their deviations over raters."
)
_CITATION = """\
@article{aljanaki2017deam,
  title={Developing a benchmark for emotional analysis of music},
  author={Aljanaki, Anna and Yang, Yi-Hsuan and Soleymani, Mohammad},
  journal={PLoS ONE}, volume={12}, number={3}, year={2017}, doi={10.1371/journal.pone.0173392}
}"""


class NoSongsError(DeamError):
    """No song could be read; the message says why, and names a configuration that may work."""


class ChangedFolderError(DeamError):
    """The folder of DEAM changed while it was prepared; nothing was kept."""


@dataclass
class DeamConfig(datasets.BuilderConfig):
    """The settings that a prepared data set depends on.

    Attributes:
        n_frames: The number of frames of a spectrogram; 1292 are 30 s, 431 are 10 s.
        start: The start of the excerpt in seconds, in a file that is long enough.
        or_from_start: Whether a shorter file gives its beginning; otherwise it is skipped.
        labels: "corrected" (valence and arousal of 2013 swapped back) or "published".
        n_folds: The number of artist-disjoint folds.
        fold_seed: The seed of the folds.
        fingerprint: A hash of the folder's files, so that a changed folder is prepared again.
    """

    n_frames: int = 1292
    start: float = 15.0
    or_from_start: bool = False
    labels: str = "corrected"
    n_folds: int = 5
    fold_seed: int = 0
    fingerprint: str = ""


class DeamSpectrograms(datasets.GeneratorBasedBuilder):
    """Builds the data set from a DEAM folder, flat, as the public archive unpacks, or otherwise with a warning.

    There is one split, `train`, with the columns `song_id`, `artist`, `title`, `genre`, `year` (of the benchmark: 2013,
    2014, 2015; 0 for songs outside DEAM), `emotion` (valence, arousal) and `emotion_std` in the unit of [-1, 1],
    `fold`, `duration` (of the file in seconds) and `spectrogram` (float32 (128, n_frames) in dB), by ascending song id.
    The configurations are `excerpt_30s` (default: seconds 15-45), `excerpt_10s` (seconds 30-40 of a file of at least
    40 s, else its first 10 s) and `first_30s` (the first 30 s). A folder of `musemo pseudo-label` is read in the same
    way; the description then says that its emotions are pseudo-labels.

    `as_streaming_dataset` decodes songs as they are asked for, and keeps nothing; songs that cannot be read are named
    in the log.

    Args:
        cache_dir: The folder of prepared data sets, by default the cache of `datasets`.
        config_name: "excerpt_30s", "excerpt_10s" or "first_30s".
        data_dir: The DEAM folder; by default the demonstration corpus (`demo_corpus`) is rendered while preparing.
        labels: "corrected" or "published", see `read_annotations`.
        n_folds: The number of artist-disjoint folds.
        fold_seed: The seed of the folds.
        **options: Options of `datasets.GeneratorBasedBuilder`, and `n_frames`.

    Raises:
        LayoutError: `data_dir` is not a folder of DEAM.
        ValueError: `labels` or `config_name` is unknown, or `labels` is "published" for a folder of pseudo-labels.

    Example:
        >>> deam = DeamSpectrograms(data_dir="DEAM")
        >>> deam.download_and_prepare(num_proc=2)
        >>> songs = deam.as_dataset("train").with_format("torch")
    """

    BUILDER_CONFIG_CLASS = DeamConfig
    BUILDER_CONFIGS = (
        DeamConfig(name="excerpt_30s", version=VERSION, description="Seconds 15-45 of each song."),
        DeamConfig(
            name="excerpt_10s",
            version=VERSION,
            description="Seconds 30-40 of each song, or its first 10 s.",
            n_frames=431,
            start=30.0,
            or_from_start=True,
        ),
        DeamConfig(name="first_30s", version=VERSION, description="The first 30 s of each song.", start=0.0),
    )
    DEFAULT_CONFIG_NAME = "excerpt_30s"
    DEFAULT_WRITER_BATCH_SIZE = 64  # rows held before they are written; a row of 30 s is 660 kB

    config: DeamConfig
    jobs = 1  # the number of processes that decode audio; `num_proc` of `datasets` has shards of the data set instead

    def __init__(
        self,
        cache_dir: str | Path | None = None,
        config_name: str | None = None,
        data_dir: str | Path | None = None,
        labels: str = "corrected",
        n_folds: int = 5,
        fold_seed: int = 0,
        **options: Any,
    ) -> None:
        if labels not in ("corrected", "published"):
            raise ValueError(f'expected labels "corrected" or "published", got {labels!r}')
        given = {"cache_dir": cache_dir, "config_name": config_name, "data_dir": data_dir, "labels": labels}
        self._arguments = given | {"n_folds": n_folds, "fold_seed": fold_seed} | options
        self._parts: Path | None = None  # where lists of skipped songs are written while the data set is prepared
        self._is_demo = data_dir is None
        if data_dir is None:
            duration = _demo_duration(config_name or self.DEFAULT_CONFIG_NAME)
            data_dir = demo_corpus_path(duration=duration)
            fingerprint = json.dumps(demo_parameters(duration=duration))
        else:
            layout = find_deam(data_dir)
            data_dir, fingerprint = layout.root, layout.fingerprint()
            if labels == "published" and (pseudo_labels := read_manifest(data_dir)):
                raise ValueError(f'expected labels "corrected" or none of {pseudo_labels.title}, got "published"')
        super().__init__(
            cache_dir=cache_dir if cache_dir is None else str(cache_dir),
            config_name=config_name,
            data_dir=str(data_dir),
            labels=labels,
            n_folds=n_folds,
            fold_seed=fold_seed,
            fingerprint=fingerprint,
            **options,
        )

    @property
    def skipped(self) -> list[SkippedSong]:
        """The songs that were left out of the prepared data set, as in `skipped.csv` beside the Arrow files.

        Raises:
            FileNotFoundError: The data set is not prepared.
        """
        path = Path(self._output_dir) / SKIPPED_FILE
        if not path.is_file():
            raise FileNotFoundError(f"expected a prepared data set, found no {path}: call download_and_prepare first")
        return read_skipped(path)

    def _info(self) -> datasets.DatasetInfo:
        features = Features(
            song_id=Value("int32"),
            artist=Value("string"),
            title=Value("string"),
            genre=Value("string"),
            year=Value("int16"),
            emotion=List(Value("float32"), length=2),
            emotion_std=List(Value("float32"), length=2),
            fold=Value("int8"),
            duration=Value("float32"),
            spectrogram=Array2D((MelSettings().n_mels, self.config.n_frames), "float32"),
        )
        return datasets.DatasetInfo(
            description=_DESCRIPTION,
            features=features,
            citation=_CITATION,
            homepage="https://cvml.unige.ch/databases/DEAM/",
            license="Creative Commons, by song; many for non-commercial use only",
        )

    def download_and_prepare(self, *args: Any, **kwargs: Any) -> None:
        """Prepare the data set, unless it is in the cache, and warn of songs that were left out.

        `num_proc` decodes in several processes. A folder that has changed since the builder was made is prepared as it
        is now.

        Raises:
            NoSongsError: No song could be read.
            ChangedFolderError: The folder changed while it was prepared; nothing was kept.
            OSError: The disk is full; no unfinished files are left.
        """
        if not self._is_demo and self._has_changed(self._layout()):
            logger.warning("%s has changed since this builder was made: prepared as it is now", self.config.data_dir)
            self.__init__(**self._arguments)  # type: ignore[misc]  # the place in the cache follows the fingerprint
        self._tell_waiting()
        try:
            super().download_and_prepare(*args, **kwargs)
        except Exception as error:
            full = _no_space(error)
            if full is None:
                raise
            message = f"expected room for the data set, got: {full.strerror}; nothing was kept"
            raise OSError(full.errno, message, self._output_dir) from error
        if self.skipped:
            path = Path(self._output_dir) / SKIPPED_FILE
            counts = count_reasons(self.skipped)
            warnings.warn(f"{len(self.skipped)} songs were skipped: {counts}; listed in {path}", stacklevel=2)

    def _download_and_prepare(self, dl_manager: Any, verification_mode: Any, **kwargs: Any) -> None:
        folder = Path(self._output_dir)
        for part in folder.glob(f"*.{SKIPPED_FILE}"):  # of a run that was killed
            part.unlink()
        self._parts = folder
        try:
            super()._download_and_prepare(dl_manager, verification_mode, **kwargs)
        finally:
            self._parts = None
        parts = sorted(folder.glob(f"*.{SKIPPED_FILE}"))
        unread = [song for part in parts for song in read_skipped(part)]
        if any(song.reason == "missing audio" for song in unread):  # it was there when the folder was listed
            raise ChangedFolderError(
                self._changed(next(song for song in unread if song.reason == "missing audio").detail)
            )
        if not self._is_demo:
            self._check_unchanged(self._layout())
        skipped = [*self._unread, *unread]
        if not self.info.splits["train"].num_examples:
            raise NoSongsError(self._no_songs(skipped))
        write_skipped(folder / SKIPPED_FILE, skipped)
        for part in parts:
            part.unlink()
        left_out = {song.song_id for song in skipped if song.reason in ("corrupt", "too short")}
        kept = [song for song in self._songs if song.song_id not in left_out]
        digest = folds_hash([song.song_id for song in kept], [song.fold for song in kept])
        self.info.description = f"{self._content()} Folds: sha256 {digest}."

    def _content(self) -> str:
        pseudo_labels = read_manifest(self.config.data_dir)
        if pseudo_labels is None:
            return f"{_DESCRIPTION} Labels: {self.config.labels}."
        return f"{pseudo_labels.title}, not labels of people: log-mel spectrograms, valence and arousal in [-1, 1]."

    def _split_generators(self, dl_manager: Any) -> list[datasets.SplitGenerator]:
        config = self.config
        if self._is_demo:
            logger.warning("no data_dir was given: this data set is the demonstration corpus, not DEAM")
            demo_corpus_dir(duration=_demo_duration(config.name))
        layout = self._layout()
        if pseudo_labels := read_manifest(config.data_dir):
            logger.warning("the emotions of these songs are not labels of people: %s", pseudo_labels.title)
        self._songs, self._unread = list_songs(layout, config.labels, config.n_folds, config.fold_seed)  # type: ignore[arg-type]
        if self._parts is not None and not self._is_demo:  # the songs will be kept in the cache
            self._check_unchanged(layout)
        if not self._songs:
            raise NoSongsError(self._no_songs(self._unread))
        generator = datasets.SplitGenerator("train", {"songs": self._songs})
        generator.split_info.num_examples = len(self._songs)  # the progress bar's total
        return [generator]

    def _generate_examples(self, songs: list[Song]) -> Iterator[tuple[int, dict[str, Any]]]:
        config, skipped = self.config, []
        read = partial(_read, n_frames=config.n_frames, start=config.start, or_from_start=config.or_from_start)
        for song, made in zip(songs, map_tasks(read, songs, self.jobs), strict=True):
            if isinstance(made, SkippedSong):
                logger.warning("song %d skipped: %s", song.song_id, made.detail)
                skipped.append(made)
            else:
                yield song.song_id, _labels(song) | made
        if self._parts is not None:  # each process writes its own list, and the parent joins them
            write_skipped(self._parts / f"{songs[0].song_id}.{SKIPPED_FILE}", skipped)

    def _prepare_split_single(self, *args: Any, **kwargs: Any) -> Iterator[Any]:
        try:
            yield from super()._prepare_split_single(*args, **kwargs)
        except Exception as error:
            full = _no_space(error)
            if full is None:
                raise
            raise full from error  # the bare error: its causes are lost on the way out of a process of num_proc

    def _layout(self) -> DeamLayout:
        """Find the files as they are now; what is odd about their places was said when the builder was made."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            return find_deam(self.config.data_dir)

    def _has_changed(self, layout: DeamLayout) -> bool:
        return layout.fingerprint() != self.config.fingerprint

    def _check_unchanged(self, layout: DeamLayout) -> None:
        if self._has_changed(layout):
            raise ChangedFolderError(self._changed("its files are others than when the preparation began"))

    def _changed(self, what: str) -> str:
        return (
            f"{self.config.data_dir}: expected a folder that stays as it is while it is prepared, got changes: {what}"
        )

    def _tell_waiting(self) -> None:
        """Say so where another process prepares the same data set, since `datasets` waits in silence."""
        lock = Path(f"{self._output_dir}_builder.lock")
        if lock.is_file():
            try:
                with FileLock(lock, timeout=0):
                    pass
            except Timeout:
                logger.warning("waiting for another process, which prepares %s", self._output_dir)

    def _no_songs(self, skipped: list[SkippedSong]) -> str:
        message = f"{self.config.data_dir}: expected songs, got none; skipped: {count_reasons(skipped)}"
        if any(song.reason == "too short" for song in skipped):
            shorter = [config.name for config in self.BUILDER_CONFIGS if _shortest(config) < _shortest(self.config)]
            others = " or ".join(f'config_name="{name}"' for name in shorter)
            message += f'. Files too short for "{self.config.name}" may do for {others}' if shorter else ""
        return message


def _demo_duration(config_name: str) -> float:
    """Return seconds that are enough for a configuration's excerpt, with a margin since codecs trim."""
    return 10.3 if config_name == "excerpt_10s" else 45.3


def _shortest(config: DeamConfig) -> float:
    """Return the seconds of the shortest file that a configuration can use."""
    settings = MelSettings()
    length = settings.n_samples(config.n_frames) / settings.sampling_rate
    return length if config.or_from_start else config.start + length


def _labels(song: Song) -> dict[str, Any]:
    return {
        "song_id": song.song_id,
        "artist": song.metadata.artist,
        "title": song.metadata.title,
        "genre": song.metadata.genre,
        "year": edition(song.song_id),
        "emotion": song.annotation.emotion,
        "emotion_std": song.annotation.emotion_std,
        "fold": song.fold,
    }


def _read(song: Song, n_frames: int, start: float, or_from_start: bool) -> dict[str, Any] | SkippedSong:
    """Read duration and spectrogram of a song from the first of its files that can be read, or say why none can."""
    failures: list[SkippedSong] = []
    for path in (song.path, *song.copies):
        found = _read_file(path, song.song_id, n_frames, start, or_from_start)
        if not isinstance(found, SkippedSong):
            if failures:
                logger.warning("song %d is read from %s: %s", song.song_id, path.name, failures[0].detail)
            return found
        failures.append(found)
    return failures[0]


def _read_file(
    path: Path, song_id: int, n_frames: int, start: float, or_from_start: bool
) -> dict[str, Any] | SkippedSong:
    settings = MelSettings()
    length = settings.n_samples(n_frames) / settings.sampling_rate
    try:
        duration = file_duration(path)
        begin = excerpt_start(duration, length, start, or_from_start)
        return {"duration": duration, "spectrogram": excerpt_log_mel(path, begin, n_frames)}
    except TooShortError as error:
        return SkippedSong(song_id, "too short", str(error))
    except (AudioDecodingError, OSError) as error:  # OSError: such as a file that may not be read
        if not path.is_file():
            return SkippedSong(song_id, "missing audio", f"{path} has gone since the folder was listed")
        detail = str(error) if path.name in str(error) else f"{path}: {error}"
        return SkippedSong(song_id, "corrupt", detail)


def _no_space(error: BaseException | None) -> OSError | None:
    """Find the error of a full disk, quota or file size limit among an error's causes."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            return error
        error = error.__cause__ or error.__context__
    return None
