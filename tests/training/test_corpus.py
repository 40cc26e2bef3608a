"""Songs for a training: from a folder in DEAM's layout, or from a pack of it."""

import numpy as np
import pytest
from accelerate import Accelerator

from musemo_hf.data.demo_corpus import render_demo_corpus
from musemo_hf.data.pack import PackError, write_pack
from musemo_hf.training.configuration import DataSettings
from musemo_hf.training.corpus import load_songs


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Ten songs of the demonstration corpus, of which two are in the second annotation file."""
    return render_demo_corpus(tmp_path_factory.mktemp("corpus") / "DEAM", n_songs=10)


@pytest.fixture(scope="module")
def accelerator():
    return Accelerator(cpu=True)


@pytest.fixture(scope="module")
def prepared(folder, accelerator, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path_factory.mktemp("datasets"))
        return load_songs(DataSettings(), folder, accelerator)


@pytest.fixture(scope="module")
def pack(prepared, tmp_path_factory):
    path = tmp_path_factory.mktemp("pack") / "songs.safetensors"
    write_pack(path, prepared[0], "excerpt_10s", "corrected", procedural=True, n_skipped=1)
    return path


def test_a_pack_stands_for_the_folder(prepared, pack, accelerator):
    (songs, facts), (packed, told) = prepared, load_songs(DataSettings(), pack, accelerator)
    for name in ("emotion", "emotion_std", "fold", "song_id", "year", "artist", "genre"):
        assert np.array_equal(getattr(packed, name), getattr(songs, name)), name
    assert np.abs(packed.spectrogram - songs.spectrogram).max() <= told["pack"]["step"] / 2 + 1e-4
    assert facts == {"name": "demonstration corpus", "procedural": True, "n_skipped": 0}
    made = told.pop("pack")
    assert told == facts | {"n_skipped": 1}
    assert len(made["songs_hash"]) == 64
    assert 0 < made["rms_error"] < made["step"] / 2


def test_settings_choose_from_a_pack_as_from_a_folder(prepared, pack, accelerator):
    first = load_songs(DataSettings(n_songs=3), pack, accelerator)[0]
    assert first.song_id.tolist() == prepared[0].song_id[:3].tolist()
    assert (
        load_songs(DataSettings(annotation_file="1_2000"), pack, accelerator)[0].song_id.max()
        <= 2000
        < max(prepared[0].song_id)
    )


@pytest.mark.parametrize(
    ("settings", "wanted"),
    [
        (DataSettings(config_name="excerpt_30s"), "excerpt_30s with corrected labels"),
        (DataSettings(labels="published"), "excerpt_10s with published labels"),
    ],
)
def test_a_pack_of_other_settings_is_refused_and_both_are_named(pack, accelerator, settings, wanted):
    with pytest.raises(ValueError, match=f"expected a pack of {wanted}, got one of excerpt_10s with corrected labels"):
        load_songs(settings, pack, accelerator)


def test_a_file_that_is_no_pack_trains_nothing(tmp_path, accelerator):
    (tmp_path / "songs.csv").write_text("song_id")
    with pytest.raises(PackError, match="expected a whole file of `musemo prepare --pack`"):
        load_songs(DataSettings(), tmp_path / "songs.csv", accelerator)
