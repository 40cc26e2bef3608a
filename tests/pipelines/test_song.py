import numpy as np
import pytest
import soundfile

from musemo_hf.pipelines.song import Song


@pytest.fixture
def song():
    samples = (0.4 * np.sin(2 * np.pi * 440 * np.arange(22050) / 22050)).astype(np.float32)
    return Song(samples, 22050, np.full((128, 44), -20.0, np.float32), 0.8, -0.2, seed=7)


@pytest.mark.parametrize(("ending", "tolerance"), [("wav", 1e-4), ("flac", 1e-4), ("ogg", 0.1), ("mp3", 0.1)])
def test_save_keeps_the_loudness(song, tmp_path, ending, tolerance):
    path = song.save(tmp_path / f"happy.{ending}")
    samples, rate = soundfile.read(path)
    assert rate == 22050
    assert np.sqrt((samples**2).mean()) == pytest.approx(np.sqrt((song.audio**2).mean()), rel=max(tolerance, 1e-3))
    if ending in ("wav", "flac"):
        np.testing.assert_allclose(samples, song.audio, atol=tolerance)


def test_only_what_would_clip_is_scaled(song, tmp_path):
    song.audio = song.audio * 5
    samples, _ = soundfile.read(song.save(str(tmp_path / "loud.wav")))
    assert np.abs(samples).max() == pytest.approx(1, abs=1e-3)
    assert np.corrcoef(samples, song.audio)[0, 1] > 0.9999  # scaled, not clipped


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


def test_a_notebook_shows_a_player(song):
    shown = song._repr_mimebundle_()
    assert shown["text/plain"] == "Song(valence=0.8, arousal=-0.2, seed=7, 1.0 s)"
    assert shown["text/html"].startswith('<audio controls src="data:audio/wav;base64,')
