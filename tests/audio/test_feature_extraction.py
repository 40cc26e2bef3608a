import json

import numpy as np
import pytest
import torch

from musemo_hf import MusemoFeatureExtractor
from musemo_hf.audio.decoding import AudioDecodingError
from musemo_hf.audio.mel import log_mel, normalise


@pytest.fixture(scope="module")
def extractor():
    return MusemoFeatureExtractor(n_frames=64)


def expected_spectrogram(samples, n_frames=64):
    mel = normalise(log_mel(torch.from_numpy(samples)))[:, :n_frames]
    return torch.nn.functional.pad(mel, (0, n_frames - mel.shape[1]), value=-1.0)


def test_arrays_files_lists_and_tensors_give_the_same(extractor, audio_file, music):
    samples = music(1)
    expected = expected_spectrogram(samples)
    path = audio_file("a.wav", samples)
    batch = extractor([samples, torch.from_numpy(samples), samples.tolist(), str(path), path], sampling_rate=22050)
    assert batch.spectrogram.shape == (5, 1, 128, 64)
    assert all(torch.equal(mel[0], expected) for mel in batch.spectrogram[:3])
    for mel in batch.spectrogram[3:]:  # a 16-bit file
        assert (mel[0] - expected).abs().mean() < 0.01


@pytest.mark.parametrize("kind", ["array", "tensor", "list", "file"])
def test_a_single_clip_is_a_batch_of_one(extractor, audio_file, music, kind):
    samples = music(1)
    inputs = {"array": samples, "tensor": torch.from_numpy(samples), "list": samples.tolist()}
    audio = audio_file("a.wav", samples) if kind == "file" else inputs[kind]
    batch = extractor(audio, sampling_rate=22050)
    assert batch.spectrogram.shape == (1, 1, 128, 64)
    assert batch.spectrogram.dtype == torch.float32


def test_batch_equals_single(extractor, music):
    clips = [music(seconds, seed=seed) for seed, seconds in enumerate((0.5, 1, 3))]
    batch = extractor(clips, sampling_rate=22050).spectrogram
    for clip, mel in zip(clips, batch, strict=True):
        assert torch.equal(extractor(clip, sampling_rate=22050).spectrogram[0], mel)


def test_ten_and_thirty_seconds(music):
    assert MusemoFeatureExtractor()(music(31), sampling_rate=22050).spectrogram.shape == (1, 1, 128, 1292)
    assert MusemoFeatureExtractor(n_frames=431)(music(10.02), 22050).spectrogram.shape == (1, 1, 128, 431)


def test_a_shorter_clip_is_padded_with_the_floor_and_a_longer_one_cropped_from_its_start(extractor, music):
    short = extractor(music(0.5), sampling_rate=22050).spectrogram
    assert (short[..., 22:] == -1).all()
    assert (short[..., :21] > -1).any()
    whole = music(4)
    assert torch.equal(
        extractor(whole, 22050).spectrogram, extractor(whole[: extractor.settings.n_samples(64)], 22050).spectrogram
    )


@pytest.mark.parametrize("rate", [44100, 48000, 16000])
def test_other_sampling_rates(extractor, rate):
    seconds = np.arange(2 * rate) / rate
    low = extractor(0.3 * np.sin(2 * np.pi * 440 * seconds), sampling_rate=rate).spectrogram
    here = np.arange(2 * 22050) / 22050
    expected = extractor(0.3 * np.sin(2 * np.pi * 440 * here), sampling_rate=22050).spectrogram
    loud = expected > 0
    assert loud.any()
    assert (low - expected)[loud].abs().max() < 0.01


def test_files_carry_their_own_sampling_rate(extractor, audio_file):
    seconds = np.arange(2 * 44100) / 44100
    path = audio_file("a.wav", 0.3 * np.sin(2 * np.pi * 440 * seconds), 44100)
    assert torch.equal(extractor(path).spectrogram, extractor(path, sampling_rate=8000).spectrogram)
    assert (
        extractor(path).spectrogram[0, 0].mean(-1).argmax()
        == extractor(0.3 * np.sin(2 * np.pi * 440 * seconds), 44100).spectrogram[0, 0].mean(-1).argmax()
    )


