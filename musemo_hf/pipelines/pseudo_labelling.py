"""Pseudo-labelling a folder of songs: a corpus in DEAM's layout with the emotions that a recogniser predicts."""

import hashlib
import logging
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from tqdm.auto import tqdm

from musemo_hf.audio.feature_extraction_musemo import MusemoFeatureExtractor
from musemo_hf.audio.samples import SILENT
from musemo_hf.data.deam.excerpts import TOLERANCE, TooShortError
from musemo_hf.data.deam.layout import AUDIO_FOLDERS, AUDIO_SUFFIXES, DeamError
from musemo_hf.data.deam.metadata import FIRST_OTHER_ID
from musemo_hf.data.pseudo_labels import (
    VERSION,
    PseudoLabelCorpus,
    PseudoLabelledSong,
    append_song,
    open_corpus,
    read_songs,
    write_manifest,
    write_tables,
)
from musemo_hf.data.skipped import SkippedSong, count_reasons, write_skipped
from musemo_hf.data.song_names import song_names
from musemo_hf.files import atomic_path
from musemo_hf.models.vit import MusemoViTForEmotionRegression

from .emotion_path import EmotionPath, emotion_path
from .song_files import UNREADABLE, list_songs, shown, why

logger = logging.getLogger(__name__)

SKIPPED_FILE = "skipped.csv"
DEVIATIONS = {
    "deviation": "of what raters say on average, predicted for each window and calibrated; the mean over windows",
    "error": "the recogniser's root mean square error on other artists, one for all songs",
    "spread": "spread over the windows of a song, 0 of a single one: this recogniser is not calibrated",
}


@dataclass(frozen=True)
class PseudoLabelling:
    """The result of `label_folder`.

    Attributes:
        corpus: The manifest.
        songs: The songs with their pseudo-labels, by ascending id.
        skipped: The songs that were left out; their ids are -1, and the details name the files.
        others: The number of files with other endings, by ending.
    """

    corpus: PseudoLabelCorpus
    songs: list[PseudoLabelledSong]
    skipped: list[SkippedSong]
    others: dict[str, int]


def label_folder(
    audio_dir: str | Path,
    out_dir: str | Path,
    model: MusemoViTForEmotionRegression,
    extractor: MusemoFeatureExtractor,
    recogniser: str,
    hop_seconds: float | None = None,
) -> PseudoLabelling:
    """Predict the emotion of every song of a folder, and write a corpus in DEAM's layout.

    A run that was stopped is resumed, and songs that came since are added. The songs of the corpus are hard links where
    the file system has them, and otherwise copies.

    Args:
        audio_dir: The folder of songs (wav, flac, ogg, mp3), at any depth.
        out_dir: A missing or empty folder, or one begun before with the same folder of songs, recogniser and hop.
        model: The recogniser.
        extractor: The feature extractor of the recogniser.
        recogniser: The name of the recogniser in the manifest.
        hop_seconds: The largest distance of two windows in seconds, by default half a window.

    Raises:
        DeamError: There are no songs, or none that can be read, or `out_dir` holds something else or lies within
            `audio_dir`.
        OSError: The disk is full; a further run resumes.
    """
    source, folder = Path(audio_dir).expanduser().resolve(), Path(out_dir).expanduser().resolve()
    if not source.is_dir():
        raise DeamError(f"expected a folder of songs, found none at {audio_dir}")
    if folder.is_relative_to(source):
        raise DeamError(f"expected a folder outside {audio_dir} to write to, got {out_dir}")
    files, others = list_songs(source)
    if not files:
        raise DeamError(f"{audio_dir}: expected songs ({', '.join(AUDIO_SUFFIXES)}), found none")
    corpus = _manifest(source, model, extractor, recogniser, hop_seconds)
    open_corpus(folder, corpus)
    skipped = list(_label_all(files, source, folder, model, extractor, hop_seconds))
    songs = read_songs(folder)
    write_skipped(folder / SKIPPED_FILE, skipped)
    if not songs:
        raise DeamError(f"{audio_dir}: expected a song that can be read, got none; skipped: {count_reasons(skipped)}")
    write_tables(folder, songs)
    corpus = replace(corpus, n_songs=len(songs), n_skipped=len(skipped))
    write_manifest(folder, corpus)
    return PseudoLabelling(corpus, songs, skipped, others)


