"""Packs that were damaged, or made by somebody else."""

import hashlib
import json
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from musemo_hf.data.arrays import SongArrays
from musemo_hf.data.pack import PackError, read_pack, write_pack

fuzz = settings(settings.get_profile("fuzz"))

JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5)),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=5), inner, max_size=3)),
    max_leaves=8,
)
TEXTS = st.one_of(st.text(max_size=20), JSON.map(json.dumps), st.just("[" * 100_000))
DESCRIPTION = ["config_name", "labels", "procedural", "n_skipped", "step", "offset", "rms_error", "songs_hash", "heard"]


@pytest.fixture(scope="module")
def songs():
    rng = np.random.default_rng(0)
    return SongArrays(
        spectrogram=rng.normal(-20, 10, (3, 128, 6)).astype(np.float32),
        emotion=rng.uniform(-1, 1, (3, 2)).astype(np.float32),
        emotion_std=np.zeros((3, 2), np.float32),
        fold=np.arange(3, dtype=np.int8),
        song_id=np.arange(3, dtype=np.int32),
        artist=["a", "b", "c"],
        genre=["jazz"] * 3,
        year=np.full(3, 2013, np.int16),
    )


@pytest.fixture(scope="module")
def content(songs, tmp_path_factory):
    path = tmp_path_factory.mktemp("pack") / "pack"
    write_pack(path, songs, "excerpt_10s", "corrected")
    return path.read_bytes()


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("packs") / "pack"


def read(path, content, answer_or_error):
    path.write_bytes(content)
    return answer_or_error(lambda: read_pack(path), PackError)


@fuzz
@given(data=st.data(), n_flips=st.integers(1, 3))
def test_flipped_bits_never_pass(path, content, songs, answer_or_error, data, n_flips):
    damaged = bytearray(content)
    for _ in range(n_flips):
        damaged[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    answer = read(path, bytes(damaged), answer_or_error)
    if answer is not None:  # flips that took each other back, or in what is not read
        np.testing.assert_allclose(answer[0].spectrogram, songs.spectrogram, atol=answer[1].step / 2 + 1e-4)
        np.testing.assert_array_equal(answer[0].emotion, songs.emotion)
        assert (answer[0].artist, answer[0].genre) == (songs.artist, songs.genre)
        assert (answer[1].config_name, answer[1].labels, answer[1].n_skipped) == ("excerpt_10s", "corrected", 0)


@pytest.mark.parametrize("name", ["pack_hasj", "note", "Genre"])
def test_metadata_that_no_pack_has(path, content, name):
    """A damaged name of the hash would be metadata that is not read, and a damaged description would pass."""
    path.write_bytes(with_metadata(content, lambda metadata: metadata | {name: metadata["pack"]}))
    with pytest.raises(PackError, match=f"expected entries out of artist, .*, got {name}"):
        read_pack(path)


@fuzz
@given(content=st.binary(max_size=300), cut=st.integers(0, 2000), begin=st.booleans())
def test_other_bytes(path, answer_or_error, content, cut, begin, request):
    whole = request.getfixturevalue("content")
    assert read(path, whole[:cut] + content if begin else content, answer_or_error) is None


@fuzz
@given(name=st.sampled_from(["format", "pack", "shape", "artist", "genre"]), text=TEXTS)
def test_metadata_of_any_kind(path, content, answer_or_error, name, text):
    read(path, with_metadata(content, lambda metadata: metadata | {name: text}), answer_or_error)


@fuzz
@given(name=st.sampled_from(DESCRIPTION), value=JSON)
def test_descriptions_of_any_kind(path, content, answer_or_error, name, value):
    def change(metadata):
        return metadata | {"pack": json.dumps(json.loads(metadata["pack"]) | {name: value})}

    read(path, with_metadata(content, change), answer_or_error)


@fuzz
@given(shape=st.lists(st.integers(-2, 2**62), max_size=4))
def test_shapes_of_any_kind(path, content, answer_or_error, shape):
    answer = read(path, with_metadata(content, lambda found: found | {"shape": json.dumps(shape)}), answer_or_error)
    assert answer is None or shape == [3, 128, 6]


def with_metadata(content, change):
    """Write the header of a safetensors file again, with other metadata; the tensors stay as they are."""
    (length,) = struct.unpack("<Q", content[:8])
    header = json.loads(content[8 : 8 + length])
    header["__metadata__"] = metadata = change(header["__metadata__"])
    metadata["pack_hash"] = hashlib.sha256(metadata["pack"].encode()).hexdigest()
    encoded = json.dumps(header).encode()
    encoded += b" " * (-len(encoded) % 8)
    return struct.pack("<Q", len(encoded)) + encoded + content[8 + length :]
