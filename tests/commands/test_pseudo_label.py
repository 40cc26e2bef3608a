"""A folder of songs becomes a corpus in DEAM's layout, and everything made of it says that it has pseudo-labels."""

import csv
import errno
import json
import os
from pathlib import Path

import numpy as np
import pytest
import soundfile
from accelerate import Accelerator
from huggingface_hub import ModelCard

from musemo_hf import DeamSpectrograms
from musemo_hf.data.deam.layout import find_deam
from musemo_hf.data.deam.metadata import FIRST_OTHER_ID
from musemo_hf.data.deam.songs import list_songs
from musemo_hf.data.pack import read_pack
from musemo_hf.data.pseudo_labels import read_manifest
from musemo_hf.hub.cards import render_card
from musemo_hf.training.configuration import DataSettings
from musemo_hf.training.corpus import load_songs
from musemo_hf.training.generators import write_training_report

TITLE = "pseudo-labels by"


@pytest.fixture
def music(make_song, tmp_path):
    """Five songs, of which one carries tags, beside a spoilt file, a click and a picture."""
    make_song("music/Ana Bee - Rain.wav", 2.0, 0)
    make_song("music/deep/01 - Nameless.flac", 4.0, 1)
    tagged = make_song("music/tagged.ogg", 3.0, 2)
    samples, rate = soundfile.read(tagged)
    with soundfile.SoundFile(tagged, "w", rate, 1) as file:
        file.artist, file.title, file.genre = "ANA  BEE", "Snow", "Folk"
        file.write(samples)
    make_song("music/zz.MP3", 2.0, 3, rate=44100)
    make_song("music/zzz.mp3", 2.5, 4)
    make_song("music/click.wav", 0.5)
    folder = tmp_path / "music"
    (folder / "junk.mp3").write_bytes(b"no audio")
    (folder / "cover.jpg").write_bytes(b"a picture")
    (folder / ".hidden.mp3").write_bytes(b"no audio")
    return folder


