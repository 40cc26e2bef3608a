"""DEAM's spectrograms -> a data set on the Hub, as Parquet."""

import tempfile
from collections.abc import Mapping
from pathlib import Path

from datasets import Dataset
from huggingface_hub import DatasetCard, HfApi
from huggingface_hub.errors import EntryNotFoundError

from musemo_hf.audio.mel import MelSettings
from musemo_hf.hub.cards import render_card
from musemo_hf.hub.transfer import push_folder, with_retries

CONFIGS = ("excerpt_30s", "excerpt_10s")  # the first that is given becomes the default
CARD = "README.md"


def push_dataset(
    repo_id: str,
    configs: Mapping[str, Dataset],
    labels: str = "corrected",
    max_shard_size: str = "200MB",
    private: bool = False,
    token: str | None = None,
    tag: str | None = None,
) -> str:
    """Push prepared data sets as the configurations of one repository, with a card.

    Args:
        repo_id: "user/name".
        configs: name of a configuration -> `DeamSpectrograms(config_name=name, ...).as_dataset("train")`.
        labels: what the builder was told: "corrected" or "published".
        max_shard_size: of a Parquet file.
        private: of a repository that is made.
        token: with write access; from `HF_TOKEN` or `hf auth login` where None.
        tag: a name for the resulting revision.

    Returns:
        The hash of the repository's newest commit; the one before where nothing changed.

    Raises:
        ValueError: no configuration, or an unknown one.
        HubPushError: see `push_folder`.
    """
    unknown = set(configs) - set(CONFIGS)
    if not configs or unknown:
        raise ValueError(f"expected configurations out of {', '.join(CONFIGS)}, got {sorted(configs) or 'none'}")
    names = [name for name in CONFIGS if name in configs]
    for name in names:
        with_retries(
            lambda name=name: configs[name].push_to_hub(  # type: ignore[misc]
                repo_id,
                config_name=name,
                split="train",
                set_default=name == names[0],
                max_shard_size=max_shard_size,
                private=private,
                token=token,
                commit_message=f"Upload {name}",
            ),
            repo_id,
        )
    card = _card(repo_id, {name: configs[name] for name in names}, labels, token)
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, CARD).write_text(card, encoding="utf-8")
        return push_folder(folder, repo_id, "dataset", "Upload card", private, token, tag)


def _card(repo_id: str, configs: dict[str, Dataset], labels: str, token: str | None) -> str:
    """Our card with the YAML that `datasets` wrote about files and features, which its viewer and loader read."""
    first = next(iter(configs.values()))
    card = DatasetCard(
        render_card(
            "data_set",
            repo_id=repo_id,
            labels=labels,
            n_songs=len(first),
            n_artists=len(set(first["artist"])),
            n_folds=max(first["fold"]) + 1,
            configs=[_config(name, songs) for name, songs in configs.items()],
        )
    )
    written = with_retries(lambda: _present(repo_id, token), repo_id)
    for key in ("configs", "dataset_info"):
        if written is not None and (value := written.data.get(key)) is not None:
            card.data[key] = value
    return str(card)


def _present(repo_id: str, token: str | None) -> DatasetCard | None:
    try:
        path = HfApi(token=token).hf_hub_download(repo_id, CARD, repo_type="dataset")
    except EntryNotFoundError:
        return None
    return DatasetCard.load(path)


def _config(name: str, songs: Dataset) -> dict[str, object]:
    settings = MelSettings()
    n_frames = songs.features["spectrogram"].shape[1]
    seconds = settings.n_samples(n_frames) / settings.sampling_rate
    return {"name": name, "n_songs": len(songs), "n_frames": n_frames, "seconds": seconds}
