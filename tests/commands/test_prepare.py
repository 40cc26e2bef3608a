import shutil
import warnings

import datasets
import pytest

from musemo_hf import DeamSpectrograms
from musemo_hf.data.demo_corpus import render_demo_corpus
from musemo_hf.data.pack import read_pack
from musemo_hf.data.pseudo_labels import PseudoLabelCorpus, write_manifest


@pytest.fixture(scope="module")
def deam(tmp_path_factory):
    """Six songs of the demonstration corpus, of ten seconds in DEAM's layout, one of them spoilt."""
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


def test_several_processes_read_the_same_songs(musemo, deam, tmp_path):
    for jobs in ("1", "2"):
        arguments = ["prepare", deam, "--config-name", "excerpt_10s", "--cache-dir", tmp_path / jobs, "--jobs", jobs]
        status, out, err = musemo(*arguments, "--output", tmp_path / f"saved{jobs}")
        assert status == 0, err
        assert "skipped  corrupt 1" in out
    one, two = (datasets.load_from_disk(str(tmp_path / f"saved{jobs}")) for jobs in "12")
    assert one[:] == two[:]


def test_a_pack_is_written_and_described(musemo, deam, tmp_path):
    arguments = ["prepare", deam, "--config-name", "excerpt_10s", "--cache-dir", tmp_path / "cache"]
    status, out, err = musemo(*arguments, "--pack", tmp_path / "songs.safetensors")
    assert status == 0, err
    songs, pack = read_pack(tmp_path / "songs.safetensors")
    assert len(songs) == 5
    assert (pack.config_name, pack.labels, pack.procedural, pack.n_skipped) == ("excerpt_10s", "corrected", True, 1)
    size = (tmp_path / "songs.safetensors").stat().st_size
    packed, error = out.splitlines()[-2:]
    assert f"{size / 1e6:.1f} MB of at most 50 MB, hash {pack.songs_hash[:16]}" in packed
    assert f"steps of {pack.step:g} dB: error at most {pack.step / 2:g} dB" in error
    assert f"root mean square {pack.rms_error:.3f} dB" in error


def test_a_pack_is_a_file(musemo, deam, tmp_path):
    status, out, err = musemo("prepare", deam, "--pack", tmp_path)
    assert (status, out) == (1, "")
    assert f"expected a file as --pack, got the folder {tmp_path}" in err


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


@pytest.mark.parametrize("labels", ["corrected", "published"])
def test_labels_of_people_are_not_chosen_for_pseudo_labels(musemo, deam, tmp_path, labels):
    folder = tmp_path / "corpus"
    shutil.copytree(deam, folder)
    corpus = PseudoLabelCorpus(1, "jazz", str(deam), "the packaged recogniser", "0" * 64, 10.0, n_songs=6)
    write_manifest(folder, corpus)
    status, out, err = musemo("prepare", folder, "--labels", labels, "--config-name", "excerpt_10s")
    assert (status, out) == (1, "")
    assert f"expected no --labels, since {folder} holds 6 songs of jazz, pseudo-labels by" in err
    with pytest.raises(ValueError, match='got "published"'):
        DeamSpectrograms(tmp_path / "cache", "excerpt_10s", folder, "published")
