"""The one gain of files and players, the limiter, and what a file says of its gain."""

import io
import subprocess

import numpy as np
import pytest
import soundfile

from musemo_hf.audio.decoding import decode_audio, read_audio
from musemo_hf.audio.loudness import GAIN, HEADROOM_DB, KNEE, is_limited, limit_softly, playback, write_playback


def test_below_the_knee_nothing_but_the_gain_changes(music):
    for level in (1e-3, 1, 10):
        samples = level * music(0.5)
        assert not is_limited(samples)
        np.testing.assert_array_equal(playback(samples), samples * np.float32(GAIN))


def test_the_limiter_is_smooth_odd_increasing_and_bounded():
    x = np.linspace(0, 3, 30_001)
    y = limit_softly(x)
    assert y.max() <= 1
    assert (np.diff(y) >= 0).all()
    np.testing.assert_array_equal(limit_softly(-x), -y)
    slope = np.diff(y.astype(np.float64)) / np.diff(x)
    assert np.abs(np.diff(slope)).max() < 0.02  # no corner at the knee
    assert limit_softly(np.array([KNEE, 1.0, 50.0])).tolist() == pytest.approx([KNEE, KNEE + 0.1 * np.tanh(1), 1])


@pytest.mark.parametrize("audio_format", ["WAV", "FLAC", "OGG", "MP3"])
@pytest.mark.parametrize("level", [1e-3, 0.5, 12.0])
def test_what_is_written_is_read_at_its_true_loudness(music, audio_format, level):
    samples = level * music(1.5) / np.abs(music(1.5)).max()
    write_playback(buffer := io.BytesIO(), samples, 22050, audio_format)
    decoded = read_audio(buffer.getvalue())
    if audio_format in ("WAV", "FLAC"):
        np.testing.assert_allclose(decoded, samples, atol=1.1 / 32767 / GAIN)
    elif level > 0.1:
        assert np.sqrt((decoded**2).mean()) == pytest.approx(np.sqrt((samples**2).mean()), rel=0.02)


def test_the_gain_survives_conversion_by_other_programs(music, tmp_path):
    samples = music(1.5)
    write_playback(tmp_path / "a.wav", samples, 22050, "WAV")
    for name in ("b.mp3", "b.flac", "b.ogg"):
        subprocess.run(
            ["ffmpeg", "-nostdin", "-loglevel", "error", "-i", tmp_path / "a.wav", tmp_path / name], check=True
        )
        level = np.sqrt((read_audio(tmp_path / name) ** 2).mean())
        assert level == pytest.approx(np.sqrt((samples**2).mean()), rel=0.05), name


@pytest.mark.parametrize(
    ("comment", "gain_db"),
    [("", 0), ("made by hand", 0), ("musemo_gain=-12.5 dB", 12.5), ("musemo_gain=-300 dB", 0), ("musemo_gain=9 dB", 0)],
)
def test_only_a_gain_of_ours_is_undone(music, tmp_path, comment, gain_db):
    samples = 0.1 * music(0.5)
    with soundfile.SoundFile(tmp_path / "a.wav", "w", 22050, 1, subtype="FLOAT") as file:
        if comment:
            file.comment = comment
        file.write(samples)
    np.testing.assert_allclose(read_audio(tmp_path / "a.wav"), samples * 10 ** (gain_db / 20), rtol=1e-5)


def test_a_quiet_song_is_not_silent_for_its_headroom(music):
    quiet = music(1) * (3e-4 / np.sqrt((music(1) ** 2).mean()))
    write_playback(buffer := io.BytesIO(), quiet, 22050, "FLAC")
    assert HEADROOM_DB > 10
    assert decode_audio(buffer.getvalue()).notes == []
