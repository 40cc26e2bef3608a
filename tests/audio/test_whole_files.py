"""Files whose header does not say how long they are: all are read to their end, or refused."""

import os
import subprocess

import numpy as np
import pytest
import soundfile

from musemo_hf import MusemoFeatureExtractor, MusemoViTForEmotionRegression, embedded_checkpoint
from musemo_hf.audio.decoding import AudioDecodingError, audio_duration, decode_audio, read_audio
from musemo_hf.commands.score.clips import ENDINGS, open_clips
from musemo_hf.data.deam.excerpts import excerpt_log_mel
from musemo_hf.pipelines.emotion_path import emotion_path

CBR, VBR, BARE = ("-b:a", "128k"), ("-q:a", 4), ("-write_xing", 0)


@pytest.fixture(scope="module")
def recognise():
    path = embedded_checkpoint("recogniser")
    model = MusemoViTForEmotionRegression.from_pretrained(path).eval()
    extractor = MusemoFeatureExtractor.from_pretrained(path)
    return lambda audio, rate=None: emotion_path(model, extractor, audio, rate).mean


def joined(path, *parts):
    path.write_bytes(b"".join(part if isinstance(part, bytes) else part.read_bytes() for part in parts))
    return path


@pytest.mark.parametrize(
    ("name", "options", "to_pipe"),
    [
        ("vbr_without_header.mp3", (*VBR, *BARE), False),
        ("cbr_without_header.mp3", (*CBR, *BARE), False),
        ("mono_low_rate.mp3", ("-ac", 1, "-ar", 22050, *VBR, *BARE), False),
        ("vbr.mp3", VBR, True),
        ("piped.flac", (), True),
        ("piped.wav", (), True),
        ("piped.ogg", ("-c:a", "libvorbis", "-q:a", 8), True),
        ("opus.ogg", ("-c:a", "libopus", "-b:a", "192k"), False),
        ("piped.aiff", (), True),
        ("piped.au", (), True),
    ],
)
def test_the_length_is_what_was_decoded(encode, stereo_file, recognise, tmp_path, name, options, to_pipe):
    path, clean = encode(name, *options, to_pipe=to_pipe), stereo_file
    if path.suffix in (".mp3", ".ogg"):  # what they lost is not lost in reading: another decoder says the same
        clean = tmp_path / "clean.wav"
        subprocess.run(["ffmpeg", "-nostdin", "-loglevel", "error", "-i", path, clean], check=True)
    assert audio_duration(path) == pytest.approx(12, abs=0.06)  # an mp3 without a header keeps the encoder's delay
    assert len(read_audio(path)) == pytest.approx(12 * 22050, abs=0.06 * 22050)
    assert audio_duration(path, at_most=2) == pytest.approx(2)
    if path.suffix in ENDINGS:
        assert open_clips(path, "candidate").lengths() == [431]
    np.testing.assert_allclose(recognise(path), recognise(clean), atol=0.02)


def test_every_layout_of_joined_mp3_files_is_read_to_its_end(encode, tmp_path):
    headed, bare = encode("headed.mp3", *CBR), encode("bare.mp3", *VBR, *BARE)
    tags = b"TAG" + bytes(125)  # ID3v1, which the second file follows
    for parts in ((headed, headed), (bare, bare), (headed, bare), (bare, headed), (headed, tags, headed, tags)):
        path = joined(tmp_path / "joined.mp3", *parts)
        n_files = sum(part is not tags for part in parts)
        decoded = decode_audio(path)
        assert decoded.duration == pytest.approx(12 * n_files, abs=0.1)
        assert len(decoded.samples) / 22050 == pytest.approx(decoded.duration, abs=0.001)
        half, whole = read_audio(path, duration=2), read_audio(path, offset=12, duration=4)
        assert np.corrcoef(half, decoded.samples[: len(half)])[0, 1] > 0.999
        assert np.sqrt((whole**2).mean()) > 1e-3  # the second file sounds, too


