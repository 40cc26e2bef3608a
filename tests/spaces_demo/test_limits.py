"""What one visitor may send: wrong types, too much, addresses, and files that fill the disk."""

import hashlib
import http.client
import json
import os
import re
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid
from pathlib import Path

import pytest
from app import QUEUE
from edge import CPU
from gradio_client import Client, handle_file
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from intake import MAX_CALL_BYTES, MAX_UPLOAD_BYTES
from listening import MAX_MINUTES, MAX_VALUES, MIN_SECONDS
from storage import FULL_KEPT_SECONDS, KEPT_SECONDS, QUOTA_BYTES, QUOTA_FILES, Storage, StorageFullError, page_folder

from musemo_hf.audio.decoding import Limits

FILE = {"meta": {"_type": "gradio.FileData"}}
WRONG = [
    ("generate", ["loud", 0, 0, 1], "valence as a number, got 'loud'"),
    ("generate", ["0.5", 0, 0, 1], "valence as a number"),
    ("generate", [None, 0, 0, 1], "valence as a number, got None"),
    ("generate", [True, 0, 0, 1], "valence as a number"),
    ("generate", [[0.5], 0, 0, 1], "valence as a number, got list"),
    ("generate", [0, {"value": 0}, 0, 1], "arousal as a number, got dict"),
    ("generate", [0, float("nan"), 0, 1], "arousal as a number, got nan"),
    ("generate", [float("inf"), 0, 0, 1], "inf"),
    ("generate", [0, 0, "seven", 1], "seed as a number"),
    ("generate", [0, 0, 10**30, 1], "maximum value"),
    ("generate", [0, 0, 0, "many"], "samples as a number"),
    ("generate", [], "Expected 4 to 8 arguments, got 0"),
    ("generate", [0, 0, 0, 1, *[None] * 5], "Expected 4 to 8 arguments, got 9"),
    ("generate", [0, 0, 0, 1, None, None, float("nan")], "tempo as a number, got nan"),
    ("generate", [0, 0, 0, 1, None, None, "fast"], "tempo as a number, got 'fast'"),
    ("generate", [0, 0, 0, 1, 20], "Expected no loudness: the generator of this page cannot be asked for it"),
    ("generate", [0, 0, 0, 1, None, None, None, "Jazz"], "Expected no genre: the generator of this page knows none"),
    ("predict", [None], "Drop a song first"),
    ("predict", [3], "Expected an uploaded file"),
    ("predict", ["song.mp3"], "Expected an uploaded file"),
    ("predict", [[]], "Expected an uploaded file"),
    ("predict", [{"path": 3, **FILE}], "Expected an uploaded file"),
    ("predict", [{"path": "http://127.0.0.1/song.mp3", **FILE}], "fetches nothing"),
    ("predict", [{"path": "https://example.org/song.mp3", **FILE}], "fetches nothing"),
    ("invert", [{"path": "/etc/hostname", **FILE}], "InvalidPathError"),
    ("invert", [{"path": "song.mp3", "meta": 5}], "could not answer"),
    ("report", [1], "Expected 0 arguments, got 1"),
]


@pytest.mark.parametrize(("endpoint", "data", "said"), WRONG)
def test_wrong_types_are_answered_with_a_message(call, endpoint, data, said):
    event, answer = call(endpoint, data)
    assert event == "error"
    assert said in answer["error"]


@pytest.mark.reliability("arguments of any type given to the Space", "answered, or refused with a message")
def test_no_argument_ends_without_a_message(call, tally, long_form):
    values = st.recursive(
        st.none() | st.booleans() | st.integers(-(10**20), 10**20) | st.floats() | st.text(max_size=8),
        lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["path", "meta", "url"]), inner),
        max_leaves=6,
    )

    @settings(max_examples=400 if long_form else 25, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.sampled_from(["generate", "predict", "invert", "report"]), st.lists(values, max_size=5))
    def check(endpoint, data):
        event, answer = call(endpoint, data)
        tally(event == "complete" or bool(answer["error"]), f"{endpoint} {data!r:.100}: {answer}")

    check()
    tally.assert_nothing_lost()


