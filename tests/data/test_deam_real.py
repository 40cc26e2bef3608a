"""On real DEAM files: run with `--deam DIR`."""

import csv

import librosa
import numpy as np
import pytest

from musemo_hf import DeamSpectrograms
from musemo_hf.data.arrays import load_arrays
from musemo_hf.data.deam.annotations import read_annotations
from musemo_hf.data.deam.deam import NoSongsError
from musemo_hf.data.deam.layout import find_deam
from musemo_hf.data.deam.metadata import read_metadata
from musemo_hf.data.folds import artist_groups, folds_hash, strata
from musemo_hf.data.pack import read_pack, write_pack
from musemo_hf.experiments.label_audit.evidence import audit_labels

pytestmark = pytest.mark.deam


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def builder(deam_dir, cache):
    builder = DeamSpectrograms(cache, "excerpt_10s", deam_dir)
    builder.download_and_prepare(num_proc=2)
    return builder


@pytest.fixture(scope="module")
def songs(builder):
    return builder.as_dataset("train")


@pytest.fixture(scope="module")
def arrays(songs):
    return load_arrays(songs)


def test_every_song_is_found_and_none_is_skipped(builder, arrays, deam_dir):
    layout = find_deam(deam_dir)
    assert len(arrays) == len(layout.audio_files()) > 1000
    assert builder.skipped == []
    assert arrays.song_id.tolist() == sorted(int(path.stem) for path in layout.audio_files())
    assert arrays.spectrogram.shape[1:] == (128, 431)
    assert arrays.spectrogram.min() >= -100
    assert np.isfinite(arrays.spectrogram).all()


def test_they_fit_into_one_file_of_50_megabytes(arrays, tmp_path):
    pack = write_pack(tmp_path / "deam", arrays, config_name="excerpt_10s", labels="corrected")
    assert (tmp_path / "deam").stat().st_size <= 50_000_000
    assert pack.step <= 1
    read, found = read_pack(tmp_path / "deam")
    assert found == pack
    for name in ("emotion", "emotion_std", "fold", "song_id", "year", "artist", "genre"):
        assert np.array_equal(getattr(read, name), getattr(arrays, name)), name
    errors = [np.abs(one - other) for one, other in zip(read.spectrogram, arrays.spectrogram, strict=True)]
    assert max(error.max() for error in errors) <= pack.step / 2 + 1e-4
    assert np.sqrt(np.mean([np.square(error).mean() for error in errors])) == pytest.approx(pack.rms_error, rel=1e-3)


# Read off the published files by eye: valence_mean, valence_std, arousal_mean, arousal_std, artist, title, genre.
BY_HAND = {
    2: (3.1, 0.94, 3.0, 0.63, "The New Mystikal Troubadours", "Tonight A Lonely Century", "Blues"),
    4: (5.7, 1.42, 5.5, 1.63, "Kevin MacLeod", "Slow Burn", "Blues"),
    2001: (3.2, 0.98, 6.6, 0.8, "Creepoid", "Old Tree", "Rock"),
    2002: (6.4, 0.49, 5.2, 1.17, "Amar Lal", "Spring Day 1", "Singer/Songwriter"),
}


@pytest.mark.parametrize("song_id", BY_HAND)
def test_rows_checked_by_hand(songs, song_id):
    valence, valence_std, arousal, arousal_std, *about = BY_HAND[song_id]
    row = songs[songs["song_id"].index(song_id)]
    emotion = [(valence - 5) / 4, (arousal - 5) / 4]
    deviation = [valence_std / 4, arousal_std / 4]
    if song_id <= 1000:
        emotion, deviation = emotion[::-1], deviation[::-1]
    np.testing.assert_allclose(row["emotion"], emotion, atol=1e-6)
    np.testing.assert_allclose(row["emotion_std"], deviation, atol=1e-6)
    assert [row["artist"], row["title"], row["genre"]] == about
    assert row["year"] == (2013 if song_id <= 1000 else 2015)


def test_labels_agree_with_a_plain_reading_of_the_file(deam_dir):
    layout = find_deam(deam_dir)
    published = read_annotations(layout.annotations, "published")
    corrected = read_annotations(layout.annotations)
    with layout.annotations[0].open() as file:
        rows = [[float(cell) for cell in row] for row in list(csv.reader(file))[1:]]
    for song_id, valence, _, arousal, _ in rows:
        assert published[int(song_id)].emotion == pytest.approx(((valence - 5) / 4, (arousal - 5) / 4))
    swapped = {song for song in published if published[song] != corrected[song]}
    assert max(swapped) <= 1000 < min(published.keys() - swapped - {song for song in published if song <= 1000})


def test_every_song_has_an_artist_and_folds_keep_artists_together(arrays, songs):
    assert all(arrays.artist)
    assert all("\t" not in name for name in arrays.artist)
    of_artist = {}
    for group, fold in zip(artist_groups(arrays.artist), arrays.fold, strict=True):
        of_artist.setdefault(group, set()).add(int(fold))
    assert all(len(folds) == 1 for folds in of_artist.values())
    assert np.ptp(np.bincount(arrays.fold)) <= 2
    stratum = strata(arrays.emotion, arrays.year)
    assert max(np.ptp(np.bincount(arrays.fold[stratum == one], minlength=5)) for one in set(stratum)) <= 3
    assert folds_hash(arrays.song_id, arrays.fold) in songs.info.description


def test_artists_are_read_for_each_song(deam_dir):
    layout = find_deam(deam_dir)
    metadata = read_metadata(layout.metadata)
    assert all(song.artist and song.title and song.genre for song in metadata.values())


def test_log_mels_are_librosas(deam_dir, arrays):
    layout = find_deam(deam_dir)
    for index in np.linspace(0, len(arrays) - 1, 6).astype(int):
        path = layout.audio / f"{arrays.song_id[index]}.mp3"
        start = 30 if librosa.get_duration(path=path) >= 40 else 0
        samples, _ = librosa.load(path, sr=22050, mono=True, res_type="soxr_hq")
        power = librosa.feature.melspectrogram(
            y=samples[start * 22050 :][:220500], sr=22050, n_fft=2048, hop_length=512, n_mels=128, pad_mode="constant"
        )
        expected = librosa.power_to_db(power, ref=1.0, amin=1e-10, top_db=None)
        np.testing.assert_allclose(np.clip(arrays.spectrogram[index], -60, 40), np.clip(expected, -60, 40), atol=2e-2)


def test_ten_seconds_are_not_thirty(deam_dir, tmp_path, arrays):
    if find_deam(deam_dir).audio_files()[0].stat().st_size > 300_000:
        return  # the whole archive, whose files hold thirty seconds
    with pytest.raises(NoSongsError, match=rf'too short {len(arrays)}\..*config_name="excerpt_10s"'):
        DeamSpectrograms(tmp_path, data_dir=deam_dir).download_and_prepare()


def test_the_labels_of_2013_are_swapped(deam_dir, cache):
    audit = audit_labels(deam_dir, cache_dir=cache, num_proc=2)
    assert audit.difference["later"].low > 0.3
    assert audit.difference["2013"].high < -0.3
    assert audit.loudness["later", "arousal_mean"].low > audit.loudness["later", "valence_mean"].high
    assert audit.loudness["2013", "valence_mean"].low > audit.loudness["2013", "arousal_mean"].high
    assert audit.folds["corrected", "arousal"].low > audit.folds["published", "arousal"].high
