import os
import subprocess
import sys
import textwrap
import threading
import warnings
from pathlib import Path

import numpy as np
import pytest
import soundfile
from datasets import load_dataset
from torch.utils.data import DataLoader

from musemo_hf import DeamSpectrograms
from musemo_hf.data.deam.annotations import AnnotationError
from musemo_hf.data.deam.deam import ChangedFolderError, NoSongsError
from musemo_hf.data.folds import folds_hash
from musemo_hf.data.skipped import SkippedSong

SECOND = {"config_name": "excerpt_10s", "n_frames": 44}  # excerpts of one second: quick to write and to read


@pytest.fixture
def prepare(tmp_path):
    def prepare_(root, num_proc=None, **options):
        builder = DeamSpectrograms(cache_dir=tmp_path / "cache", data_dir=root, **options)
        builder.download_and_prepare(num_proc=num_proc)
        return builder, builder.as_dataset("train")

    return prepare_


def test_both_configurations_on_songs_of_45_seconds(deam_folder, make_tone, prepare):
    steps = np.concatenate([make_tone(15, 300), make_tone(15, 1000), make_tone(15.1, 3000)])
    deam_folder.add(1, steps, artist="Jahzzar")
    builder, long = prepare(deam_folder.write())
    assert builder.config.name == "excerpt_30s"
    assert long.with_format("numpy")[0]["spectrogram"].shape == (128, 1292)
    loudest = long.with_format("numpy")[0]["spectrogram"].argmax(axis=0)
    assert len(set(loudest[20:600])) == len(set(loudest[700:1270])) == 1  # 1 kHz from 15 s, 3 kHz from 30 s
    assert loudest[20] < loudest[700]
    short = prepare(deam_folder.root, config_name="excerpt_10s")[1].with_format("numpy")[0]
    assert short["spectrogram"].shape == (128, 431)
    assert set(short["spectrogram"].argmax(axis=0)[5:-5]) == {loudest[700]}


@pytest.mark.parametrize("layout", ["flat", "archive", "unzipped"])
def test_columns(make_folder, make_tone, prepare, layout):
    folder = make_folder(layout)
    folder.add(2001, make_tone(1.5), (1, 0.4, 9, 4))
    folder.add(7, make_tone(1.5), (3, 1, 7, 2), artist="Mr. & Mrs. Smith")
    folder.add(1500, make_tone(1.5), (3, 1, 7, 2))
    builder, songs = prepare(folder.write(), n_folds=2, **SECOND)
    assert songs["song_id"] == [7, 1500, 2001]
    assert {name: feature.dtype for name, feature in songs.features.items() if hasattr(feature, "dtype")} == {
        **dict.fromkeys(["artist", "title", "genre"], "string"),
        **{"song_id": "int32", "year": "int16", "fold": "int8", "duration": "float32", "spectrogram": "float32"},
    }
    first, second, third = songs
    assert (first["artist"], first["title"], first["genre"]) == ("Mr. & Mrs. Smith", "Song 7", "Blues")
    assert (second["genre"], third["genre"]) == ("Rock-Pop", "Jazz")
    assert songs["year"] == [2013, 2014, 2015]
    assert songs["emotion"] == [[0.5, -0.5], [-0.5, 0.5], [-1, 1]]
    np.testing.assert_allclose(songs["emotion_std"], [[0.5, 0.25], [0.25, 0.5], [0.1, 1]], rtol=1e-6)
    np.testing.assert_allclose(songs["duration"], 1.5, atol=0.06)
    assert builder.skipped == []
    assert f"sha256 {folds_hash(songs['song_id'], songs['fold'])}" in songs.info.description