def _manifest(
    source: Path,
    model: MusemoViTForEmotionRegression,
    extractor: MusemoFeatureExtractor,
    recogniser: str,
    hop_seconds: float | None,
) -> PseudoLabelCorpus:
    config = model.config
    own = config.uncertainty and config.deviation_scale is not None
    return PseudoLabelCorpus(
        version=VERSION,
        name=shown(source.name),
        source=shown(source),
        recogniser=recogniser,
        weights=weights_hash(model),
        window_seconds=extractor.seconds,
        hop_seconds=hop_seconds,
        deviation=DEVIATIONS["deviation" if own else "spread" if config.emotion_error is None else "error"],
    )


def weights_hash(model: MusemoViTForEmotionRegression) -> str:
    """Return the sha256 of the names and values of a model's weights and buffers."""
    digest = hashlib.sha256()
    for name, values in sorted(model.state_dict().items()):
        digest.update(name.encode() + b"\0" + values.cpu().contiguous().float().numpy().tobytes())
    return digest.hexdigest()


def _label_all(
    files: list[Path],
    source: Path,
    folder: Path,
    model: MusemoViTForEmotionRegression,
    extractor: MusemoFeatureExtractor,
    hop_seconds: float | None,
) -> Iterator[SkippedSong]:
    """Write the pseudo-labels song by song, and yield the songs that are left out."""
    before = read_songs(folder)
    done = {song.file for song in before}
    next_id = max((song.song_id for song in before), default=FIRST_OTHER_ID - 1) + 1
    for path in tqdm(files, "pseudo-labelling", disable=None):
        file = shown(path.relative_to(source).as_posix())
        if file in done:
            continue
        try:
            song = _label(path, file, next_id, model, extractor, hop_seconds)
        except UNREADABLE as error:
            reason = "too short" if isinstance(error, TooShortError) else "corrupt"
            detail = f"{file}: {why(path, error)}"
            logger.warning("skipped: %s", detail)
            yield SkippedSong(-1, reason, detail)  # type: ignore[arg-type]
            continue
        _link(path, folder / AUDIO_FOLDERS[0], song.song_id)
        append_song(folder, song)
        next_id += 1


def _label(
    path: Path,
    file: str,
    song_id: int,
    model: MusemoViTForEmotionRegression,
    extractor: MusemoFeatureExtractor,
    hop_seconds: float | None,
) -> PseudoLabelledSong:
    """Predict one song; one that is shorter than a window is refused, since the rest would be silence."""
    wanted, loaded = extractor.seconds, extractor.load(path)
    if loaded.duration < wanted - TOLERANCE:
        got = f"got {loaded.duration:.2f} s"
        raise TooShortError(f"expected at least the {wanted:.3g} s of the recogniser's window, {got}")
    if SILENT in loaded.notes:
        raise ValueError(SILENT)
    for note in loaded.notes:
        logger.warning("%s: %s", file, note)
    prediction = emotion_path(model, extractor, loaded.samples, loaded.sampling_rate, hop_seconds)
    (valence, arousal), (valence_std, arousal_std) = np.round([prediction.mean, _deviation(prediction)], 4).tolist()
    names = song_names(path)
    return PseudoLabelledSong(
        song_id=song_id,
        file=file,
        valence=valence,
        arousal=arousal,
        valence_std=valence_std,
        arousal_std=arousal_std,
        n_windows=len(prediction.emotion),
        duration=round(prediction.duration, 2),
        artist=shown(names.artist),
        title=shown(names.title),
        genre=shown(names.genre),
    )


def _deviation(path: EmotionPath) -> np.ndarray:
    if path.deviation is not None:
        return path.deviation.mean(axis=0).clip(0, 2)  # the width of the plane
    return path.emotion.std(axis=0, ddof=1) if len(path.emotion) > 1 else np.zeros(2)


def _link(path: Path, folder: Path, song_id: int) -> None:
    """Link or copy a song into the corpus, whole or not at all."""
    folder.mkdir(exist_ok=True)
    for stale in folder.glob(f"{song_id}.*"):  # of a run that was stopped before it wrote down that song
        stale.unlink()
    with atomic_path(folder / f"{song_id}{path.suffix.lower()}") as part:
        try:
            os.link(path.resolve(), part)
        except OSError:  # another file system, or one without links
            shutil.copy2(path, part)
