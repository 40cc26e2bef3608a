import os
import shutil
import warnings

import pytest

from musemo_hf.data.deam.layout import ANNOTATION_FILES, METADATA_FILES, LayoutError, find_deam
from musemo_hf.data.deam.songs import list_songs


@pytest.mark.parametrize("layout", ["flat", "archive", "unzipped"])
def test_layouts_that_users_have_are_found(make_folder, make_tone, layout):
    folder = make_folder(layout)
    folder.add(7, make_tone(0.1))
    found = find_deam(folder.write())
    assert found.audio == folder.audio
    assert [path.name for path in found.annotations] == list(ANNOTATION_FILES)
    assert [path.parent for path in found.metadata] == [folder.metadata] * 3
    assert [path.name for path in found.audio_files()] == ["7.mp3"]


@pytest.mark.parametrize(
    ("places", "read"),
    [
        # the public archive with underscores, as on other hosts
        (("MEMD_audio", "annotations/annotations_averaged_per_song/song_level", "metadata"), "song_level"),
        # two archives beside each other in a folder of one's own
        (
            (
                "data/DEAM/DEAM_audio/MEMD_audio",
                "data/DEAM/DEAM_Annotations/annotations_averaged_per_song",
                "data/meta",
            ),
            "annotations_averaged_per_song",
        ),
        # everything in one folder, and the songs in lower case
        (("deam_audio", ".", "."), "static_annotations_averaged_songs_1_2000.csv"),
        (("audio", "labels", "labels"), "labels"),
    ],
)
def test_other_layouts_load_with_a_warning_of_what_is_read(make_folder, make_tone, places, read):
    folder = make_folder("other", places)
    for song_id in (7, 8, 2001):
        folder.add(song_id, make_tone(0.1))
    root = folder.write()
    with pytest.warns(UserWarning, match=r"laid out otherwise than DEAM: reads .*" + read):
        found = find_deam(root)
    assert found.audio.samefile(folder.audio)
    songs, skipped = list_songs(found, n_folds=2)
    assert ([song.song_id for song in songs], skipped) == ([7, 8, 2001], [])
    assert songs[0].metadata.artist == "Artist 7"


def test_kaggles_copy_has_no_metadata_and_loads_with_a_warning(make_folder, make_tone):
    folder = make_folder("unzipped")
    for song_id in range(1, 31):
        folder.add(song_id, make_tone(0.1))
    root = folder.write()
    shutil.rmtree(folder.metadata)
    with pytest.warns(UserWarning, match=r"finds no metadata_2013.csv, .*2015.csv: songs without metadata are each"):
        found = find_deam(root)
    assert found.metadata == ()
    with pytest.warns(UserWarning, match=r"songs without metadata.*\[1, 2, .*10\] and 20 more"):
        songs, _ = list_songs(found, n_folds=2)
    assert len(songs) == 30
    assert {song.fold for song in songs} == {0, 1}


@pytest.mark.parametrize("name", [*ANNOTATION_FILES, *METADATA_FILES])
def test_one_missing_csv_is_a_warning(deam_folder, make_tone, name):
    for song_id in (7, 1500, 2001):
        deam_folder.add(song_id, make_tone(0.1))
    root = deam_folder.write()
    next(root.rglob(name)).unlink()
    with pytest.warns(UserWarning, match=f"finds no {name}"):
        found = find_deam(root)
    songs, skipped = list_songs(found, n_folds=2)
    left_out = {ANNOTATION_FILES[0]: [7, 1500], ANNOTATION_FILES[1]: [2001]}.get(name, [])
    assert [song.song_id for song in songs] == [song for song in (7, 1500, 2001) if song not in left_out]
    assert [(song.song_id, song.reason) for song in skipped] == [(song, "missing label") for song in left_out]


def test_without_annotations_the_error_names_both_places(deam_folder):
    root = deam_folder.write()
    for name in ANNOTATION_FILES:
        next(root.rglob(name)).unlink()
    with pytest.raises(LayoutError, match=r"(?s)found it in neither layout:\s+flat.*archive") as raised:
        find_deam(root)
    for name in ANNOTATION_FILES:
        assert name in str(raised.value)
    assert "annotations averaged per song/song_level/" in str(raised.value)


def test_a_usual_layout_is_silent_whatever_else_is_there(deam_folder, make_tone):
    deam_folder.add(7, make_tone(0.1))
    root = deam_folder.write()
    for place in ("__MACOSX", "features", "copy/annotations"):
        (root / place).mkdir(parents=True)
        (root / place / ANNOTATION_FILES[0]).write_text("not a table\n")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert find_deam(root).annotations[0] == deam_folder.annotations / ANNOTATION_FILES[0]


def test_a_missing_folder(tmp_path):
    with pytest.raises(LayoutError, match="expected a folder of DEAM files, found none at"):
        find_deam(tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match=r"(?s)the audio folder of DEAM.*MEMD_audio"):
        find_deam(tmp_path)


def test_hidden_and_other_files_are_no_songs(deam_folder, make_tone):
    deam_folder.add(7, make_tone(0.1))
    for name in ("._7.mp3", "notes.txt", "8.mp3.part"):
        (deam_folder.audio / name).write_bytes(b"x")
    assert [path.name for path in find_deam(deam_folder.write()).audio_files()] == ["7.mp3"]


def test_the_fingerprint_follows_the_folder(deam_folder, make_tone):
    song = deam_folder.add(7, make_tone(0.1))
    root = deam_folder.write()
    prints = [find_deam(root).fingerprint()]
    assert find_deam(root).fingerprint() == prints[0]
    deam_folder.add(8, make_tone(0.1), label=None)
    prints.append(find_deam(root).fingerprint())
    os.utime(song, ns=(1, 1))
    prints.append(find_deam(root).fingerprint())
    song.write_bytes(song.read_bytes() + b"0")
    os.utime(song, ns=(1, 1))
    prints.append(find_deam(root).fingerprint())
    table = deam_folder.annotations / ANNOTATION_FILES[0]
    status = table.stat()
    table.write_text(table.read_text().replace("6.0", "6.1"))
    os.utime(table, ns=(status.st_atime_ns, status.st_mtime_ns))
    prints.append(find_deam(root).fingerprint())
    assert len(set(prints)) == len(prints)
