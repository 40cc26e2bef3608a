"""Arrays as people hand them over: what is accepted, refused, and noted."""

import numpy as np
import pytest
import torch

from musemo_hf import MusemoFeatureExtractor
from musemo_hf.audio.loading import load_audio
from musemo_hf.audio.samples import check_rate, mono_with_notes, resample, to_mono


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        (np.zeros((2, 2, 2), np.float32), r"expected audio of shape \(samples,\) or \(samples, channels\)"),
        (np.float32(0.1), r"expected audio of shape .*got \(\)"),
        (np.array([0.0, np.nan]), "expected finite samples"),
        (np.array([0.0, np.inf]), "expected finite samples"),
        (np.array([0.0, 1e300]), "expected finite samples"),
        (np.zeros(0, np.float32), "at least one sample"),
        (np.zeros((0, 2), np.float32), "at least one sample"),
        (np.zeros(100, np.int16), "floating-point audio.*int16"),
        (torch.zeros(100, dtype=torch.int64), "floating-point audio.*int64"),
        (np.zeros(100, np.complex64), "floating-point audio.*complex64"),
        (np.zeros(100, "datetime64[s]"), "floating-point audio.*datetime64"),
        (np.zeros(100, bool), "floating-point audio.*bool"),
        (np.array(["a", "b"]), "floating-point audio.*U1"),
        (np.array([None] * 5), "floating-point audio.*object"),
        ([[0.1, 0.2], [0.3]], "expected an array of floating-point samples"),
    ],
)
def test_what_is_no_audio_is_refused(samples, message):
    with pytest.raises(ValueError, match=message):
        to_mono(samples)


@pytest.mark.parametrize("scale", [127, 32767, 8388607, 2147483647])
def test_integers_given_as_floats_are_refused(music, scale):
    scaled = music(1).astype(np.float64) * scale
    damaged = [np.rint(scaled)] if scale == 127 else [np.rint(scaled), scaled, 0.03 * scaled]
    for samples in damaged:
        with pytest.raises(ValueError, match=r"expected samples in about \[-1, 1\], got a peak of .*32768 for int16"):
            to_mono(samples)


def test_unsigned_bytes_given_as_floats_are_refused(music):
    with pytest.raises(ValueError, match="got a peak of"):
        to_mono(np.rint(128 + 127 * music(1)))


def test_loud_float_audio_is_accepted(music):
    for gain in (1, 4, 40):  # a lossy codec, Griffin-Lim, the loudest of a thousand generated songs
        np.testing.assert_array_equal(to_mono(gain * music(0.5)), gain * music(0.5))
    square = np.sign(music(0.5) + 1e-9)  # full scale, and nothing but -1 and 1
    np.testing.assert_array_equal(to_mono(square), square)


@pytest.mark.parametrize("shape", [(2, 22050), (1, 22050), (8, 9)])
def test_swapped_axes_are_refused(shape):
    with pytest.raises(ValueError, match=r"expected \(samples, channels\), got .*axes swapped"):
        to_mono(np.full(shape, 0.1, np.float32))


@pytest.mark.parametrize(
    "convert",
    [
        lambda x: x[::-1][::-1],
        lambda x: np.stack([x, x], axis=1)[:, 0],
        lambda x: np.repeat(x, 2)[::2],
        lambda x: x.astype(">f4"),
        lambda x: x.astype(np.float64),
        lambda x: torch.from_numpy(x).requires_grad_(),
        lambda x: torch.from_numpy(np.repeat(x, 3))[::3],
        lambda x: memoryview(x),
        list,
    ],
    ids=["negative stride", "column", "step", "big endian", "float64", "gradient", "tensor step", "memory", "list"],
)
def test_every_layout_of_an_array_gives_the_same(music, convert):
    samples = music(0.5)
    mono = to_mono(convert(samples))
    np.testing.assert_array_equal(mono, samples)
    assert mono.dtype == np.float32
    assert mono.flags.c_contiguous
    spectrogram = MusemoFeatureExtractor(n_frames=16)(torch.from_numpy(mono), 22050).spectrogram
    assert torch.equal(spectrogram, MusemoFeatureExtractor(n_frames=16)(samples, 22050).spectrogram)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_accepted(music, dtype):
    low = torch.from_numpy(music(0.5)).to(dtype)
    np.testing.assert_array_equal(to_mono(low), low.float().numpy())
    assert MusemoFeatureExtractor(n_frames=16)(low, 22050).spectrogram.dtype == torch.float32


