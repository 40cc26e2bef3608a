"""Files that several processes write and read at the same time: always there, and always whole."""

import itertools
import json
import multiprocessing
import os
import resource
import signal
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from musemo_hf.files import append_text, atomic_folder, atomic_path, atomic_write, once

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


def write_for_ever(kind, path):
    """Write numbered contents until this process is killed."""
    for number in itertools.count():
        if kind == "file":
            atomic_write(path, f"{number}\n" * 2000)
        elif kind == "lines":
            append_text(path, f"{number} " * 50 + "\n")
            time.sleep(0.002)  # or the file is soon too long to be read again and again
        else:
            with atomic_folder(path) as part:
                (part / "a").write_text(f"{number}\n" * 2000)


def what_is_wrong(kind, path):
    """Read what a writer of `write_for_ever` has written, and return what is there in part."""
    if kind == "folder":
        folder = os.open(path, os.O_RDONLY)  # fails in an instant in which the folder has no name
        try:
            with open(os.open("a", os.O_RDONLY, dir_fd=folder)) as file:
                text = file.read()
        except FileNotFoundError:  # since it was opened, this folder has been replaced and is being removed
            return ""
        finally:
            os.close(folder)
    else:
        text = path.read_text()
    if kind == "lines":
        parts = [line for line in text.split("\n")[:-1] if len(line.split()) != 50 or len(set(line.split())) != 1]
        return f"a part of a line: {parts[0]!r}" if parts else ""
    return "" if text.count("\n") == 2000 and len(set(text.split())) == 1 else f"{len(text)} bytes in part"


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


@pytest.mark.reliability("SIGKILL of a writer, with a reader beside it", "the reader finds what is there whole")
@pytest.mark.parametrize("kind", ["file", "lines", "folder"])
def test_a_reader_beside_a_writer_that_is_killed(tmp_path, tally, long_form, kind):
    rng = np.random.default_rng(0)
    for trial in range(15 if long_form else 2):
        path = tmp_path / f"{kind}{trial}"
        writer = multiprocessing.get_context("spawn").Process(target=write_for_ever, args=(kind, path))
        writer.start()
        while not path.exists():
            assert writer.is_alive()
        wrong = []
        try:
            for _ in range(rng.integers(1, 300)):
                wrong.append(what_is_wrong(kind, path))
        except FileNotFoundError as error:
            wrong.append(str(error))
        finally:
            writer.kill()
            writer.join()
        wrong = [each for each in (*wrong, what_is_wrong(kind, path)) if each]
        tally(not wrong, f"{kind}, {wrong[:1]}")
    tally.assert_nothing_lost()


def test_a_text_that_does_not_fit_leaves_the_file_as_it_was(tmp_path):
    path = tmp_path / "lines.csv"
    append_text(path, "first\n")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (10, before[1]))  # the disk is full after ten bytes
        with pytest.raises(OSError, match="expected to add 7 bytes, added 4"):
            append_text(path, "second\n")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert path.read_text() == "first\n"
    append_text(path, "third\n")
    assert path.read_text() == "first\nthird\n"


@pytest.mark.parametrize("can_exchange", [True, False])
def test_a_folder_replaces_one_on_systems_that_can_exchange_names_and_on_others(tmp_path, monkeypatch, can_exchange):
    if not can_exchange:
        monkeypatch.setattr("musemo_hf.files._exchange", lambda *_: False)
    (tmp_path / "link").symlink_to(tmp_path / "model", target_is_directory=True)
    for name in ("first", "second"):
        with atomic_folder(tmp_path / "link") as part:
            (part / name).touch()
    assert [path.name for path in (tmp_path / "model").iterdir()] == ["second"]
    assert {path.name for path in tmp_path.iterdir()} == {"model", "link"}


def test_a_folder_that_many_write_is_of_one_of_them(tmp_path):
    path = tmp_path / "model"
    with multiprocessing.get_context("spawn").Pool(N_PROCESSES) as pool:
        found = pool.starmap_async(replace_and_read, [(path, number, 40) for number in range(1, N_PROCESSES + 1)])
        while not path.is_dir():
            time.sleep(0.001)
        missing = 0
        while not found.ready():
            missing += not path.is_dir()
        found = found.get()
    assert not missing
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
