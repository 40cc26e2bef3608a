"""Limits on what is decoded, and that decoding in blocks changes nothing."""

import contextlib
import tracemalloc

import numpy as np
import pytest
import soundfile
import soxr

from musemo_hf.audio.decoding import BLOCK, AudioDecodingError, Limits, audio_duration, decode_audio, read_audio


@pytest.mark.parametrize("source_rate", [44100, 48000, 16000, 22050, 96000])
def test_blocks_give_the_samples_of_the_whole_file(tmp_path, music, source_rate):
    samples = np.tile(music(4, source_rate), 1 + BLOCK // (2 * source_rate))
    soundfile.write(tmp_path / "a.wav", np.stack([samples, 0.5 * samples], axis=1), source_rate, subtype="FLOAT")
    mono = np.stack([samples, 0.5 * samples], axis=1).mean(axis=1, dtype=np.float32)
    expected = mono if source_rate == 22050 else soxr.resample(mono, source_rate, 22050, quality="HQ")
    np.testing.assert_array_equal(read_audio(tmp_path / "a.wav"), expected)


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        (Limits(seconds=1.5), r"at most 1\.5 s of audio"),
        (Limits(values=100_000), r"at most 100,000 values"),
        (Limits(memory=100_000), r"at most 100,000 bytes of samples at 22050 Hz"),
        (Limits(sampling_rate=32_000), r"a sampling rate of at most 32,000 Hz, got 44,100"),
        (Limits(channels=1), r"at most 1 channels, got 2"),
    ],
)
def test_each_limit_is_kept(tmp_path, music, limits, message):
    path = tmp_path / "a.flac"
    soundfile.write(path, np.stack([music(2, 44100)] * 2, axis=1), 44100)
    with pytest.raises(AudioDecodingError, match=rf"a\.flac: expected {message}"):
        read_audio(path, limits=limits)
    assert len(read_audio(path)) == 44100
    wide = Limits(seconds=2.1, values=200_000, memory=200_000, sampling_rate=44_100, channels=2)
    assert len(read_audio(path, limits=wide)) == 44100


def test_a_part_of_a_long_file_is_within_the_limits(tmp_path, music):
    path = tmp_path / "a.wav"
    soundfile.write(path, music(3), 22050)
    assert len(read_audio(path, duration=1, limits=Limits(seconds=10))) == 22050
    assert audio_duration(path, at_most=1) == 1
    assert audio_duration(path) == 3


@pytest.mark.parametrize("rate", [655_350, 400_000])
def test_a_small_file_of_a_huge_rate_is_refused_at_once(tmp_path, rate):
    path = tmp_path / "bomb.flac"
    soundfile.write(path, np.zeros((rate, 4), np.float32), rate)
    with pytest.raises(AudioDecodingError, match=r"bomb\.flac: expected a sampling rate of at most 384,000 Hz, got"):
        read_audio(path)


def test_memory_is_that_of_the_result(tmp_path):
    path, tone = tmp_path / "long.flac", 0.1 * np.sin(np.arange(44100 * 40) * 0.05).astype(np.float32)
    with soundfile.SoundFile(path, "w", 44100, 8) as file:
        for _ in range(3):
            file.write(np.repeat(tone[:, None], 8, axis=1))
    tracemalloc.start()
    decoded = decode_audio(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert decoded.duration == pytest.approx(120)
    assert peak < 3 * decoded.samples.nbytes + 16 * 2**20  # the file holds 169 MB of samples


def test_an_hour_of_music_is_admitted():
    limits = Limits()
    assert limits.seconds >= 3600
    assert limits.values >= 3600 * 96_000 * 2
    assert limits.memory >= 4 * 3600 * 22050


def test_a_file_made_of_marks_is_read_or_refused(tmp_path, music):
    path = tmp_path / "a.mp3"
    soundfile.write(path, music(2), 22050, format="MP3")
    expected = read_audio(path)
    path.write_bytes(path.read_bytes() + b"XingInfo" * 400_000)
    np.testing.assert_array_equal(read_audio(path), expected)
    (tmp_path / "b.flac").write_bytes(b"fLaC\x00\x00\x00\x22" * 100_000)
    with pytest.raises(AudioDecodingError, match=r"b\.flac: .* at most 1,000 joined streams, got 10,000"):
        read_audio(tmp_path / "b.flac")


def test_a_thousand_joined_files_are_read_and_more_are_refused(tmp_path):
    soundfile.write(tmp_path / "a.ogg", 0.1 * np.sin(np.arange(1000) * 0.1), 22050)
    once = (tmp_path / "a.ogg").read_bytes()
    assert audio_duration(once * 1000) == pytest.approx(1000 * audio_duration(once))
    with pytest.raises(AudioDecodingError, match="at most 1,000 joined streams, got 1,001"):
        audio_duration(once * 1001)


@pytest.mark.parametrize("name", ["a.mp3", "a.flac", "a.ogg", "a.wav", "a.aiff"])
def test_damage_anywhere_is_read_or_one_error(tmp_path, music, name):
    soundfile.write(tmp_path / name, music(1), 22050)
    whole, rng = (tmp_path / name).read_bytes(), np.random.default_rng(0)
    for turn in range(60):
        damaged = bytearray(whole)
        for _ in range(rng.integers(1, 20)):
            damaged[rng.integers(0, 200 if turn % 2 else len(damaged))] = rng.integers(0, 256)
        if turn % 3 == 0:
            del damaged[rng.integers(0, len(damaged)) :]
        with contextlib.suppress(AudioDecodingError):
            decoded = decode_audio(bytes(damaged))
            assert np.isfinite(decoded.samples).all()
            assert 0 < decoded.duration < 3000
