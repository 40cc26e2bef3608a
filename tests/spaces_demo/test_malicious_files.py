"""Files that are made to stop the page: each is answered with a sentence, in bounded memory, and the page goes on."""

import io
import struct
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError

LARGEST_GROWTH = 700_000_000  # bytes of resident memory; a song of ten minutes needs a few hundred MB in the models


def encoded(seconds: float, rate: int, channels: int = 1, kind: str = "FLAC", level: float = 0.1) -> bytes:
    """A second of noise, over and over; at level 0 a few bytes hold hours."""
    block = level * np.random.default_rng(0).standard_normal((rate, channels)).clip(-3, 3)
    buffer = io.BytesIO()
    with soundfile.SoundFile(buffer, "w", rate, channels, format=kind) as file:
        for _ in range(int(seconds)):
            file.write(block)
        file.write(block[: round(seconds % 1 * rate)])
    return buffer.getvalue()


def riff(frames: int, rate: int, channels: int, bits: int = 16, data: bytes = b"", tag: int = 1) -> bytes:
    """A WAV file that announces whatever it is told to."""
    width = channels * bits // 8
    form = struct.pack("<HHIIHH", tag, channels % 2**16, rate, (rate * width) % 2**32, width % 2**16, bits)
    size = min(frames * width, 2**32 - 1)
    chunks = b"fmt " + struct.pack("<I", len(form)) + form + b"data" + struct.pack("<I", size) + data
    return b"RIFF" + struct.pack("<I", min(size + 36, 2**32 - 1)) + b"WAVE" + chunks


def zipped() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("bomb.wav", bytes(50_000_000))
    return buffer.getvalue()