def test_stereo_is_averaged(extractor, music):
    stereo = np.stack([music(1), music(1, seed=1)], axis=1)
    assert torch.equal(extractor(stereo, 22050).spectrogram, extractor(stereo.mean(axis=1), 22050).spectrogram)


def test_numpy_on_request(extractor, music):
    spectrogram = extractor(music(1), sampling_rate=22050, return_tensors="np")["spectrogram"]
    assert isinstance(spectrogram, np.ndarray)
    assert spectrogram.shape == (1, 1, 128, 64)


def test_values_stay_in_range_at_any_level(extractor, music):
    for gain in (0.0, 1e-6, 1.0, 30.0):
        spectrogram = extractor(gain * music(1), sampling_rate=22050).spectrogram
        assert spectrogram.min() >= -1
        assert spectrogram.max() <= 1


def test_there_and_back(extractor, music):
    spectrogram = extractor(music(1.47), sampling_rate=22050).spectrogram
    audio = extractor.invert(spectrogram)
    assert audio.shape == (1, extractor.settings.n_samples(64))
    assert audio.dtype == torch.float32
    again = extractor(audio[0], sampling_rate=22050).spectrogram
    audible = spectrogram > -0.4  # above -30 dB
    difference = 50 * (again - spectrogram)[audible].abs()  # dB
    assert difference.median() < 1.5
    assert 50 * abs((again - spectrogram)[audible].mean()) < 1.0  # at the same level


@pytest.mark.deam
def test_real_songs_there_and_back(real_songs):
    extractor = MusemoFeatureExtractor(n_frames=128)
    batch = extractor(real_songs[:3]).spectrogram
    again = extractor(list(extractor.invert(batch).numpy()), sampling_rate=22050).spectrogram
    audible = batch > -0.4
    assert 50 * (again - batch)[audible].abs().median() < 2.0
    assert 50 * abs((again - batch)[audible].mean()) < 1.0


def test_decibels_and_back(extractor):
    decibels = torch.linspace(-60, 40, 128)[:, None].expand(128, 64)
    assert torch.allclose(extractor.to_decibels(extractor.from_decibels(decibels)), decibels, atol=1e-4)
    assert torch.allclose(extractor.from_decibels(decibels.numpy()), extractor.from_decibels(decibels))


@pytest.mark.parametrize("shape", [(128, 8), (2, 128, 8), (2, 1, 128, 8)])
def test_invert_takes_every_documented_shape(extractor, shape):
    assert extractor.invert(torch.full(shape, -0.5), n_iter=1).shape[0] == (1 if len(shape) == 2 else 2)


@pytest.mark.parametrize(
    ("spectrogram", "message"),
    [
        (torch.zeros(128), r"expected \(B, 1, 128, n_frames\), got \(128,\)"),
        (torch.zeros(1, 64, 8), r"expected \(B, 1, 128, n_frames\)"),
        (torch.zeros(1, 3, 128, 8), r"expected \(B, 1, 128, n_frames\)"),
        (torch.zeros(1, 1, 1, 128, 8), r"expected \(B, 1, 128, n_frames\)"),
        (torch.full((1, 1, 128, 8), torch.nan), "expected a finite spectrogram"),
        (torch.full((1, 1, 128, 8), -60.0), "normalised log-mel in .*is it in dB"),
    ],
)
def test_invert_refuses(extractor, spectrogram, message):
    with pytest.raises(ValueError, match=message):
        extractor.invert(spectrogram)


def test_round_trip_on_disk(tmp_path, music):
    extractor = MusemoFeatureExtractor(n_frames=77, min_db=-50.0, hop_length=256)
    extractor.save_pretrained(tmp_path)
    saved = json.loads((tmp_path / "preprocessor_config.json").read_text())
    assert saved["n_frames"] == 77
    loaded = MusemoFeatureExtractor.from_pretrained(tmp_path)
    assert loaded.settings == extractor.settings
    assert loaded.n_frames == 77
    samples = music(0.5)
    assert torch.equal(loaded(samples, 22050).spectrogram, extractor(samples, 22050).spectrogram)


