import numpy as np
import pytest

from musemo_hf.audio.decoding import AudioDecodingError, read_audio


@pytest.mark.parametrize("ending", ["wav", "flac", "ogg", "mp3"])
def test_reads_every_format(audio_file, music, ending):
    samples = music(1)
    decoded = read_audio(audio_file(f"a.{ending}", samples))
    assert decoded.dtype == np.float32
    assert abs(len(decoded) - len(samples)) <= 2304  # an mp3 comes in frames
    assert np.corrcoef(decoded[: len(samples)], samples[: len(decoded)])[0, 1] > (0.9 if ending == "mp3" else 0.99)


def test_averages_the_channels(audio_file, music):
    left, right = music(0.5), music(0.5, seed=1)
    path = audio_file("stereo.wav", np.stack([left, right], axis=1))
    np.testing.assert_allclose(read_audio(path), (left + right) / 2, atol=1e-4)


@pytest.mark.parametrize("source_rate", [44100, 48000, 16000])
def test_resamples_a_tone_to_the_same_tone(audio_file, source_rate):
    time = np.arange(source_rate) / source_rate
    decoded = read_audio(audio_file("tone.wav", 0.5 * np.sin(2 * np.pi * 440 * time), source_rate))
    assert len(decoded) == 22050
    expected = 0.5 * np.sin(2 * np.pi * 440 * np.arange(22050) / 22050)
    np.testing.assert_allclose(decoded[500:-500], expected[500:-500], atol=2e-3)


def test_offset_and_duration_are_seconds_of_the_file(audio_file, music):
    samples = music(2, 44100)
    path = audio_file("a.wav", samples, 44100)
    part = read_audio(path, 44100, offset=0.5, duration=0.25)
    np.testing.assert_allclose(part, samples[22050 : 22050 + 11025], atol=1e-4)
    assert len(read_audio(path, 44100, offset=1.75, duration=10)) == 11025


def test_offset_beyond_the_end_is_an_error(audio_file, music):
    with pytest.raises(AudioDecodingError, match="at least one sample"):
        read_audio(audio_file("a.wav", music(0.1)), offset=5)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"found none at .*nowhere\.mp3"):
        read_audio(tmp_path / "nowhere.mp3")


@pytest.mark.parametrize(
    "content", [b"", b"This is a shopping list.\n" * 400, bytes(5000)], ids=["empty", "text", "zeros"]
)
def test_what_is_not_audio_is_one_error_that_names_the_file(tmp_path, content):
    path = tmp_path / "song.mp3"
    path.write_bytes(content)
    with pytest.raises(AudioDecodingError, match=r"song\.mp3: expected audio that soundfile can decode"):
        read_audio(path)


@pytest.mark.parametrize("keep", [64, 300])
def test_a_corrupt_mp3_is_one_error(tmp_path, audio_file, music, keep):
    noise = np.random.default_rng(0).bytes(20_000)
    path = tmp_path / "corrupt.mp3"
    path.write_bytes(audio_file("good.mp3", music(1)).read_bytes()[: keep // 8] + noise)
    with pytest.raises(AudioDecodingError, match=r"corrupt\.mp3"):
        read_audio(path)


def test_a_file_without_samples(audio_file):
    with pytest.raises(AudioDecodingError, match=r"nothing\.wav: expected audio with at least one sample"):
        read_audio(audio_file("nothing.wav", np.zeros(0, np.float32)))


@pytest.mark.deam
def test_real_songs_decode_to_their_length(real_songs):
    for path in real_songs:
        samples = read_audio(path)
        assert len(samples) > 9 * 22050
        assert 1e-4 < np.abs(samples).mean() < 1
