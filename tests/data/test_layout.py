import os

import pytest

from musemo_hf.data.deam.layout import ANNOTATION_FILES, METADATA_FILES, LayoutError, find_deam


@pytest.mark.parametrize("layout", ["flat", "archive", "unzipped"])
def test_layouts_that_users_have_are_found(make_folder, make_tone, layout):
    folder = make_folder(layout)
    folder.add(7, make_tone(0.1))
    found = find_deam(folder.write())
    assert found.audio == folder.audio
    assert [path.name for path in found.annotations] == list(ANNOTATION_FILES)
    assert [path.parent for path in found.metadata] == [folder.metadata] * 3
    assert [path.name for path in found.audio_files()] == ["7.mp3"]


@pytest.mark.parametrize("name", [*ANNOTATION_FILES, *METADATA_FILES])
def test_a_missing_csv_is_named_with_both_places(deam_folder, name):
    root = deam_folder.write()
    next(root.rglob(name)).unlink()
    with pytest.raises(LayoutError, match=r"(?s)found it in neither layout:\s+flat.*archive") as raised:
        find_deam(root)
    assert name in str(raised.value)
    if name in ANNOTATION_FILES:
        assert f"annotations averaged per song/song_level/{name}" in str(raised.value)


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