@pytest.mark.parametrize(
    "rate",
    [44100, 44100.0, "44100", np.int64(44100), np.array([44100]), torch.tensor(44100), torch.tensor([44100.0])],
    ids=["int", "float", "str", "numpy", "array", "tensor", "tensor of one"],
)
def test_a_rate_in_any_form(music, rate):
    assert check_rate(rate) == 44100
    expected = load_audio(music(0.5, 44100), 44100)
    loaded = load_audio(music(0.5, 44100), rate)
    np.testing.assert_array_equal(loaded.samples, expected.samples)
    assert loaded.duration == 0.5
    assert loaded.sampling_rate == 22050


@pytest.mark.parametrize(
    "rate",
    [
        44.1,
        0,
        -44100,
        999,
        44_100_000,
        float("nan"),
        float("inf"),
        "fast",
        True,
        [44100, 2],
        torch.tensor([1, 2]),
        b"x",
    ],
)
def test_what_is_no_rate_is_refused(music, rate):
    with pytest.raises(ValueError, match="expected a sampling rate in Hz, from 1,000 to 1,000,000, got"):
        load_audio(music(0.1), rate)
    with pytest.raises(ValueError, match="expected a sampling rate in Hz"):
        MusemoFeatureExtractor()(music(0.1), sampling_rate=rate)
    with pytest.raises(ValueError, match="expected a sampling rate in Hz"):
        resample(music(0.1), 22050, rate)


def test_a_rate_in_khz_gets_a_hint(music):
    with pytest.raises(ValueError, match=r"got 44\.1; is it in kHz\?"):
        load_audio(music(0.1), 44.1)


def test_samples_without_a_rate_are_refused(music):
    with pytest.raises(ValueError, match=r"expected sampling_rate \(Hz\) with an array of samples, got none"):
        load_audio(music(0.1))


@pytest.mark.parametrize("level", [0, 1e-9, 1e-5])
def test_silence_is_noted(level, music):
    (note,) = load_audio(level * music(0.5), 22050).notes
    assert note.startswith("The audio is silent, or nearly so")
    assert mono_with_notes(0.1 * music(0.5))[1] == []


@pytest.mark.parametrize("gain", [-1, -0.9, -0.5])
@pytest.mark.parametrize("loudest", [1, 2])
def test_cancelling_channels_give_the_louder_one_and_a_note(music, gain, loudest):
    samples = music(0.5)
    channels = [samples, gain * 0.99 * samples]
    mono, (note,) = mono_with_notes(np.stack(channels[:: 1 if loudest == 1 else -1], axis=1))
    np.testing.assert_array_equal(mono, samples)
    assert f"only channel {loudest} of 2, the loudest, is used" in note


def test_four_channels_that_cancel(music):
    one, other = music(0.5), music(0.5, seed=1)
    mono, notes = mono_with_notes(np.stack([one, -one, 0.5 * other, -0.5 * other], axis=1))
    np.testing.assert_array_equal(mono, one)
    assert "only channel 1 of 4" in notes[0]


def test_channels_that_do_not_cancel_are_averaged(music):
    one, other = music(0.5), music(0.5, seed=1)
    for channels in ([one, other], [one, 0 * one], [one, one], [0 * one, 0 * one], [one, 0.3 * other - 0.3 * one]):
        stacked = np.stack(channels, axis=1)
        mono, notes = mono_with_notes(stacked)
        np.testing.assert_array_equal(mono, stacked.mean(axis=1, dtype=np.float32))
        assert not any("cancel" in note for note in notes)
