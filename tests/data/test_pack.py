"""A pack gives back the songs: everything exactly but the log-mels, and those within half a step."""

import dataclasses
import hashlib
import json
import warnings

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save_file

from musemo_hf import DeamSpectrograms
from musemo_hf.data.arrays import SongArrays, load_arrays
from musemo_hf.data.demo_corpus import render_demo_corpus
from musemo_hf.data.pack import STEPS, PackError, read_pack, write_pack

EXACT = ("emotion", "emotion_std", "fold", "song_id", "year")
MADE_OF = {"config_name": "excerpt_10s", "labels": "corrected"}


def prepared(folder, cache):
    builder = DeamSpectrograms(cache, "excerpt_10s", folder)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        builder.download_and_prepare()
    return load_arrays(builder.as_dataset("train"))


@pytest.fixture(scope="module")
def songs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpus")
    return prepared(render_demo_corpus(folder / "DEAM", n_songs=12), folder / "cache")


def check(songs, read, pack):
    for name in EXACT:
        wanted, got = getattr(songs, name), getattr(read, name)
        assert wanted.dtype == got.dtype
        np.testing.assert_array_equal(wanted, got)
    assert (read.artist, read.genre) == (songs.artist, songs.genre)
    assert read.spectrogram.dtype == np.float32
    squares = 0.0
    for one, other in zip(songs.spectrogram, read.spectrogram, strict=True):
        error = np.abs(one - other)
        assert error.max() <= pack.step / 2 + 1e-4
        squares += np.square(error, dtype=np.float64).mean()
    assert pack.rms_error == pytest.approx(np.sqrt(squares / len(songs)), rel=1e-3)
    assert pack.rms_error < 1.1 * pack.step / np.sqrt(12)


def test_procedural_songs_come_back(songs, tmp_path):
    pack = write_pack(tmp_path / "new" / "songs.safetensors", songs, **MADE_OF, procedural=True, n_skipped=3)
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["songs.safetensors"]
    read, found = read_pack(tmp_path / "new" / "songs.safetensors")
    assert found == pack
    assert (found.config_name, found.labels, found.procedural, found.n_skipped) == ("excerpt_10s", "corrected", True, 3)
    assert pack.step == min(step for step in STEPS if np.ptp(songs.spectrogram) / step <= 255)
    check(songs, read, pack)
    assert read.spectrogram.flags.writeable
    assert len(set(songs.fold.tolist())) > 1, "folds must differ for this test to mean anything"


def test_the_finest_step_is_taken_that_fits(songs, tmp_path):
    fine = write_pack(tmp_path / "fine", songs, **MADE_OF)
    size = (tmp_path / "fine").stat().st_size
    assert size < 0.75 * songs.spectrogram.size
    coarse = write_pack(tmp_path / "coarse", songs, **MADE_OF, max_bytes=int(0.8 * size))
    assert (tmp_path / "coarse").stat().st_size <= 0.8 * size
    assert coarse.step > fine.step
    read, pack = read_pack(tmp_path / "coarse")
    check(songs, read, pack)
    assert coarse.songs_hash != fine.songs_hash, "other log-mels are other songs"
    with pytest.raises(PackError, match=r"fit into 1,000 bytes in steps of at most 3 dB, got 12 songs"):
        write_pack(tmp_path / "none", songs, **MADE_OF, max_bytes=1000)
    assert not (tmp_path / "none").exists()


def test_the_hash_is_of_all_that_is_read(songs, tmp_path):
    hashes = {
        write_pack(tmp_path / "a", songs, **MADE_OF).songs_hash,
        write_pack(tmp_path / "b", songs, **MADE_OF).songs_hash,
    }
    assert len(hashes) == 1
    for change in (
        {"fold": songs.fold[::-1]},
        {"emotion": songs.emotion + np.float32(1e-3)},
        {"artist": ["nobody", *songs.artist[1:]]},
        {"spectrogram": songs.spectrogram[::-1]},
    ):
        hashes.add(write_pack(tmp_path / "c", dataclasses.replace(songs, **change), **MADE_OF).songs_hash)
    assert len(hashes) == 5


@pytest.mark.parametrize("cells", [[-100.0, 39.9], [7.0, 7.0]])
def test_extremes_and_silence(songs, tmp_path, cells):
    spectrogram = np.random.default_rng(0).choice(np.float32(cells), (len(songs), 128, 40))
    written = dataclasses.replace(songs, spectrogram=spectrogram)
    pack = write_pack(tmp_path / "x", written, **MADE_OF)
    assert np.abs(read_pack(tmp_path / "x")[0].spectrogram - spectrogram).max() <= pack.step / 2 + 1e-4


def broken(content: bytes) -> dict[str, bytes]:
    middle = len(content) // 2
    return {
        "cut off": content[:middle],
        "changed": content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :],
        "text": b"valence,arousal\n",
        "empty": b"",
    }


@pytest.mark.parametrize("how", ["cut off", "changed", "text", "empty"])
def test_what_is_no_whole_pack_is_refused(songs, tmp_path, how):
    write_pack(tmp_path / "pack", songs, **MADE_OF)
    (tmp_path / "pack").write_bytes(broken((tmp_path / "pack").read_bytes())[how])
    with pytest.raises(PackError, match="expected"):
        read_pack(tmp_path / "pack")


def test_labels_that_were_changed_are_refused(songs, tmp_path):
    write_pack(tmp_path / "pack", songs, **MADE_OF)
    content = (tmp_path / "pack").read_bytes()
    label = songs.emotion[0].tobytes()
    (tmp_path / "pack").write_bytes(content.replace(label, songs.emotion[1].tobytes(), 1))
    with pytest.raises(PackError, match="expected songs with the hash"):
        read_pack(tmp_path / "pack")