@pytest.mark.parametrize(("name", "options"), [("a.ogg", ("-c:a", "libvorbis")), ("b.ogg", ("-c:a", "libopus"))])
def test_chained_ogg_is_read_to_its_end(encode, tmp_path, name, options):
    path = encode(name, *options)
    once = decode_audio(path)
    twice = decode_audio(joined(tmp_path / "chained.ogg", path, path))
    assert twice.duration == pytest.approx(2 * once.duration)
    assert np.corrcoef(twice.samples[-200_000:], once.samples[-200_000:])[0, 1] > 0.99


def test_joined_flac_and_wav_and_other_rates(encode, tmp_path):
    for ending in ("flac", "wav"):
        first, second = encode(f"a.{ending}"), encode(f"b.{ending}", "-ar", 32000, "-ac", 1, "-t", 3)
        decoded = decode_audio(joined(tmp_path / f"joined.{ending}", first, second))
        assert decoded.duration == pytest.approx(15)
        assert len(decoded.samples) == pytest.approx(15 * 22050, abs=3)


def test_the_excerpt_of_a_long_mp3_without_a_header_is_in_its_middle(encode, tmp_path):
    path = encode("bare.mp3", *VBR, *BARE)
    long = joined(tmp_path / "long.mp3", *[path] * 4)
    assert audio_duration(long) == pytest.approx(48, abs=0.2)
    assert excerpt_log_mel(long, 30.0, 431).shape == (128, 431)
    assert open_clips(long, "candidate").lengths() == [1292]


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("cbr.mp3", CBR),
        ("vbr.mp3", VBR),
        ("mono.mp3", ("-ac", 1, *CBR)),
        ("a.wav", ()),
        ("a.flac", ()),
        ("a.ogg", ("-c:a", "libvorbis")),
        ("opus.ogg", ("-c:a", "libopus")),
        ("a.aiff", ()),
    ],
)
@pytest.mark.parametrize("share", [0.5, 0.9])
def test_a_truncated_file_is_an_error_that_names_it(encode, name, options, share):
    path = encode(name, *options)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(AudioDecodingError, match=rf"{name}: expected .* breaks off after \d+\.\d\d s"):
        read_audio(path)
    with pytest.raises(AudioDecodingError, match=name):
        audio_duration(path)
    assert len(read_audio(path, duration=2)) == 44100  # the beginning is whole


def test_a_truncated_last_file_of_several_is_an_error(encode, tmp_path):
    path = encode("cbr.mp3", *CBR)
    with pytest.raises(AudioDecodingError, match=r"joined.mp3: expected 12.00 s, it breaks off after 5.9"):
        read_audio(joined(tmp_path / "joined.mp3", path, path.read_bytes()[:96_000]))


def test_a_piped_flac_that_breaks_off_is_an_error(encode):
    path = encode("piped.flac", to_pipe=True)
    path.write_bytes(path.read_bytes()[:-20_000])
    with pytest.raises(AudioDecodingError, match=r"piped.flac: expected audio up to its end, it breaks off after 1"):
        read_audio(path)


def test_a_header_that_declares_too_much_is_not_believed(encode):
    mp3, flac, wav = encode("a.mp3", *CBR), encode("a.flac"), encode("a.wav")
    for path, tag, offset, declared in (
        (mp3, b"Info", 8, b"\x7f\xff\xff\xff"),
        (flac, b"fLaC", 22, b"\x7f\xff\xff\xff"),
        (wav, b"data", 4, b"\x00\xff\xff\x7e"),
    ):
        content = bytearray(path.read_bytes())
        start = content.index(tag) + offset
        content[start : start + 4] = declared
        path.write_bytes(content)
        with pytest.raises(AudioDecodingError, match=r"it breaks off after 1[0-9.]* s"):
            read_audio(path)


def test_a_flac_that_holds_more_than_its_header_says(encode):
    path = encode("a.flac")
    content = bytearray(path.read_bytes())
    content[22:26] = (44100).to_bytes(4)
    path.write_bytes(content)
    assert audio_duration(path) == pytest.approx(12)


