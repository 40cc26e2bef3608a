"""The songs of a DEAM folder with labels, metadata, fold and file, before anything is decoded."""

import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from musemo_hf.data.deam.annotations import Annotation, Labels, read_annotations
from musemo_hf.data.deam.layout import AUDIO_SUFFIXES, DeamLayout
from musemo_hf.data.deam.metadata import Metadata, edition, read_metadata
from musemo_hf.data.folds import artist_folds, artist_groups
from musemo_hf.data.skipped import SkippedSong


@dataclass(frozen=True)
class Song:
    """A song with a label and a file.

    Attributes:
        annotation: The labels of the song.
        metadata: The artist, title and genre.
        path: The audio file.
        fold: The artist-disjoint fold.
        copies: Further files of the song, which are tried in this order where the first cannot be read.
    """

    annotation: Annotation
    metadata: Metadata
    path: Path
    fold: int
    copies: tuple[Path, ...] = ()

    @property
    def song_id(self) -> int:
        """The id of the song in DEAM."""
        return self.annotation.song_id


def list_songs(
    layout: DeamLayout, labels: Labels = "corrected", n_folds: int = 5, fold_seed: int = 0
) -> tuple[list[Song], list[SkippedSong]]:
    """Join audio, labels and metadata, and assign the songs to folds.

    All songs with audio and a label take part in the folds, whether or not their audio then decodes, so that the folds
    are the same for every length of excerpt. A song without metadata has an unknown artist.

    Returns:
        The songs by ascending id, and the songs that were left out.

    Raises:
        AnnotationError: See `read_annotations`.
        MetadataError: See `read_metadata`.
    """
    annotations = read_annotations(layout.annotations, labels)
    metadata = read_metadata(layout.metadata)
    audio, skipped = _audio_by_id(layout)
    for number in sorted(audio.keys() - annotations.keys()):
        detail = f"expected a row of song {number} in the static annotations, found none"
        skipped.append(SkippedSong(number, "missing label", detail))
    for number in sorted(annotations.keys() - audio.keys()):
        detail = f"expected {number}{{{','.join(AUDIO_SUFFIXES)}}} in {layout.audio.name}, found none"
        skipped.append(SkippedSong(number, "missing audio", detail))
    ids = sorted(audio.keys() & annotations.keys())
    if unknown := [number for number in ids if number not in metadata]:
        some = f"{unknown}" if len(unknown) <= 10 else f"{unknown[:10]} and {len(unknown) - 10} more"
        warnings.warn(f"songs without metadata, each taken for an artist of its own: {some}", stacklevel=2)
    known = [metadata.get(number, Metadata(number)) for number in ids]
    folds = _folds(known, [annotations[number].emotion for number in ids], n_folds, fold_seed)
    return [
        Song(annotations[number], about, audio[number][0], fold, tuple(audio[number][1:]))
        for number, about, fold in zip(ids, known, folds, strict=True)
    ], skipped


def _audio_by_id(layout: DeamLayout) -> tuple[dict[int, list[Path]], list[SkippedSong]]:
    audio: dict[int, list[Path]] = {}
    skipped = []
    for path in sorted(layout.audio_files(), key=lambda path: AUDIO_SUFFIXES.index(path.suffix.lower())):
        if not (path.stem.isascii() and path.stem.isdigit()):
            skipped.append(SkippedSong(-1, "no song id", f"expected <song_id>{path.suffix}, got {path.name}"))
            continue
        files = audio.setdefault(int(path.stem), [])
        if files:
            detail = f"{path.name} is read only if {' and '.join(file.name for file in files)} cannot be"
            skipped.append(SkippedSong(int(path.stem), "duplicate audio", detail))
        files.append(path)
    return audio, skipped


def _folds(known: list[Metadata], emotions: list[tuple[float, float]], n_folds: int, seed: int) -> list[int]:
    artists = [about.artist for about in known]
    n_artists = len(set(artist_groups(artists)))
    if not known:
        return []
    if n_artists < n_folds:  # a folder of a few songs is still worth reading
        warnings.warn(f"expected {n_folds} artists for as many folds, got {n_artists}: so many folds", stacklevel=3)
        n_folds = n_artists
        if n_artists < 2:
            return [0] * len(known)
    years = [edition(about.song_id) for about in known]
    return artist_folds(artists, np.array(emotions), years, n_folds, seed).tolist()
