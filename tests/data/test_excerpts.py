import librosa
import numpy as np
import pytest
import soundfile

from musemo_hf.audio.decoding import AudioDecodingError
from musemo_hf.data.deam.excerpts import TooShortError, excerpt_log_mel, excerpt_start, file_duration


@pytest.mark.parametrize(
    ("duration", "length", "start", "or_from_start", "expected"),
    [
        (45.0, 30, 15, False, 15),
        (300.0, 30, 15, False, 15),
        (44.99, 30, 15, False, 15),
        (40.0, 10, 30, True, 30),
        (39.9, 10, 30, True, 0),
        (10.02, 10, 30, True, 0),
        (9.99, 10, 30, True, 0),
    ],
)
def test_where_an_excerpt_begins(duration, length, start, or_from_start, expected):
    assert excerpt_start(duration, length, start, or_from_start) == expected


@pytest.mark.parametrize(
    ("duration", "length", "start", "or_from_start"), [(44.97, 30, 15, False), (9.97, 10, 30, True), (0, 10, 30, True)]
)
def test_a_file_too_short_for_it(duration, length, start, or_from_start):
    with pytest.raises(TooShortError, match=f"got {duration:.2f} s"):
        excerpt_start(duration, length, start, or_from_start)


@pytest.fixture
def sweep():
    time = np.arange(3 * 44100) / 44100
    mono = 0.4 * np.sin(2 * np.pi * (200 + 800 * time) * time) + 0.01 * np.random.default_rng(0).normal(size=len(time))
    return np.stack([mono, 0.5 * mono], axis=1)


def test_the_excerpt_is_the_log_mel_of_its_seconds(tmp_path, sweep):
    path = tmp_path / "1.wav"
    soundfile.write(path, sweep, 44100, subtype="FLOAT")
    decibels = excerpt_log_mel(path, 1.0, 44)
    samples, _ = librosa.load(path, sr=22050, mono=True, res_type="soxr_hq")
    power = librosa.feature.melspectrogram(
        y=samples[22050:44100], sr=22050, n_fft=2048, hop_length=512, n_mels=128, pad_mode="constant"
    )
    expected = librosa.power_to_db(power, ref=1.0, amin=1e-10, top_db=None)
    assert decibels.shape == (128, 44)
    assert decibels.dtype == np.float32
    np.testing.assert_allclose(np.clip(decibels, -60, 40), np.clip(expected, -60, 40), atol=0.01)


def test_an_mp3_is_read_the_same_from_its_middle(tmp_path, sweep):
    path = tmp_path / "1.mp3"
    soundfile.write(path, sweep, 44100, format="MP3")
    whole, _ = librosa.load(path, sr=22050, mono=True, res_type="soxr_hq")
    soundfile.write(tmp_path / "middle.wav", whole[33075:55125], 22050, subtype="FLOAT")
    ours, theirs = excerpt_log_mel(path, 1.5, 44), excerpt_log_mel(tmp_path / "middle.wav", 0, 44)
    np.testing.assert_allclose(np.clip(ours, -60, 40), np.clip(theirs, -60, 40), atol=0.01)


@pytest.mark.parametrize("lacking", [0, 400, 441])
def test_a_file_up_to_20_ms_short_is_padded(tmp_path, lacking):
    path = tmp_path / "1.wav"
    soundfile.write(path, np.full(22050 - lacking, 0.1), 22050)
    assert excerpt_log_mel(path, 0, 44).shape == (128, 44)


def test_a_file_that_breaks_off_earlier_is_an_error(tmp_path):
    path = tmp_path / "1.wav"
    soundfile.write(path, np.full(22050 - 500, 0.1), 22050)
    with pytest.raises(AudioDecodingError, match=r"1.wav: expected 1 s from 0 s, it breaks off after 0.98 s"):
        excerpt_log_mel(path, 0, 44)


def test_text_is_no_audio(tmp_path):
    (tmp_path / "1.mp3").write_text("no audio at all")
    with pytest.raises(AudioDecodingError, match=r"1.mp3: expected audio that soundfile can decode"):
        file_duration(tmp_path / "1.mp3")
