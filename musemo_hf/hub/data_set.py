"""Pushing the spectrograms of DEAM as a data set of Parquet files."""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Unpack

from datasets import Dataset, DatasetInfo, Features, SplitDict, SplitInfo
from datasets.info import DatasetInfosDict
from datasets.utils.metadata import MetadataConfigs
from huggingface_hub import DatasetCard, HfApi
from huggingface_hub.errors import RemoteEntryNotFoundError, RepositoryNotFoundError

from musemo_hf.audio.mel import MelSettings
from musemo_hf.hub.cards import render_card
from musemo_hf.hub.transfer import PushOptions, push_folder, with_retries

CONFIGS = ("excerpt_30s", "excerpt_10s")  # the first that a repository has is its default
CARD = "README.md"


def push_dataset(
    repo_id: str,
    configs: Mapping[str, Dataset],
    labels: str = "corrected",
    max_shard_bytes: int = 200_000_000,
    **options: Unpack[PushOptions],
) -> str:
    """Push prepared data sets as configurations of one repository, with a card; other configurations in it stay.

    The files and the YAML are those of `Dataset.push_to_hub(config_name=)`. It is not called, since it makes several
    commits, and since a second call drops the mark of the default configuration (datasets 5.2).

    Args:
        repo_id: The repository as "user/name".
        configs: The data sets by name of configuration, as `DeamSpectrograms.as_dataset("train")` returns them.
        labels: The labels that the builder was given: "corrected" or "published".
        max_shard_bytes: The largest size of a Parquet file in bytes, before compression.
        **options: `private`, `token` and `tag`, see `push_folder`.

    Returns:
        The hash of the repository's newest commit.

    Raises:
        ValueError: There is no configuration, or an unknown one.
        HubPushError: See `push_folder`.
    """
    unknown = set(configs) - set(CONFIGS)
    if not configs or unknown:
        raise ValueError(f"expected configurations out of {', '.join(CONFIGS)}, got {sorted(configs) or 'none'}")
    infos = with_retries(lambda: _read_configurations(repo_id, options.get("token")), repo_id)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for config, songs in configs.items():
            infos[config] = _write_parquet(folder, config, songs, max_shard_bytes)
        infos = {config: infos[config] for config in CONFIGS if config in infos}
        (folder / CARD).write_text(_card(repo_id, infos, next(iter(configs.values())), labels), encoding="utf-8")
        return push_folder(folder, repo_id, "dataset", f"Upload {', '.join(configs)}", **options)


def _write_parquet(folder: Path, config: str, songs: Dataset, max_shard_bytes: int) -> DatasetInfo:
    """Write `config/train-00000-of-0000N.parquet`, and return what the card's YAML says of the files."""
    n_bytes = songs.data.nbytes
    n_shards = max(1, -(-n_bytes // max_shard_bytes))
    (folder / config).mkdir()
    for index in range(n_shards):
        shard = songs.shard(n_shards, index, contiguous=True)
        shard.to_parquet(folder / config / f"train-{index:05d}-of-{n_shards:05d}.parquet")
    download = sum(path.stat().st_size for path in (folder / config).iterdir())
    splits = SplitDict()
    splits.add(SplitInfo("train", num_bytes=n_bytes, num_examples=len(songs)))
    return DatasetInfo(
        config_name=config, features=songs.features, splits=splits, download_size=download, dataset_size=n_bytes
    )


def _read_configurations(repo_id: str, token: str | None) -> dict[str, DatasetInfo]:
    """Read the configurations that are on the repository's card.

    The cache is not used: an old card, read while the Hub fails, would make this push drop later configurations.
    """
    with tempfile.TemporaryDirectory() as cache:
        try:
            path = HfApi(token=token).hf_hub_download(repo_id, CARD, repo_type="dataset", cache_dir=cache)
        except (RemoteEntryNotFoundError, RepositoryNotFoundError):
            return {}
        return dict(DatasetInfosDict.from_dataset_card_data(DatasetCard.load(path).data))


def _card(repo_id: str, infos: dict[str, DatasetInfo], songs: Dataset, labels: str) -> str:
    facts = {
        "n_songs": len(songs),
        "n_artists": len(set(songs["artist"])),
        "n_folds": max(songs["fold"]) + 1,
        "labels": labels,
        "configs": [_row(name, info) for name, info in infos.items()],
    }
    card = DatasetCard(render_card("data_set", repo_id=repo_id, **facts))
    files: dict[str, dict[str, Any]] = {
        name: {"data_files": [{"split": "train", "path": f"{name}/train-*"}]} for name in infos
    }
    files[next(iter(files))]["default"] = True
    DatasetInfosDict(infos).to_dataset_card_data(card.data)
    MetadataConfigs(files).to_dataset_card_data(card.data)
    return str(card)


def _row(name: str, info: DatasetInfo) -> dict[str, object]:
    settings = MelSettings()
    n_frames = Features(info.features)["spectrogram"].shape[1]
    seconds = settings.n_samples(n_frames) / settings.sampling_rate
    return {"name": name, "n_songs": info.splits["train"].num_examples, "n_frames": n_frames, "seconds": seconds}
