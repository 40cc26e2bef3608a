"""Files that several processes write and read at the same time: always there, and always whole."""

import json
import multiprocessing
import threading
from pathlib import Path

import pytest

from musemo_hf.files import atomic_folder, atomic_path, atomic_write, once

N_PROCESSES = 4


def write_and_read(path, number, n):
    """Write one file again and again, and read it after each time; return what was wrong."""
    wrong = []
    for index in range(n):
        atomic_write(path, json.dumps([number, index] * 50))
        try:
            if len(json.loads(path.read_text())) != 100:
                wrong.append("another length")
        except (FileNotFoundError, ValueError) as error:
            wrong.append(f"{type(error).__name__}: {error}")
    return wrong


def replace_and_read(path, number, n):
    """Replace one folder again and again; the two files in it must be of one writer. Return what was wrong."""
    wrong = []
    for index in range(n):
        with atomic_folder(path) as part:
            for name in ("a", "b"):
                (part / name).write_text(f"{number} {index}")
    found = [(path / name).read_text() for name in ("a", "b")] if number == 0 else []
    return wrong + ([f"two writers in one folder: {found}"] if len(set(found)) > 1 else [])


@pytest.mark.reliability("a write of a file that other processes and threads write too", "every reader finds it whole")
@pytest.mark.parametrize("workers", ["processes", "threads"])
def test_a_file_that_many_write_is_always_whole(tmp_path, tally, long_form, workers):
    n, path = 2500 if long_form else 60, tmp_path / "results.json"
    arguments = [(path, number, n) for number in range(N_PROCESSES)]
    if workers == "processes":
        with multiprocessing.get_context("spawn").Pool(N_PROCESSES) as pool:
            found = pool.starmap(write_and_read, arguments)
    else:
        found = []
        threads = [threading.Thread(target=lambda a=a: found.append(write_and_read(*a))) for a in arguments]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(found) == N_PROCESSES
    for wrong in found:
        for index in range(n):
            tally(index >= len(wrong), wrong[index] if index < len(wrong) else "")
    assert list(tmp_path.iterdir()) == [path]
    tally.assert_nothing_lost()


def test_a_folder_that_many_write_is_of_one_of_them(tmp_path):
    path = tmp_path / "model"
    with multiprocessing.get_context("spawn").Pool(N_PROCESSES) as pool:
        found = pool.starmap(replace_and_read, [(path, number, 40) for number in range(1, N_PROCESSES + 1)])
    assert not any(found)
    assert (path / "a").read_text() == (path / "b").read_text()
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_does_not_replace_a_file(tmp_path):
    path = tmp_path / "model"
    path.write_text("a file")
    with pytest.raises(NotADirectoryError, match="expected a folder or nothing"), atomic_folder(path):
        pass
    assert path.read_text() == "a file"
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_stays_a_link_and_a_pipe_a_pipe(tmp_path):
    (tmp_path / "real.json").write_text("old")
    (tmp_path / "link.json").symlink_to(tmp_path / "real.json")
    atomic_write(tmp_path / "link.json", "new")
    assert (tmp_path / "link.json").is_symlink()
    assert (tmp_path / "real.json").read_text() == "new"
    with atomic_path(Path("/dev/null")) as part:
        part.write_text("gone")
    assert Path("/dev/null").is_char_device()


@pytest.mark.parametrize("content", ["", "{", '{"value": 1', "\x00\x00"])
def test_a_broken_result_is_made_again(tmp_path, content):
    path = tmp_path / "result.json"
    path.write_text(content)
    assert once(path, lambda: {"value": 2}) == {"value": 2}
    assert json.loads(path.read_text()) == {"value": 2}
