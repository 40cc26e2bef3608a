"""Files of sound that were damaged, cut, or never were sound."""

import io
from functools import cache

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from musemo_hf.audio.decoding import AudioDecodingError
from musemo_hf.audio.loading import load_audio

fuzz = settings(settings.get_profile("fuzz"))

FORMATS = ["WAV", "FLAC", "OGG", "MP3"]
CHANGES = st.lists(
    st.tuples(st.sampled_from(["flip", "byte", "cut", "double", "zeros"]), st.floats(0, 1), st.integers(0, 255)),
    min_size=1,
    max_size=4,
)


@cache
def whole(kind):
    tone = 0.3 * np.sin(np.arange(6000) * 0.1).astype(np.float32)
    buffer = io.BytesIO()
    soundfile.write(buffer, np.stack([tone, tone], axis=1), 16000, format=kind)
    return buffer.getvalue()


def changed(content, changes, in_header):
    """Change bytes, most often of the header, which says how much memory a file takes."""
    content = bytearray(content)
    for what, place, value in changes:
        at = int(place * (min(len(content), 64) if in_header else len(content)))
        if what == "cut":
            del content[at : at + value]
        elif what == "double":
            content[at:at] = content[at : at + value]
        elif what == "zeros":
            content[at : at + 4] = bytes(4)
        elif at < len(content):
            content[at] = value if what == "byte" else content[at] ^ (1 << value % 8)
    return bytes(content)


def check(loaded):
    if loaded is not None:
        assert loaded.samples.dtype == np.float32
        assert np.isfinite(loaded.samples).all()
        assert 0 < loaded.duration < 3600  # of six thousand samples


@pytest.mark.parametrize("kind", FORMATS)
@fuzz
@given(changes=CHANGES, in_header=st.booleans())
def test_damaged_files(answer_or_error, kind, changes, in_header):
    content = changed(whole(kind), changes, in_header)
    check(answer_or_error(lambda: load_audio(content), AudioDecodingError, message="expected"))


@fuzz
@given(
    head=st.sampled_from([b"", b"RIFF", b"fLaC", b"OggS", b"ID3\4", b"\xff\xfb", b"\0\0\0\x20ftyp"]),
    tail=st.binary(max_size=200),
)
def test_other_bytes(answer_or_error, head, tail):
    check(answer_or_error(lambda: load_audio(head + tail), AudioDecodingError, message="expected"))