def malicious(flac_seconds: int) -> Iterator[tuple[str, bytes]]:
    noise = np.random.default_rng(1).bytes(400_000)
    flac, mp3 = encoded(20, 44100, 2), encoded(20, 44100, 2, "MP3")
    unknown = bytearray(flac)
    unknown[8 + 13] &= 0xF0  # STREAMINFO of a pipe: no number of frames
    unknown[8 + 14 : 8 + 18] = bytes(4)
    absurd = bytearray(flac)
    absurd[8 + 13] |= 0x0F  # 2^36 - 1 frames
    absurd[8 + 14 : 8 + 18] = b"\xff" * 4
    yield "rate and channels.flac", encoded(flac_seconds, 655_350, 4, level=0)
    yield "seven channels.flac", encoded(30, 192_000, 7, level=0)
    yield "ten hours.flac", encoded(flac_seconds * 360, 8000, level=0)
    yield "eleven minutes.flac", encoded(660, 8000)
    yield "absurd length.flac", bytes(absurd)
    yield "unknown length.flac", bytes(unknown[: len(unknown) // 2])
    yield "half.flac", flac[: len(flac) // 2]
    yield "half.mp3", mp3[: len(mp3) // 2]
    yield "header only.wav", riff(2**31, 44100, 2)
    yield "channels.wav", riff(1000, 44100, 65535, data=noise)
    yield "no channels.wav", riff(1000, 44100, 0, data=noise)
    yield "rate 1.wav", riff(200_000, 1, 1, data=noise)
    yield "rate 0.wav", riff(200_000, 0, 1, data=noise)
    yield "rate 4 GHz.wav", riff(200_000, 2**32 - 1, 1, data=noise)
    yield "no bits.wav", riff(200_000, 44100, 1, 0, data=noise)
    yield "float noise.wav", riff(100_000, 44100, 1, 32, data=noise, tag=3)  # NaN, infinity, 1e38
    yield "false frame.mp3", b"\xff\xfb\x90\x00" + b"\x00" * 400_000
    yield "sync words.mp3", b"\xff\xfb\xe0\x64" * 100_000
    yield "tag without end.mp3", b"ID3\x04\x00\x00\x7f\x7f\x7f\x7f" + noise
    yield "noise.mp3", noise
    yield "noise.ogg", b"OggS\x00\x02" + noise
    yield "page.wav", b"<html><script>alert(1)</script></html>" * 1000
    yield "zip.wav", zipped()
    yield "picture.flac", b"\x89PNG\r\n\x1a\n" + noise
    yield "list.wav", b"#EXTM3U\nhttp://127.0.0.1/secret\nfile:///etc/passwd\n"
    yield "empty.wav", b""
    yield "one byte.wav", b"R"
    yield "x" * 180 + ".wav", noise
    yield "<img src=x onerror=alert(1)>.wav", noise
    yield "-rf; $(id) `id`.wav", noise
    for format_name in ("AIFF", "AU", "CAF", "W64", "RF64", "OGG"):
        whole = encoded(2, 8000, kind=format_name)
        yield f"cut.{format_name.lower()}", whole[: len(whole) // 3]


@pytest.mark.reliability("malicious files given to the Space", "an answer, or a refusal with a message; under 700 MB")
def test_no_file_stops_the_page(server, tmp_path, tally, long_form):
    client = Client(server.url, download_files=str(tmp_path / "downloads"), verbose=False)
    plain = tmp_path / "song.wav"
    plain.write_bytes(encoded(4, 22050, kind="WAV"))
    client.predict(handle_file(plain), api_name="/predict")  # the models are loaded
    before = client.predict(handle_file(plain), api_name="/predict")
    for name, content in malicious(100 if long_form else 20):
        path = tmp_path / name.replace("/", "")
        path.write_bytes(content)
        for endpoint in ("/predict", "/invert") if long_form else ("/predict",):
            peak = server.peak_memory()
            try:
                answer, said = client.predict(handle_file(path), api_name=endpoint), ""
            except AppError as error:
                answer, said = None, str(error)
            grown = server.peak_memory() - peak
            is_answered = answer is not None or (len(said) > 20 and "could not answer" not in said)
            tally(is_answered and grown < LARGEST_GROWTH, f"{endpoint} {name}: {said or answer} ({grown:,} bytes)")
    assert client.predict(handle_file(plain), api_name="/predict") == before
    tally.assert_nothing_lost()


@pytest.mark.parametrize("endpoint", ["/predict", "/invert"])
def test_bad_uploads_say_what_to_do(server, tmp_path, endpoint):
    client = Client(server.url, download_files=str(tmp_path / "downloads"), verbose=False)
    flac = encoded(20, 8000)
    for name, content, said in (
        ("text.mp3", b"These are words, not music.\n" * 200, "could not be read: expected audio"),
        ("empty.mp3", b"", "is empty: it has 0 bytes"),
        ("cut.flac", flac[: len(flac) // 2], "breaks off after .* s"),
        ("blip.wav", encoded(0.3, 8000, kind="WAV"), "is 0.3 s long: at least 1 s"),
        ("long.wav", encoded(601, 8000, kind="WAV"), "expected at most 600 s of audio, got more"),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(AppError, match=said):
            client.predict(handle_file(tmp_path / name), api_name=endpoint)


def test_a_doubtful_song_has_a_note(server, tmp_path):
    client = Client(server.url, download_files=str(tmp_path / "downloads"), verbose=False)
    notes = []
    for level in (0, 0.1):
        (tmp_path / "song.wav").write_bytes(encoded(4, 22050, kind="WAV", level=level))
        notes.append(client.predict(handle_file(tmp_path / "song.wav"), api_name="/predict")["notes"])
    assert len(notes[0]) == 1
    assert "silent" in notes[0][0]
    assert notes[1] == []


def test_what_is_refused_is_named_without_the_servers_paths(server, tmp_path):
    client = Client(server.url, download_files=str(tmp_path / "downloads"), verbose=False)
    path = Path(tmp_path / "too fast.flac")
    path.write_bytes(encoded(1, 655_350, 4, level=0))
    with pytest.raises(AppError, match=r"too fast\.flac could not be read: expected a sampling rate") as refused:
        client.predict(handle_file(path), api_name="/predict")
    assert str(server.files) not in str(refused.value)