def test_junk_and_tags_around_an_mp3(encode, tmp_path):
    clean = encode("a.mp3", *CBR)
    picture = b"ID3\x04\x00\x00" + bytes([0, 2, 0, 0]) + np.random.default_rng(0).bytes(2 << 14)
    for name, parts in (
        ("junk before", (bytes(3000), clean)),
        ("text before", (b"HTTP/1.0 200 OK\r\n\r\n", clean)),
        ("two tags before", (picture, clean)),
        ("tags after", (clean, b"APETAGEX" + bytes(5000) + b"TAG" + bytes(125))),
    ):
        decoded = read_audio(joined(tmp_path / f"{name}.mp3", *parts))
        np.testing.assert_array_equal(decoded, read_audio(clean), err_msg=name)


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("a.m4a", ("-c:a", "aac"), "an MP4, M4A or MOV file"),
        ("a.aac", (), "an AAC stream"),
        ("a.wma", (), "a Windows Media file"),
        ("a.mka", ("-c:a", "aac"), "a Matroska or WebM file"),
        ("a.wv", (), "a WavPack file"),
        ("a.ac3", (), "an AC-3 stream"),
    ],
)
def test_what_only_ffmpeg_decodes_is_refused_by_its_name_and_as_mp3(encode, tmp_path, name, options, words):
    path = encode(name, *options)
    for file in (path, path.rename(tmp_path / "song.mp3")):
        if not file.exists():
            continue
        with pytest.raises(AudioDecodingError, match=rf"{file.name}: expected audio .*got {words}; convert it first"):
            read_audio(file)


def test_what_looks_like_a_frame_by_chance_is_no_mp3(tmp_path):
    rng = np.random.default_rng(0)
    for size in (2_000, 200_000):
        content = bytearray(rng.bytes(size))
        content[:4] = b"\xff\xfb\x90\x00"
        (tmp_path / "noise.mp3").write_bytes(content)
        with pytest.raises(AudioDecodingError, match=r"noise\.mp3: expected audio that soundfile can decode"):
            read_audio(tmp_path / "noise.mp3")


def test_bytes_open_files_and_names_that_are_not_utf8(stereo_file, tmp_path):
    expected = read_audio(stereo_file)
    np.testing.assert_array_equal(read_audio(stereo_file.read_bytes()), expected)
    with stereo_file.open("rb") as file:
        np.testing.assert_array_equal(read_audio(file), expected)
    strange = bytes(tmp_path) + b"/caf\xe9.wav"
    subprocess.run([b"cp", bytes(stereo_file), strange], check=True)
    (found,) = tmp_path.iterdir()
    np.testing.assert_array_equal(read_audio(found), expected)
    np.testing.assert_array_equal(read_audio(str(found)), expected)


def test_a_file_that_may_not_be_read_is_one_error(tmp_path):
    path = tmp_path / "a.wav"
    soundfile.write(path, np.zeros(100), 22050)
    path.chmod(0)
    if os.access(path, os.R_OK):  # for root, who may read everything
        assert len(read_audio(path)) == 100
    else:
        with pytest.raises(AudioDecodingError, match=r"a\.wav: expected a file that can be read, got: Permission"):
            read_audio(path)
    with pytest.raises(FileNotFoundError):
        read_audio(tmp_path)


@pytest.mark.parametrize("gain", [-1, -0.6])
def test_a_file_whose_channels_cancel_is_read_from_the_louder(tmp_path, music, gain):
    samples = music(4, 44100)
    soundfile.write(tmp_path / "a.wav", np.stack([samples, gain * samples], axis=1), 44100, subtype="FLOAT")
    soundfile.write(tmp_path / "mono.wav", samples, 44100, subtype="FLOAT")
    decoded = decode_audio(tmp_path / "a.wav")
    np.testing.assert_array_equal(decoded.samples, read_audio(tmp_path / "mono.wav"))
    assert "only channel 1 of 2" in decoded.notes[0]


def test_files_with_silence_integers_and_a_strange_rate(tmp_path, music):
    path = tmp_path / "a.wav"
    soundfile.write(path, np.zeros(22050), 22050)
    assert decode_audio(path).notes[0].startswith("The audio is silent")
    soundfile.write(path, 32767 * music(1), 22050, subtype="FLOAT")
    with pytest.raises(AudioDecodingError, match=r"a\.wav: expected samples in about \[-1, 1\], got a peak"):
        read_audio(path)
    soundfile.write(path, music(1), 44)
    with pytest.raises(AudioDecodingError, match=r"a\.wav: expected a sampling rate in Hz.* got 44; is it in kHz"):
        read_audio(path)