def rows(folder):
    with (folder / "pseudo_labels.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def contents(folder):
    """Relative path -> bytes of all files that do not name their own place."""
    return {path.relative_to(folder): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture
def corpus(musemo, music, recogniser, tmp_path):
    out_dir = tmp_path / "corpus"
    status, _, err = musemo("pseudo-label", music, out_dir, "--recogniser", recogniser)
    assert status == 0, err
    return out_dir


def test_pseudo_labels_are_the_answers_of_predict(musemo, music, corpus, recogniser):
    files = [row["file"] for row in rows(corpus)]
    assert files == ["Ana Bee - Rain.wav", "deep/01 - Nameless.flac", "tagged.ogg", "zz.MP3", "zzz.mp3"]
    status, out, _ = musemo("predict", *(music / file for file in files), "--checkpoint", recogniser, "--json")
    assert status == 0
    songs, skipped = list_songs(find_deam(corpus), n_folds=2)
    assert not skipped
    assert [song.song_id for song in songs] == list(range(FIRST_OTHER_ID, FIRST_OTHER_ID + 5))
    for song, said in zip(songs, json.loads(out)["songs"], strict=True):
        assert song.annotation.emotion == pytest.approx((said["valence"], said["arousal"]), abs=1e-4)
        windows = [[window[name] for name in ("valence", "arousal")] for window in said["path"]]
        assert song.annotation.emotion_std == pytest.approx(np.std(windows, axis=0, ddof=1), abs=2e-4)


def test_artists_by_tag_and_by_name_share_a_fold(corpus, music):
    known = {Path(row["file"]).stem: (row["artist"], row["title"], row["genre"]) for row in rows(corpus)}
    assert known["Ana Bee - Rain"] == ("Ana Bee", "Rain", "")
    assert known["tagged"] == ("ANA BEE", "Snow", "Folk")
    assert known["01 - Nameless"] == ("", "Nameless", "")
    songs, _ = list_songs(find_deam(corpus), n_folds=2)
    assert songs[0].fold == songs[2].fold
    assert songs[2].metadata.genre == "Folk"
    assert songs[0].path.samefile(music / "Ana Bee - Rain.wav")  # a link, and no copy


def test_the_counts_and_what_was_left_out(musemo, music, recogniser, tmp_path):
    status, out, err = musemo("pseudo-label", music, tmp_path / "out", "--recogniser", recogniser)
    assert status == 0, err
    assert "songs    5, 0.00 h, by 1 known artists; the artists of 3 are not known" in out
    assert "not labels of people" in out
    assert "skipped  corrupt 1, too short 1" in out
    assert "too short, such as click.wav: expected at least the 0.906 s of the recogniser's window, got 0.50 s" in out
    assert "not read 1 other files (.jpg 1)" in out
    with (tmp_path / "out" / "skipped.csv").open(newline="") as file:
        assert {row["reason"] for row in csv.DictReader(file)} == {"corrupt", "too short"}


def test_a_calibrated_recogniser_gives_its_deviation(musemo, music, make_recogniser, tmp_path):
    calibrated = make_recogniser(emotion_error=[0.1, 0.2])
    status, _, err = musemo("pseudo-label", music, tmp_path / "out", "--recogniser", calibrated)
    assert status == 0, err
    songs, _ = list_songs(find_deam(tmp_path / "out"), n_folds=2)
    assert [song.annotation.emotion_std for song in songs] == [pytest.approx((0.1, 0.2))] * 5
    assert "root mean square error" in read_manifest(tmp_path / "out").deviation


def test_a_stopped_run_goes_on_to_the_same_end(musemo, music, corpus, recogniser, tmp_path):
    whole, again = contents(corpus), tmp_path / "again"
    hidden = {name: music / name for name in ("tagged.ogg", "zz.MP3", "zzz.mp3")}
    for path in hidden.values():
        path.rename(tmp_path / path.name)
    musemo("pseudo-label", music, again, "--recogniser", recogniser)
    for name in ("annotations", "metadata"):  # which a stopped run has not written yet
        for table in (again / name).iterdir():
            table.unlink()
    with (again / "pseudo_labels.csv").open("a") as file:
        file.write("10003,tagged.ogg,0.1")  # a line that a killed process did not finish
    (again / "MEMD_audio" / "10003.wav").write_bytes(b"of a song that was not written down")
    for name, path in hidden.items():
        (tmp_path / name).rename(path)
    first = (again / "MEMD_audio" / "10001.wav").stat().st_ino
    status, _, err = musemo("pseudo-label", music, again, "--recogniser", recogniser)
    assert status == 0, err
    assert contents(again) == whole
    assert (again / "MEMD_audio" / "10001.wav").stat().st_ino == first


def test_no_folder_of_someone_else(musemo, music, corpus, recogniser, make_recogniser, tmp_path):
    before = contents(corpus)
    other = make_recogniser(hidden_size=32)
    for arguments in (("--recogniser", other), ("--recogniser", recogniser, "--hop", "0.2")):
        status, out, err = musemo("pseudo-label", music, corpus, *arguments)
        assert (status, out) == (1, "")
        assert "one begun with" in err
    assert contents(corpus) == before
    for target in (tmp_path, music / "within"):
        status, _, err = musemo("pseudo-label", music, target, "--recogniser", recogniser)
        assert status == 1
        assert str(target) in err
    assert not (music / "within").exists()


def test_nothing_to_label(musemo, recogniser, tmp_path):
    (tmp_path / "empty").mkdir()
    assert "found none" in musemo("pseudo-label", tmp_path / "empty", tmp_path / "a", "--recogniser", recogniser)[2]
    assert not (tmp_path / "a").exists()
    (tmp_path / "empty" / "junk.wav").write_bytes(b"no audio")
    status, _, err = musemo("pseudo-label", tmp_path / "empty", tmp_path / "a", "--recogniser", recogniser)
    assert status == 1
    assert "got none; skipped: corrupt 1" in err.splitlines()[-1]
    assert "found none" in musemo("pseudo-label", tmp_path / "nowhere", tmp_path / "a")[2]
    assert "positive --hop" in musemo("pseudo-label", tmp_path / "empty", tmp_path / "a", "--hop", "0")[2]


def test_whatever_is_wrong_with_a_file_it_is_skipped_by_name(musemo, music, corpus, recogniser, make_song, tmp_path):
    whole = rows(corpus)
    name = os.fsdecode(b"caf\xe9.wav")
    make_song("music/x.wav", 2.0).rename(music / name)
    soundfile.write(music / "silent.wav", np.zeros(44100), 22050)
    (music / "empty.mp3").write_bytes(b"")
    (music / os.fsdecode(b"\xff.flac")).write_bytes(b"fLaC" + bytes(50))
    (music / os.fsdecode(b"cover.\xe9")).write_bytes(b"")
    for out_dir in (tmp_path / "other", tmp_path / "other"):  # the second time nothing is left to do
        status, out, err = musemo("pseudo-label", music, out_dir, "--recogniser", recogniser)
        assert status == 0, err
        assert [row["file"] for row in rows(out_dir)] == sorted([*(row["file"] for row in whole), r"caf\xe9.wav"])
        with (out_dir / "skipped.csv").open(newline="") as file:
            details = [row["detail"] for row in csv.DictReader(file)]
        for skipped in ("silent.wav: The audio is silent", "empty.mp3: ", r"\xff.flac: "):
            assert any(detail.startswith(skipped) for detail in details)
    assert "not read 2 other files (.\\xe9 1, .jpg 1)" in out


def test_a_full_disk_ends_the_run_and_a_further_one_goes_on(musemo, music, corpus, recogniser, tmp_path, monkeypatch):
    """The third song cannot be laid down: neither as a link nor, with /dev/full in its place, as a copy."""
    out_dir, link = tmp_path / "full", os.link

    def full(source, target):
        if "10003" in str(target):
            Path(target).symlink_to("/dev/full")
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(target))
        link(source, target)

    with monkeypatch.context() as patched:
        patched.setattr(os, "link", full)
        status, _, err = musemo("pseudo-label", music, out_dir, "--recogniser", recogniser)
    assert status == 1
    assert "No space left" in err
    assert len(rows(out_dir)) == 2
    assert sorted(path.name for path in (out_dir / "MEMD_audio").iterdir()) == ["10001.wav", "10002.flac"]
    assert musemo("pseudo-label", music, out_dir, "--recogniser", recogniser)[0] == 0
    assert contents(out_dir) == contents(corpus)


@pytest.fixture
def half_minute(musemo, make_song, recogniser, tmp_path, monkeypatch):
    """A corpus of two songs of half a minute; data sets are prepared in a cache of the test."""
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")
    for seed in range(2):
        make_song(f"albums/{seed}.flac", 30.1, seed)
    status, _, err = musemo(
        "pseudo-label", tmp_path / "albums", tmp_path / "long", "--recogniser", recogniser, "--hop", 5
    )
    assert status == 0, err
    return tmp_path / "long"


def test_corpus_pack_and_card_say_that_labels_are_predicted(musemo, half_minute, tmp_path, caplog):
    settings = DataSettings(config_name="first_30s")
    songs, facts = load_songs(settings, half_minute, Accelerator(cpu=True))
    assert songs.spectrogram.shape == (2, 128, 1292)
    assert set(songs.year.tolist()) == {0}
    assert facts["name"].startswith(f"2 songs of albums, {TITLE} ")
    assert (facts["heard"], facts["n_unknown_artists"]) == (True, 2)
    assert "not labels of people" in caplog.text
    builder = DeamSpectrograms(config_name="first_30s", data_dir=half_minute)
    builder.download_and_prepare()
    assert builder.as_dataset("train").info.description.startswith(facts["name"])

    pack = tmp_path / "songs.safetensors"
    status, out, err = musemo("prepare", half_minute, "--config-name", "first_30s", "--pack", pack)
    assert status == 0, err
    assert f"labels   not of people: {facts['name']}" in out
    assert read_pack(pack)[1].pseudo_labels == facts["name"]
    packed, its_facts = load_songs(settings, pack, Accelerator(cpu=True))
    assert {name: its_facts[name] for name in facts} == facts
    np.testing.assert_array_equal(packed.emotion, songs.emotion)

    write_training_report(tmp_path, facts, 2, "tiny", [0], "train")
    report = json.loads((tmp_path / "report.json").read_text())
    model = {"n_parameters": 1, "n_frames": 1292, "seconds": 30.0, "sampling_rate": 22050, "architecture": "gan"}
    text = render_card("generator", report, repo_id="ana/music", discriminator=False, **model)
    assert f"Corpus: {facts['name']}, 2 songs" in text
    assert "are predicted by a recogniser, and not labels of people" in text
    assert "DEAM" not in text
    assert ModelCard(text).data.license == "other"


def test_pseudo_labels_are_not_pushed_as_deam(musemo, corpus):
    status, _, err = musemo("push", "dataset", "ana/deam", "--data", corpus)
    assert status == 1
    assert "with labels of people" in err
    assert TITLE in err


def test_of_labelled_songs_no_report_is_written(tmp_path):
    write_training_report(tmp_path, {"name": "DEAM", "procedural": False}, 2, "tiny", [0], "train")
    assert not list(tmp_path.iterdir())


def test_the_former_name_of_the_command_warns(musemo, music, corpus, recogniser, tmp_path):
    with pytest.warns(FutureWarning, match="`musemo listen` is now `musemo pseudo-label`"):
        status, _, err = musemo("listen", music, tmp_path / "again", "--recogniser", recogniser)
    assert status == 0, err
    assert contents(tmp_path / "again") == contents(corpus)
    assert "listen" not in musemo("--help")[1]


def test_a_corpus_with_the_former_file_names_is_read_and_resumed(musemo, music, corpus, recogniser):
    expected, before = list_songs(find_deam(corpus), n_folds=2), read_manifest(corpus)
    (corpus / "pseudo_labels.json").rename(corpus / "heard_corpus.json")
    (corpus / "pseudo_labels.csv").rename(corpus / "heard.csv")
    with pytest.warns(FutureWarning, match="name of this file is now pseudo_labels.json"):
        assert read_manifest(corpus) == before
    with pytest.warns(FutureWarning, match=r"name of this file is now pseudo_labels.csv"):
        status, out, err = musemo("pseudo-label", music, corpus, "--recogniser", recogniser)
    assert status == 0, err
    assert "songs    5," in out
    assert not (corpus / "pseudo_labels.csv").exists()
    assert list_songs(find_deam(corpus), n_folds=2) == expected
