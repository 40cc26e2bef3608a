"""The sounds of a generator's card: a song of each preset with seed 0, and their spectrograms in one picture."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from huggingface_hub import HfApi
from huggingface_hub.errors import RepositoryNotFoundError

from musemo_hf.hub.transfer import with_retries
from musemo_hf.pipelines.emotion_to_music import PRESETS, MusemoPipeline

FOLDER = "samples"
PICTURE = f"{FOLDER}/spectrograms.png"
SOUNDS = {preset: f"{FOLDER}/{preset.split()[0]}.flac" for preset in PRESETS}


def add_samples(
    folder: Path, weights: Sequence[str], pipeline: MusemoPipeline, repo_id: str, token: str | None = None
) -> dict[str, Any]:
    """Write the songs as sound and picture; the repository's own samples stay where its weights are the same.

    Another number of threads sums in another order: the same song in other bytes would be another commit.

    Args:
        folder: The folder that will be pushed, with the weights in it.
        weights: The paths of the weights within the folder, of all networks that make the songs.
        pipeline: The pipeline that makes the songs.
        repo_id: The repository that the folder will be pushed to.
        token: An access token with read access to the repository.

    Returns:
        `picture` and `sounds`, the names of the files, for the card; `sounds` by the name and point of the preset.
    """
    ours = {path: hashlib.sha256((folder / path).read_bytes()).hexdigest() for path in weights}
    if with_retries(lambda: _weights_of_samples(repo_id, weights, token), repo_id) != ours:
        _write_samples(folder, pipeline)
    titles = {name: f"{name} (valence {point[0]:+.1f}, arousal {point[1]:+.1f})" for name, point in PRESETS.items()}
    return {"picture": PICTURE, "sounds": {titles[name]: path for name, path in SOUNDS.items()}}


def _weights_of_samples(repo_id: str, weights: Sequence[str], token: str | None) -> dict[str, str] | None:
    """Return the sha256 of the weights beside a repository's samples; None where it lacks any of them."""
    files = [PICTURE, *SOUNDS.values()]
    try:
        found = HfApi(token=token).get_paths_info(repo_id, [*files, *weights])
    except RepositoryNotFoundError:
        return None
    hashes = {file.path: file.lfs.sha256 if file.lfs else None for file in found}
    if not set(files) <= set(hashes):
        return None
    return {path: sha256 for path in weights if (sha256 := hashes.get(path)) is not None}


def _write_samples(folder: Path, pipeline: MusemoPipeline) -> None:
    from musemo_hf.reporting.figures import spectrogram_grid, to_png

    pipeline.set_progress_bar_config(disable=True)
    (folder / FOLDER).mkdir(exist_ok=True)
    songs = {name: pipeline(*point, seed=0).songs[0] for name, point in PRESETS.items()}
    for name, song in songs.items():
        song.save(folder / SOUNDS[name])
    figure = spectrogram_grid({"generated": [song.spectrogram for song in songs.values()]}, list(songs))
    (folder / PICTURE).write_bytes(to_png(figure, dpi=90))