def test_bad_arrays_are_one_clear_error(extractor):
    for audio, rate, message in (
        (np.zeros(22050, np.float32), None, r"expected sampling_rate \(Hz\) with an array"),
        (np.zeros(22050, np.float32), 0, "expected a sampling rate in Hz, from 1,000 to 1,000,000, got 0"),
        (np.zeros((2, 2, 22050), np.float32), 22050, "expected audio of shape"),
        (np.zeros((2, 22050), np.float32), 22050, r"expected \(samples, channels\), got \(2, 22050\).*as a list"),
        (np.full(22050, np.nan, np.float32), 22050, "expected finite samples"),
        (np.zeros(0, np.float32), 22050, "at least one sample"),
        (np.zeros(1, np.float32), 22050, r"expected at least 512 samples .* got 1"),
        (np.zeros(22050, np.int16), 22050, "floating-point audio.*int16"),
        ([], 22050, "got an empty list"),
    ):
        with pytest.raises(ValueError, match=message):
            extractor(audio, sampling_rate=rate)


@pytest.mark.parametrize(
    ("name", "content"),
    [("text.mp3", b"hello, I am text\n" * 100), ("empty.mp3", b""), ("noise.mp3", b"\xff\x00" * 99)],
)
def test_bad_files_are_one_clear_error_that_names_the_file(extractor, tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(AudioDecodingError, match=name):
        extractor(tmp_path / name)


def test_a_one_sample_file_is_one_clear_error(extractor, audio_file):
    path = audio_file("click.wav", np.ones(1, np.float32))
    with pytest.raises(ValueError, match=r"click\.wav: expected at least 512 samples \(one hop\) .* got 1"):
        extractor(path)
    with pytest.raises(FileNotFoundError, match="nowhere"):
        extractor("nowhere.mp3")


@pytest.mark.parametrize("audio", [None, 3, 0.5, {"array": [0.1]}, {0.1}, object(), [None], [[0.1, None]], [b"x", 1]])
def test_what_is_no_audio_is_one_clear_error(extractor, audio):
    with pytest.raises(ValueError, match="expected"):
        extractor(audio, sampling_rate=22050)


def test_other_types_of_options_are_one_clear_error(extractor, music):
    for kind in ("tf", 3, ["pt"], True):
        with pytest.raises(ValueError, match="expected return_tensors out of"):
            extractor(music(1), 22050, return_tensors=kind)
    for values in (None, "loud", {"a": 1}, [None], torch.ones(2, dtype=torch.bool), np.array([1j]), np.array(["x"])):
        for convert in (extractor.to_decibels, extractor.from_decibels, extractor.invert):
            with pytest.raises(ValueError, match="expected"):
                convert(values)
    spectrogram = torch.zeros(128, 4)
    for options in ({"n_iter": -1}, {"n_iter": 1.5}, {"n_iter": None}, {"seed": "0"}, {"seed": -1}, {"seed": 2**63}):
        with pytest.raises(ValueError, match=f"expected {next(iter(options))} as a whole number from 0 to"):
            extractor.invert(spectrogram, **options)
    for shape in ((0, 128, 4), (128, 0)):
        with pytest.raises(ValueError, match=r"expected \(B, 1, 128, n_frames\)"):
            extractor.invert(torch.zeros(shape))
    for options in ({"n_frames": 0}, {"n_frames": "64"}, {"hop_length": 2.5}, {"sampling_rate": 44}, {"n_mels": True}):
        with pytest.raises(ValueError, match=f"expected {next(iter(options))} as a whole number"):
            MusemoFeatureExtractor(**options)
    for options in ({"min_db": 50}, {"max_db": float("nan")}, {"min_db": "-60"}):
        with pytest.raises(ValueError, match="expected min_db below max_db"):
            MusemoFeatureExtractor(**options)


def test_scales_of_views_and_integers(extractor):
    decibels = np.linspace(-60, 40, 12).reshape(3, 4)
    assert torch.allclose(extractor.from_decibels(decibels[::-1]), extractor.from_decibels(decibels).flip(0))
    assert extractor.from_decibels([[-60, 40], [-10, -35]]).tolist() == [[-1, 1], [0, -0.5]]


@pytest.mark.parametrize("kind", ["datetime64[s]", "timedelta64[s]", "complex64"])
def test_arrays_that_hold_no_numbers_are_refused_by_their_type(kind):
    # numpy raises when such an array is asked whether it has `data`
    with pytest.raises(ValueError, match=rf"expected floating-point audio.*{kind[:8]}"):
        MusemoFeatureExtractor(n_frames=8)(np.zeros(3000, kind), sampling_rate=22050)
