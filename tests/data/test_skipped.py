import os

import pytest

from musemo_hf.data.skipped import SkippedError, SkippedSong, read_skipped, write_skipped


def test_a_list_comes_back_sorted_and_whole(tmp_path):
    songs = [SkippedSong(3, "corrupt", 'of two\nlines, with "quotes"'), SkippedSong(-1, "no song id", "  spaces ")]
    write_skipped(tmp_path / "skipped.csv", songs)
    assert read_skipped(tmp_path / "skipped.csv") == songs[::-1]
    write_skipped(tmp_path / "none.csv", [])
    assert read_skipped(tmp_path / "none.csv") == []


def test_a_name_that_is_no_utf8_is_written_by_its_bytes(tmp_path):
    name = os.fsdecode(b"caf\xe9.wav")
    write_skipped(tmp_path / "skipped.csv", [SkippedSong(-1, "no song id", f"got {name} and café")])
    assert read_skipped(tmp_path / "skipped.csv")[0].detail == r"got caf\xe9.wav and café"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "skipped.csv:1: expected a header, found an empty file"),
        ("song_id,reason\n", "skipped.csv:1: expected a column detail"),
        ("song_id,reason,detail\n1,corrupt,x\none,corrupt,x\n", "skipped.csv:3: expected song_id, reason and detail"),
        ("song_id,reason,detail\n1,corrupt\n", "skipped.csv:2: expected song_id, reason and detail"),
    ],
)
def test_another_file_is_named_with_its_line(tmp_path, text, message):
    (tmp_path / "skipped.csv").write_text(text)
    with pytest.raises(SkippedError, match=message):
        read_skipped(tmp_path / "skipped.csv")
