"""Configurations of a data set are pushed one by one or together, and none takes another's place."""

import pytest
import yaml

PUSH = """
    import time
    import numpy as np
    from datasets import Array2D, Dataset, Features, Value, load_dataset
    from musemo_hf.hub import push_dataset
    time.sleep = lambda seconds: None

    def songs(n_songs, n_frames):
        rows = {"artist": [f"artist {i % 3}" for i in range(n_songs)], "fold": [i % 2 for i in range(n_songs)],
                "spectrogram": np.random.default_rng(0).normal(size=(n_songs, 128, n_frames)).astype(np.float32)}
        kinds = Features(artist=Value("string"), fold=Value("int8"), spectrogram=Array2D((128, n_frames), "float32"))
        return Dataset.from_dict(rows, features=kinds)

    short, long = songs(7, 431), songs(4, 1292)
    repo = "ana/two"
"""


@pytest.fixture(scope="module")
def seen(hub, new_client):
    # the first two pushes read the card once each; the third finds the Hub failing
    fault = hub.fail("HEAD /datasets/ana/two/resolve/main/README.md", status=503, after=2, times=3)
    code = """
    both = {"excerpt_10s": short, "excerpt_30s": long}
    result = {
        "first": [push_dataset(repo, {"excerpt_10s": short}) for _ in range(2)],
        "second": [push_dataset(repo, {"excerpt_30s": long}, max_shard_bytes=1_500_000) for _ in range(2)],
        "default": load_dataset(repo, split="train").features["spectrogram"].shape[1],
        "rows": [load_dataset(repo, name, split="train").num_rows for name in sorted(both)],
        "wrong": [],
    }
    for configs in ({}, {"excerpt_5s": short}):
        try:
            push_dataset(repo, configs)
        except ValueError as error:
            result["wrong"].append(str(error))
    """
    seen = new_client().run(PUSH + code)
    hub.heal()
    assert fault.hits > fault.after + fault.times, "the client must have met the fault, and come back"
    return seen


def test_each_configuration_is_one_commit(hub, seen):
    (first, first_again), (second, second_again) = seen["first"], seen["second"]
    assert first == first_again
    assert second == second_again
    assert [commit.oid for commit in hub.repository("datasets", "ana/two").commits[1:]] == [first, second]


def test_the_first_configuration_survives_the_second_although_the_hub_answers_503(seen):
    assert seen["rows"] == [7, 4]
    assert seen["default"] == 1292, "excerpt_30s is the default wherever it is"


def test_large_configurations_come_in_shards(hub, seen):
    shards = [path for path in hub.files("datasets", "ana/two") if path.startswith("excerpt_30s/")]
    assert shards == [f"excerpt_30s/train-{i:05d}-of-00002.parquet" for i in range(2)]


def test_the_card_lists_both(hub, seen):
    card = hub.files("datasets", "ana/two")["README.md"].decode()
    metadata = yaml.safe_load(card.split("---")[1])
    assert [config["config_name"] for config in metadata["configs"]] == ["excerpt_10s", "excerpt_30s"]
    assert "| `excerpt_10s` | 7 | 431 | 10 |" in card
    assert "| `excerpt_30s` | 4 | 1292 | 30 |" in card
    assert "by 3 artists" in card


def test_other_configurations_are_refused(seen):
    none, unknown = seen["wrong"]
    assert "got none" in none
    assert "excerpt_5s" in unknown
