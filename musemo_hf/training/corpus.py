"""The songs of a run: those of a folder or a pack if one is given, otherwise the demonstration corpus."""

import logging
from pathlib import Path
from typing import Any

import numpy as np
from accelerate import Accelerator

from musemo_hf.data.arrays import SongArrays, load_arrays
from musemo_hf.data.deam.deam import DeamSpectrograms
from musemo_hf.data.demo_corpus import MANIFEST
from musemo_hf.data.folds import n_unknown
from musemo_hf.data.pack import read_pack
from musemo_hf.data.pseudo_labels import read_manifest

from .configuration import DataSettings

logger = logging.getLogger(__name__)
FIRST_FILE_LAST_ID = 2000  # DEAM's first annotation file, `..._1_2000.csv`, ends here


def load_songs(
    settings: DataSettings, data_dir: str | Path | None, accelerator: Accelerator
) -> tuple[SongArrays, dict[str, Any]]:
    """Prepare the data set once, and read it in every process.

    Args:
        settings: The settings that choose the songs.
        data_dir: The DEAM folder, or a file that `musemo prepare --pack` made of it; None for the demonstration corpus.
        accelerator: The accelerator of the launch.

    Returns:
        The songs, and the `name`, `procedural` and `n_skipped` of the corpus; `heard` (True) and `n_unknown_artists`
        if its emotions are pseudo-labels; for a pack also `pack`, with its `songs_hash`, `step` and `rms_error` (dB).

    Raises:
        ValueError: The settings choose no songs, or the pack was made with other settings.
    """
    if data_dir is not None and Path(data_dir).is_file():
        songs, facts = _packed(settings, Path(data_dir))
    else:
        songs, facts = _prepared(settings, data_dir, accelerator)
    keep = np.ones(len(songs), dtype=bool)
    if settings.annotation_file == "1_2000":
        keep = songs.song_id <= FIRST_FILE_LAST_ID
    elif settings.annotation_file != "all":
        raise ValueError(f"expected annotation_file to be 'all' or '1_2000', got {settings.annotation_file!r}")
    chosen = np.flatnonzero(keep)[: settings.n_songs]
    if not len(chosen):
        raise ValueError(f"expected songs, and these settings leave none: {settings}")
    songs = select(songs, chosen)
    if facts.get("heard"):
        facts["n_unknown_artists"] = n_unknown(songs.artist)
    return songs, facts


def _prepared(
    settings: DataSettings, data_dir: str | Path | None, accelerator: Accelerator
) -> tuple[SongArrays, dict[str, Any]]:
    builder = DeamSpectrograms(
        config_name=settings.config_name, labels=settings.labels, data_dir=None if data_dir is None else str(data_dir)
    )
    with accelerator.main_process_first():
        builder.download_and_prepare()
    procedural = data_dir is None or (Path(data_dir) / MANIFEST).is_file()  # also where somebody rendered it elsewhere
    manifest = None if data_dir is None else read_manifest(data_dir)
    title = None if manifest is None else manifest.title
    return load_arrays(builder.as_dataset("train")), _facts(procedural, len(builder.skipped), title)


def _packed(settings: DataSettings, path: Path) -> tuple[SongArrays, dict[str, Any]]:
    songs, pack = read_pack(path)
    wanted, got = (f"{each.config_name} with {each.labels} labels" for each in (settings, pack))
    if wanted != got:
        raise ValueError(f"{path}: expected a pack of {wanted}, got one of {got}; make it with `musemo prepare --pack`")
    logger.info("%s: %d songs, hash %s, log-mels in steps of %g dB", path, len(songs), pack.songs_hash[:16], pack.step)
    made = {"songs_hash": pack.songs_hash, "step": pack.step, "rms_error": pack.rms_error}
    return songs, _facts(pack.procedural, pack.n_skipped, pack.pseudo_labels) | {"pack": made}


def _facts(procedural: bool, n_skipped: int, pseudo_labels: str | None) -> dict[str, Any]:
    facts = {
        "name": pseudo_labels or ("demonstration corpus" if procedural else "DEAM"),
        "procedural": procedural,
        "n_skipped": n_skipped,
    }
    return facts | ({"heard": True} if pseudo_labels else {})


def select(songs: SongArrays, index: np.ndarray) -> SongArrays:
    """Return the songs of the given indices, in their order."""
    return SongArrays(
        spectrogram=songs.spectrogram[index],
        emotion=songs.emotion[index],
        emotion_std=songs.emotion_std[index],
        fold=songs.fold[index],
        song_id=songs.song_id[index],
        artist=[songs.artist[i] for i in index],
        genre=[songs.genre[i] for i in index],
        year=songs.year[index],
    )


def hold_out(songs: SongArrays, fold: int | None) -> SongArrays:
    """Return all songs except those of one artist-disjoint fold; all if it is None.

    Raises:
        ValueError: The fold does not exist.
    """
    if fold is None:
        return songs
    if fold not in set(songs.fold.tolist()):
        raise ValueError(f"expected a fold out of {sorted(set(songs.fold.tolist()))}, got {fold}")
    return select(songs, np.flatnonzero(songs.fold != fold))
