import json
import os

import pytest

from musemo_hf.files import atomic_folder, atomic_path, atomic_write, once


def test_a_file_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "deep" / "a.json"
    atomic_write(path, "first é\n")
    assert path.read_bytes() == "first é\n".encode()
    atomic_write(path, b"\x00second")
    assert path.read_bytes() == b"\x00second"

    def fail(*_):
        raise OSError("cut off")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="cut off"):
        atomic_write(path, "third")
    assert path.read_bytes() == b"\x00second"
    assert list(path.parent.iterdir()) == [path]


def test_an_error_while_a_file_is_written_leaves_the_old_one(tmp_path):
    path = tmp_path / "a.bin"
    path.write_text("old")

    def cut_off():
        with atomic_path(path) as part:
            part.write_text("ne")
            assert path.read_text() == "old"
            raise RuntimeError("half")

    with pytest.raises(RuntimeError, match="half"):
        cut_off()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_replaces_the_old_one_whole_or_not_at_all(tmp_path):
    folder, stale = tmp_path / "model", tmp_path / "model.0123456789ab.part"
    young, other = tmp_path / "model.ba9876543210.part", tmp_path / "download.part"
    for part in (stale, young, other):
        part.mkdir()
        (part / "half").write_text("of a process that was killed, or that still writes")
    for part in (stale, other):
        os.utime(part, (0, 0))
    with atomic_folder(folder) as part:
        (part / "a").write_text("first")
    assert [path.name for path in folder.iterdir()] == ["a"]

    def cut_off():
        with atomic_folder(folder) as part:
            (part / "b").write_text("half")
            raise RuntimeError("half")

    with pytest.raises(RuntimeError, match="half"):
        cut_off()
    assert (folder / "a").read_text() == "first"
    with atomic_folder(folder) as part:
        (part / "c").write_text("second")
    assert [path.name for path in folder.iterdir()] == ["c"]
    assert set(tmp_path.iterdir()) == {folder, young, other}


def test_what_is_there_is_not_made_again(tmp_path):
    calls = []

    def make():
        calls.append(1)
        return {"value": [1.5]}

    path = tmp_path / "deep" / "result.json"
    assert once(path, make) == once(path, make) == {"value": [1.5]}
    assert len(calls) == 1
    assert json.loads(path.read_text()) == {"value": [1.5]}