def test_published_labels(deam_folder, make_tone, prepare):
    deam_folder.add(7, make_tone(1.1), (3, 1, 7, 2))
    (song,) = prepare(deam_folder.write(), labels="published", **SECOND)[1]
    assert (song["emotion"], song["emotion_std"]) == ([-0.5, 0.5], [0.25, 0.5])
    with pytest.raises(ValueError, match='expected labels "corrected" or "published", got \'other\''):
        prepare(deam_folder.root, labels="other")


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".ogg", ".mp3", ".MP3"])
def test_formats(deam_folder, make_tone, prepare, suffix):
    deam_folder.add(7, np.stack([make_tone(1.1, rate=44100)] * 2, axis=1), suffix=suffix, rate=44100)
    (song,) = prepare(deam_folder.write(), **SECOND)[1].with_format("numpy")
    assert 8 <= song["spectrogram"].argmax(axis=0)[20] <= 18  # 440 Hz


@pytest.mark.parametrize("num_proc", [None, 2, 3])
def test_bad_files_are_listed_and_nothing_else_is_lost(deam_folder, make_tone, prepare, num_proc):
    deam_folder.add(1, make_tone(1.1))
    deam_folder.add(2, b"text that is named .mp3")
    deam_folder.add(3, b"")
    deam_folder.add(4, make_tone(0.1)[:1], suffix=".wav")
    deam_folder.add(5, make_tone(0.5))
    deam_folder.add(6, make_tone(1.1), label=None)
    deam_folder.add(7, None)
    deam_folder.add(8, make_tone(1.1), suffix=".flac")
    deam_folder.add(8, make_tone(1.1))
    deam_folder.add("intro", make_tone(1.1), label=None)
    song = deam_folder.add(9, make_tone(3))
    song.write_bytes(bytes(4000) + song.read_bytes()[4000:4200])
    soundfile.write(deam_folder.add(10, None, suffix=".wav"), np.full(30000, np.nan), 22050, subtype="FLOAT")
    deam_folder.add(2010, make_tone(1.1))
    del deam_folder.artists["intro"]
    with pytest.warns(
        UserWarning, match=r"10 songs were skipped: corrupt 4, duplicate audio 1, missing audio 1,"
    ) as met:
        builder, songs = prepare(deam_folder.write(), num_proc=num_proc, **SECOND)
    assert songs["song_id"] == [1, 8, 2010]
    assert [(song.song_id, song.reason) for song in builder.skipped] == [
        (-1, "no song id"),
        (2, "corrupt"),
        (3, "corrupt"),
        (4, "too short"),
        (5, "too short"),
        (6, "missing label"),
        (7, "missing audio"),
        (8, "duplicate audio"),
        (9, "corrupt"),
        (10, "corrupt"),
    ]
    assert all(song.detail for song in builder.skipped)
    listed = next(str(warning.message) for warning in met if "skipped" in str(warning.message)).split("listed in ")[1]
    assert listed == f"{builder.cache_dir}/skipped.csv"
    assert folds_hash(songs["song_id"], songs["fold"]) in songs.info.description


def test_processes_do_not_change_the_data_set(deam_folder, make_tone, tmp_path):
    for song_id in range(1, 8):
        deam_folder.add(song_id, make_tone(1.1, 100 * song_id))
    root, tables = deam_folder.write(), []
    for num_proc in (1, 2):
        builder = DeamSpectrograms(cache_dir=tmp_path / f"cache{num_proc}", data_dir=root, **SECOND)
        builder.download_and_prepare(num_proc=num_proc)
        tables.append(builder.as_dataset("train").with_format("numpy")[:])
    assert tables[0].keys() == tables[1].keys()
    for name, column in tables[0].items():
        np.testing.assert_array_equal(column, tables[1][name])


def test_a_changed_folder_is_prepared_anew_and_an_unchanged_one_is_not(deam_folder, make_tone, prepare):
    song = deam_folder.add(1, make_tone(1.1, 300))
    first, songs = prepare(deam_folder.write(), **SECOND)
    again, _ = prepare(deam_folder.root, **SECOND)
    assert again.cache_dir == first.cache_dir
    deam_folder.add(2, make_tone(1.1))
    added = prepare(deam_folder.write(), **SECOND)[1]
    assert (songs.num_rows, added.num_rows) == (1, 2)
    deam_folder.add(1, make_tone(1.1, 3000))
    assert song.exists()
    changed = prepare(deam_folder.root, **SECOND)[1].with_format("numpy")[0]["spectrogram"]
    assert changed.argmax(axis=0)[20] > added.with_format("numpy")[0]["spectrogram"].argmax(axis=0)[20]
    deam_folder.labels[1] = (2, 1, 2, 1)
    assert prepare(deam_folder.write(), **SECOND)[1][0]["emotion"] == [-0.75, -0.75]


