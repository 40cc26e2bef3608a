import warnings

import datasets
import pytest

from musemo_hf.data.demo_corpus import render_demo_corpus


@pytest.fixture(scope="module")
def deam(tmp_path_factory):
    """Six procedural songs of ten seconds in DEAM's layout, one of them spoilt."""
    folder = render_demo_corpus(tmp_path_factory.mktemp("corpus") / "DEAM", n_songs=6, duration=10.3)
    first = sorted(folder.rglob("*.mp3"))[0]
    first.write_bytes(b"no audio")
    return folder


def test_counts_folds_and_skipped_songs(musemo, deam, tmp_path):
    arguments = ["prepare", deam, "--config-name", "excerpt_10s", "--cache-dir", tmp_path / "cache"]
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        status, out, err = musemo(*arguments, "--labels", "published", "--output", tmp_path / "saved")
    assert status == 0, err
    report = dict(line.split(maxsplit=1) for line in out.splitlines() if not line.startswith(" "))
    assert report["songs"].startswith("5 by ")
    assert report["songs"].endswith("excerpt_10s, 128 x 431 dB")
    assert report["labels"] == "published"
    assert sum(int(part.split(": ")[1]) for part in report["folds"].split(", ")) == 5
    assert report["skipped"] == "corrupt 1"
    assert len(datasets.load_from_disk(str(tmp_path / "saved"))) == 5


def test_too_short_for_the_configuration(musemo, deam, tmp_path):
    status, _, err = musemo("prepare", deam, "--cache-dir", tmp_path)
    assert status == 1
    assert err.splitlines()[-1].startswith("musemo prepare: ")
    assert 'config_name="excerpt_10s"' in err


def test_no_deam(musemo, tmp_path):
    status, _, err = musemo("prepare", tmp_path)
    assert status == 1
    assert err.startswith("musemo prepare: ")
    assert err.count("\n") == 1
