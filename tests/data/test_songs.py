import warnings

import numpy as np
import pytest

from musemo_hf import DeamSpectrograms
from musemo_hf.data.deam.layout import find_deam
from musemo_hf.data.deam.songs import list_songs


def test_songs_are_joined_by_id(deam_folder, make_tone):
    for song_id in (12, 3, 2001, 1001):
        deam_folder.add(song_id, make_tone(0.1), artist=f"Artist {song_id % 2}")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        songs, skipped = list_songs(find_deam(deam_folder.write()), n_folds=2)
    assert skipped == []
    assert [(song.song_id, song.path.name, song.metadata.title) for song in songs] == [
        (number, f"{number}.mp3", f"Song {number}") for number in (3, 12, 1001, 2001)
    ]
    assert {song.fold for song in songs if song.song_id % 2} != {song.fold for song in songs if song.song_id == 12}


def test_a_song_without_metadata_is_kept_and_said(deam_folder, make_tone):
    for song_id in (3, 4, 5):
        deam_folder.add(song_id, make_tone(0.1), artist="Jahzzar")
    del deam_folder.artists[4]
    with pytest.warns(UserWarning, match=r"songs without metadata, each taken for an artist of its own: \[4\]"):
        songs, _ = list_songs(find_deam(deam_folder.write()), n_folds=2)
    assert [song.metadata.artist for song in songs] == ["Jahzzar", "", "Jahzzar"]
    assert songs[0].fold == songs[2].fold != songs[1].fold


def test_few_artists_give_few_folds_and_it_is_said(deam_folder, make_tone):
    deam_folder.add(3, make_tone(0.1))
    deam_folder.add(4, make_tone(0.1))
    root = deam_folder.write()
    with pytest.warns(UserWarning, match="expected 5 artists for as many folds, got 2"):
        assert sorted(song.fold for song in list_songs(find_deam(root))[0]) == [0, 1]
    with pytest.raises(ValueError, match="expected 2 to 2 folds for 2 artists, got 1"):
        list_songs(find_deam(root), n_folds=1)


@pytest.mark.parametrize("hidden", ["damaged", "too short"])
def test_a_file_that_cannot_be_read_hides_no_good_one_of_the_same_song(
    deam_folder, make_tone, tmp_path, hidden, caplog
):
    song = deam_folder.add(5, b"no audio" if hidden == "damaged" else make_tone(0.5), suffix=".wav")
    deam_folder.add(5, make_tone(1.1), suffix=".mp3")
    deam_folder.add(6, b"no audio", suffix=".wav")
    deam_folder.add(6, b"nor this", suffix=".mp3")
    deam_folder.add(7, make_tone(1.1))
    options = {"config_name": "excerpt_10s", "n_frames": 44}
    builder = DeamSpectrograms(tmp_path / "cache", data_dir=deam_folder.write(), **options)
    with pytest.warns(UserWarning, match="songs were skipped: corrupt 1, duplicate audio 2"):
        builder.download_and_prepare()
    songs = builder.as_dataset("train")
    assert songs["song_id"] == [5, 7]
    np.testing.assert_allclose(songs["duration"], 1.1, atol=0.06)
    assert "song 5 is read from 5.mp3" in caplog.text
    details = {(each.song_id, each.reason): each.detail for each in builder.skipped}
    assert details[5, "duplicate audio"] == "5.mp3 is read only if 5.wav cannot be"
    assert song.name not in details.get((5, "corrupt"), "")