def test_where_every_file_is_too_short_the_error_names_the_other_configuration(
    deam_folder, make_tone, prepare, tmp_path
):
    deam_folder.add(1, make_tone(10.02))
    deam_folder.add(2, b"")
    with pytest.raises(NoSongsError, match=r'got none; skipped: corrupt 1, too short 1.*config_name="excerpt_10s"'):
        prepare(deam_folder.write())
    assert not list(tmp_path.rglob("*.arrow"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert prepare(deam_folder.root, config_name="excerpt_10s")[1].num_rows == 1


def test_the_first_seconds_of_files_that_are_no_longer(deam_folder, make_tone, prepare):
    deam_folder.add(1, make_tone(30.0))
    deam_folder.add(2, np.concatenate([make_tone(30.0), make_tone(5.0, 3000)]))
    deam_folder.add(3, make_tone(27.3))
    builder, songs = prepare(deam_folder.write(), config_name="first_30s")
    assert [(song.song_id, song.reason) for song in builder.skipped] == [(3, "too short")]
    first, longer = songs.with_format("numpy")["spectrogram"]
    assert first.shape == (128, 1292)
    np.testing.assert_array_equal(first.argmax(axis=0)[5:-5], longer.argmax(axis=0)[5:-5])  # the tone's band


def test_a_folder_without_labelled_songs(deam_folder, make_tone, prepare):
    deam_folder.add(1, make_tone(1), label=None)
    with pytest.raises(NoSongsError, match=r"expected songs, got none; skipped: missing label 1"):
        prepare(deam_folder.write())


def test_an_error_in_a_table_reaches_the_caller_as_it_is(deam_folder, make_tone, prepare):
    deam_folder.add(1, make_tone(1.1), label=(12, 1, 3, 1))
    with pytest.raises(AnnotationError, match=r"1_2000.csv:2: expected valence_mean within 1-9, got '12'"):
        prepare(deam_folder.write(), **SECOND)


@pytest.mark.parametrize("num_proc", [1, 2])
def test_a_full_disk_is_an_error_and_leaves_nothing(deam_folder, make_tone, tmp_path, num_proc):
    for song_id in range(1, 7):
        deam_folder.add(song_id, make_tone(10.1))
    script = f"""
        import resource
        from musemo_hf import DeamSpectrograms
        builder = DeamSpectrograms(cache_dir={str(tmp_path / "cache")!r}, data_dir={str(deam_folder.write())!r},
                                   config_name="excerpt_10s")
        resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))  # the system refuses to write more to a file
        try:
            builder.download_and_prepare(num_proc={num_proc})
        except OSError as error:
            print("told:", error)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, check=True)
    assert "told: [Errno" in done.stdout, done.stdout + done.stderr
    assert "expected room for the data set, got: " in done.stdout
    left = [path for path in (tmp_path / "cache").rglob("*") if path.is_file() and path.suffix != ".lock"]
    assert left == []
    builder = DeamSpectrograms(cache_dir=tmp_path / "cache", data_dir=deam_folder.root, config_name="excerpt_10s")
    builder.download_and_prepare()
    assert builder.as_dataset("train").num_rows == 6


def test_what_a_killed_run_left_is_not_taken_over(deam_folder, make_tone, tmp_path):
    deam_folder.add(1, make_tone(1.1))
    builder = DeamSpectrograms(cache_dir=tmp_path / "cache", data_dir=deam_folder.write(), **SECOND)
    left = tmp_path / "cache" / f"{builder.cache_dir}.incomplete"
    left.mkdir(parents=True)
    (left / "99.skipped.csv").write_text("song_id,reason,detail\n99,corrupt,of another run\n")
    builder.download_and_prepare()
    assert builder.skipped == []


@pytest.fixture
def six_songs(deam_folder, make_tone):
    """Six songs, of which one is spoilt."""
    for song_id in range(1, 6):
        deam_folder.add(song_id, make_tone(1.1, 100 * song_id))
    deam_folder.add(6, b"no audio")
    return deam_folder.write()


def paths(folder):
    return sorted(path for path in folder.rglob("*") if path.suffix != ".lock")


def test_a_streamed_data_set_is_the_prepared_one_and_leaves_no_file(six_songs, tmp_path):
    builder = DeamSpectrograms(tmp_path / "cache", data_dir=six_songs, **SECOND)
    streamed = builder.as_streaming_dataset("train")
    passes = [list(streamed) for _ in range(2)]
    assert [song["song_id"] for song in passes[0]] == [song["song_id"] for song in passes[1]] == [1, 2, 3, 4, 5]
    assert [song["song_id"] for song in streamed.take(2)] == [1, 2]
    assert sorted(song["song_id"] for song in streamed.shuffle(seed=0, buffer_size=3)) == [1, 2, 3, 4, 5]
    assert paths(tmp_path / "cache") == []
    with pytest.raises(FileNotFoundError, match=r"expected a prepared data set, found no .*download_and_prepare"):
        _ = builder.skipped
    builder.download_and_prepare(num_proc=2)
    before = paths(tmp_path)
    for streamed_song, song in zip(
        streamed.with_format("numpy"), builder.as_dataset("train").with_format("numpy"), strict=True
    ):
        assert streamed_song.keys() == song.keys()
        np.testing.assert_array_equal(streamed_song["spectrogram"], song["spectrogram"])
    assert len(list(builder.as_streaming_dataset("train"))) == 5
    assert paths(tmp_path) == before
    assert [song.song_id for song in builder.skipped] == [6]


def test_a_streamed_data_set_goes_through_a_loader_with_workers(six_songs, tmp_path):
    streamed = DeamSpectrograms(tmp_path / "cache", data_dir=six_songs, **SECOND).as_streaming_dataset("train")
    loader = DataLoader(streamed.with_format("torch"), batch_size=2, num_workers=1)
    assert [song for batch in loader for song in batch["song_id"].tolist()] == [1, 2, 3, 4, 5]
    assert paths(tmp_path / "cache") == []


def away(root, names=("1.mp3", "2.mp3")):
    """Move songs out of the folder, and return a function that moves them back."""
    places = [(root / "MEMD_audio" / name, root / name) for name in names]
    for here, there in places:
        here.rename(there)
    return lambda: [there.rename(here) for here, there in places]


def test_songs_that_were_away_when_the_builder_prepared_are_back_in_the_next_one(six_songs, tmp_path):
    builder = DeamSpectrograms(tmp_path / "cache", data_dir=six_songs, **SECOND)
    back = away(six_songs)
    builder.download_and_prepare()  # prepares the folder as it is now, in a place of its own in the cache
    assert builder.as_dataset("train")["song_id"] == [3, 4, 5]
    back()
    builder.download_and_prepare()
    assert builder.as_dataset("train")["song_id"] == [1, 2, 3, 4, 5]
    again = DeamSpectrograms(tmp_path / "cache", data_dir=six_songs, **SECOND)
    again.download_and_prepare()
    assert again.cache_dir == builder.cache_dir
    assert again.as_dataset("train").num_rows == 5


class Meddling(DeamSpectrograms):
    """Changes its folder at one moment: before or after songs are listed, or while they are decoded."""

    def _split_generators(self, dl_manager):
        if self.when == "before listing":
            self.change()
        generators = super()._split_generators(dl_manager)
        if self.when == "after listing":
            self.change()
        return generators

    def _generate_examples(self, songs):
        for index, example in enumerate(super()._generate_examples(songs)):
            if self.when == "decoding" and index == 1:
                self.change()
            yield example


@pytest.mark.parametrize("when", ["before listing", "after listing", "decoding"])
@pytest.mark.parametrize("what", ["songs gone", "song added", "label changed"])
def test_a_folder_that_changes_while_it_is_prepared_leaves_nothing(six_songs, make_tone, tmp_path, when, what):
    def change():
        if what == "songs gone":
            away(six_songs, ["4.mp3"])
        elif what == "song added":
            soundfile.write(six_songs / "MEMD_audio" / "7.mp3", make_tone(1.1), 22050)
        else:
            table = six_songs / "annotations" / "static_annotations_averaged_songs_1_2000.csv"
            table.write_text(table.read_text().replace("6.0", "7.0"))

    builder = Meddling(tmp_path / "cache", data_dir=six_songs, **SECOND)
    builder.when, builder.change = when, change
    with pytest.raises(ChangedFolderError, match="expected a folder that stays as it is while it is prepared"):
        builder.download_and_prepare()
    assert paths(tmp_path / "cache") == [path for path in paths(tmp_path / "cache") if path.is_dir()]
    fresh = DeamSpectrograms(tmp_path / "cache", data_dir=six_songs, **SECOND)
    fresh.download_and_prepare()
    assert fresh.as_dataset("train").num_rows == (4 if what == "songs gone" else 5)


def test_songs_that_are_away_for_a_moment_only_while_they_are_decoded(six_songs, tmp_path):
    """The folder is the same before and after, and the data set would lack songs for ever."""
    builder = Meddling(tmp_path / "cache", data_dir=six_songs, **SECOND)
    builder.when = "decoding"
    moved = []
    builder.change = lambda: moved.append(away(six_songs, ["5.mp3"]))
    original = builder._check_unchanged

    def back_then_check(layout):
        for back in moved:
            back()
        original(layout)

    builder._check_unchanged = back_then_check
    with pytest.raises(ChangedFolderError, match=r"5\.mp3 has gone since the folder was listed"):
        builder.download_and_prepare()


def test_a_name_that_is_no_utf8_is_skipped_by_its_bytes(six_songs, prepare):
    (six_songs / "MEMD_audio" / os.fsdecode(b"caf\xe9.mp3")).write_bytes(b"no audio")
    builder, songs = prepare(six_songs, **SECOND)
    assert songs["song_id"] == [1, 2, 3, 4, 5]
    assert builder.skipped[0] == SkippedSong(-1, "no song id", r"expected <song_id>.mp3, got caf\xe9.mp3")


def test_a_process_that_waits_for_another_says_so(six_songs, tmp_path, caplog):
    builder = DeamSpectrograms(tmp_path / "cache", data_dir=six_songs, **SECOND)
    lock = Path(f"{builder.cache_dir}_builder.lock")
    lock.parent.mkdir(parents=True)
    script = "import sys, filelock\nwith filelock.FileLock(sys.argv[1]): print(flush=True); sys.stdin.readline()"
    command = [sys.executable, "-c", script, str(lock)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        holder.stdout.readline()
        threading.Timer(1.0, holder.stdin.close).start()
        builder.download_and_prepare()
    assert f"waiting for another process, which prepares {builder.cache_dir}" in caplog.text
    caplog.clear()
    builder.download_and_prepare()
    assert "waiting" not in caplog.text


def test_the_prepared_data_set_goes_through_parquet(deam_folder, make_tone, prepare, tmp_path):
    deam_folder.add(1, make_tone(1.1))
    songs = prepare(deam_folder.write(), **SECOND)[1]
    songs.to_parquet(tmp_path / "songs.parquet")
    back = load_dataset("parquet", data_files=str(tmp_path / "songs.parquet"), cache_dir=str(tmp_path / "hf"))["train"]
    assert back.features == songs.features
    np.testing.assert_array_equal(
        back.with_format("numpy")[0]["spectrogram"], songs.with_format("numpy")[0]["spectrogram"]
    )


def test_an_unknown_configuration_is_refused(deam_folder):
    with pytest.raises(ValueError, match="excerpt_5s"):
        DeamSpectrograms(data_dir=deam_folder.write(), config_name="excerpt_5s")