def upload(url: str, *files: tuple[str, bytes], fields: tuple[bytes, ...] = ()) -> tuple[int, str]:
    """Upload by hand; the status and the answer."""
    mark = uuid.uuid4().hex.encode()
    parts = [b'Content-Disposition: form-data; name="more"\r\n\r\n' + field for field in fields]
    for name, content in files:
        parts.append(f'Content-Disposition: form-data; name="files"; filename="{name}"\r\n\r\n'.encode() + content)
    body = b"".join(b"--" + mark + b"\r\n" + part + b"\r\n" for part in parts) + b"--" + mark + b"--\r\n"
    headers = {"Content-Type": f"multipart/form-data; boundary={mark.decode()}"}
    request = urllib.request.Request(f"{url}gradio_api/upload", body, headers)
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_an_upload_is_limited_as_a_whole(url):
    """Not each of its thousand files for itself, nor only its files."""
    half = bytes(MAX_UPLOAD_BYTES // 2 + 1_000_000)
    assert upload(url, ("a.wav", half), ("b.wav", half))[0] == 413
    assert upload(url, fields=(half, half))[0] == 413
    status, answer = upload(url, ("a.wav", bytes(1_000_000)))
    assert status == 200
    assert os.path.getsize(json.loads(answer)[0]) == 1_000_000


def test_a_client_with_too_large_a_file_is_told(url, tmp_path):
    huge = tmp_path / "huge.wav"
    with huge.open("wb") as file:
        file.truncate(MAX_UPLOAD_BYTES + 1_000_000)
    with pytest.raises(ValueError, match="exceeds the maximum file size of 62914560 bytes"):
        Client(url, verbose=False).predict(handle_file(huge), api_name="/predict")


def test_a_body_of_unknown_length_ends_at_the_limit(url):
    def chunks():
        yield b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.wav"\r\n\r\n'
        for _ in range(MAX_UPLOAD_BYTES // 1_000_000 + 5):
            yield bytes(1_000_000)
        yield b"\r\n--x--\r\n"

    connection = http.client.HTTPConnection(urllib.parse.urlsplit(url).netloc)
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    connection.request("POST", "/gradio_api/upload", chunks(), headers, encode_chunked=True)
    assert connection.getresponse().status == 413


def test_arguments_of_a_call_are_no_place_for_files(url):
    body = json.dumps({"data": ["x" * MAX_CALL_BYTES]}).encode()
    request = urllib.request.Request(f"{url}gradio_api/call/predict", body, {"Content-Type": "application/json"})
    with pytest.raises(urllib.error.HTTPError, match="413"):
        urllib.request.urlopen(request)


@pytest.mark.parametrize("route", ["file", "proxy"])
@pytest.mark.parametrize("address", ["http://example.org/", "https://example.org/a.wav", "http:%2F%2Fexample.org"])
def test_the_page_fetches_no_address(url, route, address):
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(f"{url}gradio_api/{route}={address}")


@pytest.mark.parametrize("path", ["/etc/passwd", "app.py", "../app.py", "."])
def test_files_outside_the_folder_are_not_served(url, path):
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(f"{url}gradio_api/file={path}")


def test_a_full_folder_refuses_and_makes_room_by_age(server, call):
    """Ten minutes keep a file where there is no room, an hour where there is."""
    big = server.files / "someone" / "big.wav"
    big.parent.mkdir(parents=True)
    with big.open("wb") as file:
        file.truncate(299_500_000)
    try:
        assert upload(server.url, ("a.wav", bytes(1_000_000)))[0] == 507
        event, answer = call("generate", [0, 0, 0, 4])
        assert event == "error"
        assert "no room" in answer["error"]
        os.utime(big, (time.time() - 601,) * 2)
        assert upload(server.url, ("a.wav", bytes(1_000_000)))[0] == 200
        assert not big.parent.exists()
    finally:
        big.unlink(missing_ok=True)
    assert call("generate", [0, 0, 0, 1])[0] == "complete"


def test_the_limits_are_those_that_security_md_tells():
    text = (Path(__file__).parents[2] / "SECURITY.md").read_text()
    limits = Limits()
    told = (
        f"one request of at most {MAX_UPLOAD_BYTES // 1024**2} MB",
        f"{QUOTA_BYTES // 1024**3} GB (`MUSEMO_SPACE_QUOTA`, in bytes) and {QUOTA_FILES:,} files",
        f"{MIN_SECONDS:g} second to {MAX_MINUTES} minutes; at most {limits.sampling_rate / 1000:g} kHz, "
        f"{limits.channels} channels",
        f"at most {MAX_CALL_BYTES // 1024} KB",
        f"two calls are computed, {QUEUE} wait",
    )
    for limit in told:
        assert limit in text
    assert (KEPT_SECONDS, FULL_KEPT_SECONDS, CPU["concurrency_limit"]) == (3600, 600, 2)
    assert MAX_VALUES == 600 * 96_000 * 2


def test_an_upload_is_served_to_who_was_told_its_address(url):
    path = json.loads(upload(url, ("song of mine.html", b"<html> and so on"))[1])[0]
    assert re.fullmatch("[0-9a-f]{64}", Path(path).parent.name)
    assert hashlib.sha256(b"<html> and so on").hexdigest() not in path  # a secret is in the hash, too
    with urllib.request.urlopen(f"{url}gradio_api/file={urllib.parse.quote(path)}") as answer:
        assert answer.read() == b"<html> and so on"
        assert answer.headers["Content-Disposition"].startswith("attachment")  # a page that was uploaded is not shown
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(f"{url}gradio_api/file={urllib.parse.quote(os.path.dirname(path))}")


def test_a_file_is_removed_after_an_hour(tmp_path):
    storage = Storage(tmp_path, quota=1000)
    for name, age in (("a/old.wav", 3601), ("a/new.wav", 3500), ("b/old.wav", 9999), ("c.part", 4000)):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(bytes(10))
        os.utime(tmp_path / name, (time.time() - age,) * 2)
    with storage.reserve(1):
        assert [path.relative_to(tmp_path).as_posix() for path in sorted(tmp_path.rglob("*"))] == ["a", "a/new.wav"]


def test_files_are_counted_too(tmp_path, monkeypatch):
    monkeypatch.setattr("storage.QUOTA_FILES", 2)
    for name in ("a", "b"):
        (tmp_path / name).touch()
    storage = Storage(tmp_path, quota=100)
    with pytest.raises(StorageFullError, match="no room"), storage.reserve(1):
        pass
    os.utime(tmp_path / "a", (time.time() - 700,) * 2)
    with storage.reserve(1):
        assert [path.name for path in tmp_path.iterdir()] == ["b"]


@pytest.mark.parametrize("foreign", ["none", "file", "link", "broken link", "open to all"])
def test_the_folder_of_files_is_the_users_own(tmp_path, monkeypatch, foreign):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setenv("GRADIO_TEMP_DIR", "")  # so that it is as before after the test
    monkeypatch.delenv("GRADIO_TEMP_DIR")
    expected = tmp_path / f"musemo-space-{os.getuid()}"
    if foreign == "file":
        expected.touch()
    elif foreign == "link":
        expected.symlink_to("/etc")
    elif foreign == "broken link":
        expected.symlink_to("/nowhere")
    elif foreign == "open to all":
        expected.mkdir()
        expected.chmod(0o777)
    folder = page_folder()
    assert (folder == expected) == (foreign == "none")
    assert folder.parent == tmp_path
    assert folder.stat().st_mode & 0o777 == 0o700
    assert os.environ["GRADIO_TEMP_DIR"] == str(folder)


def test_uploads_under_way_count():
    storage = Storage("/nowhere", quota=100)
    with storage.reserve(60):
        with pytest.raises(StorageFullError, match="no room"), storage.reserve(60):
            pass
        with storage.reserve(40):
            pass
    with storage.reserve(100):
        pass


def test_an_upload_that_breaks_off_leaves_its_room(server):
    """Nine of 60 MB would use up the quota of 300 MB, if each kept its reservation."""
    for _ in range(9):
        connection = http.client.HTTPConnection(urllib.parse.urlsplit(server.url).netloc)
        connection.putrequest("POST", "/gradio_api/upload")
        connection.putheader("Content-Type", "multipart/form-data; boundary=x")
        connection.putheader("Content-Length", str(MAX_UPLOAD_BYTES))
        connection.endheaders()
        connection.send(b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.wav"\r\n\r\nRIFF')
        connection.close()
    deadline = time.monotonic() + 60
    while upload(server.url, ("a.wav", b"RIFF"))[0] == 507 and time.monotonic() < deadline:
        time.sleep(0.1)
    assert upload(server.url, ("a.wav", bytes(1_000_000)))[0] == 200
