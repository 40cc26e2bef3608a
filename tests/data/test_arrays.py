import numpy as np
import pytest

from musemo_hf import DeamSpectrograms
from musemo_hf.data.arrays import load_arrays


@pytest.fixture
def songs(deam_folder, make_tone, tmp_path):
    for song_id in (3, 5, 1200, 1201, 2001, 2002):
        deam_folder.add(song_id, make_tone(1.1, 50 + song_id), (1 + song_id % 9, 0.5, 5, 1), artist=f"A{song_id % 3}")
    builder = DeamSpectrograms(
        tmp_path / "cache", "excerpt_10s", deam_folder.write(), n_folds=2, n_frames=44, writer_batch_size=2
    )
    builder.download_and_prepare(num_proc=2)
    return builder.as_dataset("train")


def views(songs):
    yield songs
    yield songs.shuffle(seed=1)
    yield songs.select([4, 0, 4])
    yield songs.filter(lambda fold: fold == 0, input_columns="fold")
    yield songs.with_format("torch")


@pytest.mark.parametrize("view", range(5))
def test_arrays_are_the_data_set(songs, view):
    dataset = list(views(songs))[view]
    arrays, rows = load_arrays(dataset), list(dataset.with_format("numpy"))
    assert len(arrays) == len(rows) > 0
    assert (arrays.spectrogram.dtype, arrays.spectrogram.flags.c_contiguous) == (np.float32, True)
    for name in ("spectrogram", "emotion", "emotion_std", "fold", "song_id", "year"):
        column = getattr(arrays, name)
        np.testing.assert_array_equal(column, np.stack([row[name] for row in rows]))
        assert column.flags.writeable
    assert arrays.artist == [row["artist"] for row in rows]
    assert arrays.genre == [row["genre"] for row in rows]
    assert [arrays.emotion.dtype, arrays.fold.dtype, arrays.song_id.dtype, arrays.year.dtype] == [
        np.float32,
        np.int8,
        np.int32,
        np.int16,
    ]


def test_no_rows(songs):
    arrays = load_arrays(songs.select([]))
    assert (arrays.spectrogram.shape, arrays.emotion.shape, arrays.artist) == ((0, 128, 44), (0, 2), [])
