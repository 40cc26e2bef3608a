import numpy as np
import pytest
import soundfile

from musemo_hf import DeamSpectrograms
from musemo_hf.data.arrays import load_arrays
from musemo_hf.data.deam.layout import find_deam
from musemo_hf.data.demo_corpus import MANIFEST, demo_corpus_dir, perform, render_demo_corpus
from musemo_hf.data.demo_performance import draw_performance
from musemo_hf.data.demo_scores import demo_scores
from musemo_hf.data.demo_synthesis import SAMPLING_RATE, draw_instrument


def correlation(a, b):
    return np.corrcoef(a, b)[0, 1]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return render_demo_corpus(tmp_path_factory.mktemp("demo") / "corpus", n_songs=120, duration=2.1)


@pytest.fixture(scope="module")
def arrays(corpus, tmp_path_factory):
    builder = DeamSpectrograms(tmp_path_factory.mktemp("cache"), "excerpt_10s", corpus, n_frames=87)
    builder.download_and_prepare()
    assert builder.skipped == []
    return load_arrays(builder.as_dataset("train"))


def test_it_is_laid_out_as_deam(corpus, arrays):
    layout = find_deam(corpus)
    assert len(layout.audio_files()) == len(arrays) == 120
    assert min(arrays.song_id) > 1000  # nothing is swapped
    assert set(arrays.year) == {2014, 2015}
    assert "valence_ max_mean" in layout.annotations[1].read_text().splitlines()[0]
    songs_an_artist = np.unique(arrays.artist, return_counts=True)[1]
    assert set(songs_an_artist) <= {2, 3}
    assert set(arrays.fold) == {0, 1, 2, 3, 4}
    assert soundfile.info(layout.audio_files()[0]).format == "MP3"


def test_audio_follows_the_labels(arrays):
    loudness = arrays.spectrogram.mean(axis=(1, 2))
    assert correlation(loudness, arrays.emotion[:, 1]) > 0.5
    assert correlation(loudness, arrays.emotion[:, 1]) > correlation(loudness, arrays.emotion[:, 0]) + 0.1
    power = (10 ** (arrays.spectrogram / 10)).mean(axis=2)
    brightness = 10 * np.log10(power[:, 50:].sum(axis=1) / power[:, :50].sum(axis=1))
    assert correlation(brightness, arrays.emotion[:, 0]) > 0.4
    assert correlation(brightness, arrays.emotion[:, 1]) > 0.4
    assert np.std(arrays.emotion, axis=0).min() > 0.2


@pytest.mark.parametrize(
    ("feature", "dimension", "sign"),
    [
        ("tempo", 1, 1),
        ("level", 1, 1),
        ("slope", 1, -1),
        ("slope", 0, -1),
        ("major", 0, 1),
        ("register", 0, 1),
        ("articulation", 0, -1),
        ("attack", 1, -1),
    ],
)
def test_performance_follows_emotion(feature, dimension, sign):
    emotions = np.random.default_rng(0).uniform(-0.9, 0.9, (400, 2))
    played = [draw_performance(emotion, np.random.default_rng(i)) for i, emotion in enumerate(emotions)]
    values = np.array([getattr(performance, feature) for performance in played], dtype=float)
    assert 0.3 < sign * correlation(values, emotions[:, dimension]) < 0.97  # with scatter: the task is not trivial


def test_a_song_is_in_range_and_as_loud_as_it_should_be():
    emotion = np.array([0.9, 0.9])
    performance = draw_performance(emotion, np.random.default_rng(0))
    instrument = draw_instrument(np.random.default_rng(1))
    samples = perform(demo_scores()[0], emotion, instrument, 3.0, np.random.default_rng(0))
    assert samples.shape == (3 * SAMPLING_RATE,)
    assert samples.dtype == np.float32
    assert np.abs(samples).max() <= 1
    assert 10 * np.log10(np.mean(samples**2)) == pytest.approx(performance.level, abs=2)


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_rendering_is_repeatable_and_resumes(tmp_path):
    whole = contents(render_demo_corpus(tmp_path / "a", n_songs=5, duration=0.5, seed=3))
    assert len(whole) == 5 + 2 + 3 + 1
    folder = render_demo_corpus(tmp_path / "b", n_songs=5, duration=0.5, seed=3)
    assert contents(folder) == whole
    kept = folder / "MEMD_audio" / "1001.mp3"
    (folder / "MEMD_audio" / "1003.mp3").unlink()
    (folder / "annotations").rename(folder / "annotations-lost")
    before = kept.stat().st_mtime_ns
    render_demo_corpus(folder, n_songs=5, duration=0.5, seed=3)
    assert contents(folder) == whole
    assert kept.stat().st_mtime_ns == before
    assert contents(render_demo_corpus(tmp_path / "c", n_songs=5, duration=0.5, seed=4)) != whole


def test_it_is_never_rendered_over_something_else(tmp_path):
    render_demo_corpus(tmp_path / "demo", n_songs=2, duration=0.5)
    with pytest.raises(ValueError, match=r"expected a demo corpus of .*'n_songs': 3.* got one of .*'n_songs': 2"):
        render_demo_corpus(tmp_path / "demo", n_songs=3, duration=0.5)
    (tmp_path / "demo" / MANIFEST).unlink()
    with pytest.raises(ValueError, match="expected an empty folder or a demo corpus, got other files"):
        render_demo_corpus(tmp_path / "demo", n_songs=2, duration=0.5)
    with pytest.raises(ValueError, match="expected 1 to 1050 songs of more than 0 s, got 0 of 1 s"):
        render_demo_corpus(tmp_path / "none", n_songs=0, duration=1)


def test_without_a_folder_the_demo_corpus_is_prepared(tmp_path, monkeypatch, caplog):
    monkeypatch.setenv("MUSEMO_CACHE", str(tmp_path / "musemo"))
    builder = DeamSpectrograms(tmp_path / "cache", "excerpt_10s")
    assert not (tmp_path / "musemo").exists()  # nothing is rendered before it is needed
    builder.download_and_prepare(num_proc=2)
    assert "this data set is the demonstration corpus, not DEAM" in caplog.text
    songs = builder.as_dataset("train")
    assert songs.num_rows == 240
    assert builder.skipped == []
    assert len(find_deam(demo_corpus_dir()).audio_files()) == 240
    assert set(songs["artist"]) == {score.name for score in demo_scores()}
