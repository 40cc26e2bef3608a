import base64
import io

import matplotlib.image
import numpy as np
import pytest
import soundfile

from musemo_hf import (
    MusemoFeatureExtractor,
    MusemoPipeline,
    MusemoViTForEmotionRegression,
    embedded_checkpoint,
)
from musemo_hf.audio.decoding import read_audio
from musemo_hf.audio.loudness import GAIN
from musemo_hf.pipelines.emotion_path import emotion_path
from musemo_hf.pipelines.emotion_to_music import MusemoPipelineOutput
from musemo_hf.pipelines.song import Song


@pytest.fixture
def song():
    samples = (0.4 * np.sin(2 * np.pi * 440 * np.arange(22050) / 22050)).astype(np.float32)
    return Song(samples, 22050, np.full((128, 44), -20.0, np.float32), 0.8, -0.2, seed=7)


@pytest.mark.parametrize(("ending", "tolerance"), [("wav", 1e-3), ("flac", 1e-3), ("ogg", 0.1), ("mp3", 0.1)])
def test_save_writes_at_the_one_gain_and_reading_undoes_it(song, tmp_path, ending, tolerance):
    path = song.save(tmp_path / f"happy.{ending}")
    stored, rate = soundfile.read(path)
    assert rate == 22050
    level = np.sqrt((song.audio**2).mean())
    assert np.sqrt((stored**2).mean()) == pytest.approx(GAIN * level, rel=tolerance)
    samples = read_audio(path)
    assert np.sqrt((samples**2).mean()) == pytest.approx(level, rel=tolerance)
    if ending in ("wav", "flac"):
        np.testing.assert_allclose(samples, song.audio, atol=1e-3)


def test_a_louder_song_is_louder_in_the_file_and_in_the_notebook(song, tmp_path):
    quiet = player_samples(song)
    np.testing.assert_array_equal(quiet, soundfile.read(song.save(tmp_path / "quiet.wav"))[0])
    song.audio = song.audio * 5
    loud, _ = soundfile.read(song.save(str(tmp_path / "loud.wav")))
    assert np.abs(loud).max() == pytest.approx(5 * np.abs(quiet).max(), rel=1e-3)
    np.testing.assert_array_equal(loud, player_samples(song))


def player_samples(song):
    encoded = song._repr_html_().split("data:audio/wav;base64,")[1].split('"')[0]
    return soundfile.read(io.BytesIO(base64.b64decode(encoded)))[0]


@pytest.mark.parametrize("name", ["song.txt", "song", "song.mp4"])
def test_other_endings_are_refused(song, tmp_path, name):
    with pytest.raises(ValueError, match=f"ends in .wav, .flac, .ogg or .mp3, got '{name}'"):
        song.save(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_plot_has_seconds_and_hertz(song):
    axes = song.plot()
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("s", "Hz")
    assert "valence +0.80, arousal -0.20" in axes.get_title()
    left, right = axes.get_xlim()
    assert right - left == pytest.approx(44 * 512 / 22050)
    assert "1,000" in [label.get_text() for label in axes.get_yticklabels()]


def test_a_notebook_shows_the_picture_beside_the_player(song):
    assert repr(song) == "Song(valence=0.8, arousal=-0.2, seed=7, 1.0 s)"
    picture, player = song._repr_html_().split("<audio")
    assert player.startswith(' controls src="data:audio/wav;base64,')
    assert f'alt="Spectrogram of {song!r}"' in picture
    encoded = picture.split("data:image/png;base64,")[1].split('"')[0]
    pixels = matplotlib.image.imread(io.BytesIO(base64.b64decode(encoded)))
    assert pixels.shape[:2] == (182, 490)
    assert len(np.unique(pixels.reshape(-1, pixels.shape[-1]), axis=0)) > 20  # a drawing, not an empty canvas


def test_a_notebook_shows_all_songs_of_an_answer(song):
    answer = MusemoPipelineOutput(audios=np.stack([song.audio] * 2), songs=[song, song])
    assert answer._repr_html_().count("<audio") == 2
    assert MusemoPipelineOutput(audios=np.zeros((1, 1, 128, 8)), songs=[])._repr_html_() is None


def test_a_saved_song_is_recognised_as_it_was_generated(tmp_path):
    pipeline = MusemoPipeline.from_pretrained(embedded_checkpoint("generator"))
    path = embedded_checkpoint("recogniser")
    recogniser = MusemoViTForEmotionRegression.from_pretrained(path).eval()
    extractor = MusemoFeatureExtractor.from_pretrained(path)
    emotions = [(0.8, 0.7), (-0.3, 0.8), (-0.8, -0.6), (0.0, 0.0)]
    songs = pipeline([v for v, _ in emotions], [a for _, a in emotions], seed=0).songs
    assert max(np.abs(song.audio).max() for song in songs) > 1.5  # which 16 bits at full scale would not hold
    for song, ending in zip(songs, ("wav", "flac", "mp3", "ogg"), strict=True):
        expected = emotion_path(recogniser, extractor, song.audio, song.sampling_rate).mean
        saved = emotion_path(recogniser, extractor, song.save(tmp_path / f"song.{ending}")).mean
        np.testing.assert_allclose(saved, expected, atol=0.005 if ending in ("wav", "flac") else 0.08)