def rewritten(path, change):
    """Write a pack again with other metadata and tensors; `change` is given both and changes them in place."""
    with safe_open(str(path), framework="numpy") as file:
        metadata, tensors = dict(file.metadata()), {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    change(metadata, tensors)
    metadata["pack_hash"] = hashlib.sha256(metadata["pack"].encode()).hexdigest()
    save_file(tensors, path, metadata)


def described(**values):
    def change(metadata, tensors):
        metadata["pack"] = json.dumps(json.loads(metadata["pack"]) | values)

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda metadata, tensors: metadata.pop("shape"), "expected a whole file of .*, got: no 'shape'"),
        (lambda metadata, tensors: metadata.pop("artist"), "no 'artist'"),
        (lambda metadata, tensors: tensors.pop("fold"), "expected a whole file of"),
        (lambda metadata, tensors: metadata.update(pack="{"), "expected a whole file of"),
        (lambda metadata, tensors: metadata.update(pack="[" * 100_000), "expected a whole file of"),
        (lambda metadata, tensors: metadata.update(pack="[1]"), "a description of the pack, got list"),
        (lambda metadata, tensors: metadata.update(shape="[12, 128]"), "shape of log-mels as three positive numbers"),
        (lambda metadata, tensors: metadata.update(shape="[12, -128, 431]"), "three positive numbers"),
        (lambda metadata, tensors: metadata.update(shape="[12, 128.0, 431]"), "three positive numbers"),
        (lambda metadata, tensors: metadata.update(shape="[12, 128, 43]"), "expected log-mels of shape .*cells"),
        (lambda metadata, tensors: metadata.update(shape="[12, 99999999, 99999999]"), "too few for them"),
        (lambda metadata, tensors: metadata.update(shape="[11, 128, 431]"), r"emotion as float32 \(11, 2\)"),
        (lambda metadata, tensors: metadata.update(genre='["jazz"]'), "expected 12 texts as genre"),
        (lambda metadata, tensors: metadata.update(genre="null"), "expected 12 texts as genre"),
        (lambda metadata, tensors: tensors.update(fold=tensors["fold"][:3]), r"fold as int8 \(12,\)"),
        (lambda metadata, tensors: tensors.update(year=tensors["year"].astype(float)), "year as int16"),
        (lambda metadata, tensors: tensors.update(levels=tensors["levels"][:-20]), "expected .*got"),
        (described(step=float("nan")), "a step out of"),
        (described(step="0.5"), "step of the pack as .*float"),
        (described(offset=1e300), "an offset in dB"),
        (described(songs_hash=None), "songs_hash of the pack as"),
        (described(colour="blue"), "expected a whole file of"),
    ],
)
def test_a_pack_whose_parts_do_not_fit_is_one_error(songs, tmp_path, change, message):
    write_pack(tmp_path / "pack", songs, **MADE_OF)
    rewritten(tmp_path / "pack", change)
    with pytest.raises(PackError, match=message) as raised:
        read_pack(tmp_path / "pack")
    assert str(tmp_path / "pack") in str(raised.value)


def test_a_description_that_was_changed_is_refused(songs, tmp_path):
    write_pack(tmp_path / "pack", songs, **MADE_OF, n_skipped=3)
    content = (tmp_path / "pack").read_bytes()
    (tmp_path / "pack").write_bytes(content.replace(rb"\"n_skipped\": 3", rb"\"n_skipped\": 0", 1))
    with pytest.raises(PackError, match="expected a description with the hash"):
        read_pack(tmp_path / "pack")


@pytest.mark.parametrize("title", [None, "12 songs of jazz"])
def test_a_pack_with_the_former_key_is_read(songs, tmp_path, title):
    pack = write_pack(tmp_path / "new", songs, **MADE_OF, pseudo_labels=title)
    with safe_open(str(tmp_path / "new"), framework="numpy") as file:
        metadata, tensors = file.metadata(), {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    description = json.loads(metadata["pack"])
    description["heard"] = description.pop("pseudo_labels")
    del metadata["pack_hash"]  # which such packs do not have
    save_file(tensors, tmp_path / "old", metadata | {"pack": json.dumps(description)})
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        read, found = read_pack(tmp_path / "old")
    assert [(warning.category, "`heard` is now" in str(warning.message)) for warning in warned] == (
        [] if title is None else [(FutureWarning, True)]
    )
    assert found == pack
    np.testing.assert_array_equal(read.spectrogram, read_pack(tmp_path / "new")[0].spectrogram)


def test_another_safetensors_file_and_no_file(tmp_path):
    save_file({"weight": np.zeros(3)}, tmp_path / "model.safetensors")
    with pytest.raises(PackError, match="expected a file of `musemo prepare --pack`"):
        read_pack(tmp_path / "model.safetensors")
    for missing in (tmp_path / "none", tmp_path):
        with pytest.raises(FileNotFoundError, match="found none at"):
            read_pack(missing)


def test_songs_that_cannot_be_packed(songs: SongArrays, tmp_path):
    spectrogram = songs.spectrogram.copy()
    spectrogram[0, 0, 0] = np.nan
    for bad in (dataclasses.replace(songs, spectrogram=spectrogram), dataclasses.replace(songs, song_id=np.empty(0))):
        with pytest.raises(PackError, match="expected songs with finite log-mels"):
            write_pack(tmp_path / "x", bad, **MADE_OF)
    spectrogram[:] = 0
    spectrogram[0, 0, 0] = 2000
    with pytest.raises(PackError, match="over 2000 dB"):
        write_pack(tmp_path / "x", dataclasses.replace(songs, spectrogram=spectrogram), **MADE_OF)
    assert not list(tmp_path.iterdir())
