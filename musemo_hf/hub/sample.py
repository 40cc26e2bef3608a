"""The sample on a generator's card: one preset with seed 0, as a picture and as sound."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

from huggingface_hub import HfApi
from huggingface_hub.errors import RepositoryNotFoundError

from musemo_hf.hub.transfer import with_retries
from musemo_hf.pipelines.emotion_to_music import PRESETS, MusemoPipeline
from musemo_hf.pipelines.song import Song

PICTURE, SOUND = "sample.png", "sample.flac"
SAMPLE = PRESETS["happy & energetic"]


def add_sample(
    folder: Path, weights: Sequence[str], pipeline: MusemoPipeline, repo_id: str, token: str | None = None
) -> dict[str, str]:
    """Write a song as picture and sound; the repository's own sample stays where its weights are the same.

    Another number of threads sums in another order: the same song in other bytes would be another commit.

    Args:
        folder: The folder that will be pushed, with the weights in it.
        weights: The paths of the weights within the folder, of all networks that make the song.
        pipeline: The pipeline that makes the song.
        repo_id: The repository that the folder will be pushed to.
        token: An access token with read access to the repository.

    Returns:
        `picture` and `sound`, the names of the files, for the card.
    """
    ours = {path: hashlib.sha256((folder / path).read_bytes()).hexdigest() for path in weights}
    if with_retries(lambda: _weights_of_sample(repo_id, weights, token), repo_id) != ours:
        _write_sample(folder, pipeline)
    return {"picture": PICTURE, "sound": SOUND}


def _weights_of_sample(repo_id: str, weights: Sequence[str], token: str | None) -> dict[str, str] | None:
    """Return the sha256 of the weights beside a repository's sample; None where it lacks any of them."""
    try:
        found = HfApi(token=token).get_paths_info(repo_id, [PICTURE, SOUND, *weights])
    except RepositoryNotFoundError:
        return None
    hashes = {file.path: file.lfs.sha256 if file.lfs else None for file in found}
    if not {PICTURE, SOUND} <= set(hashes):
        return None
    return {path: sha256 for path in weights if (sha256 := hashes.get(path)) is not None}


def _write_sample(folder: Path, pipeline: MusemoPipeline) -> None:
    from matplotlib.figure import Figure

    pipeline.set_progress_bar_config(disable=True)
    song: Song = pipeline(*SAMPLE, seed=0).songs[0]
    song.save(folder / SOUND)
    figure = Figure(figsize=(9, 3.2), layout="constrained")
    song.plot(figure.subplots())
    figure.savefig(folder / PICTURE, dpi=120)
