from itertools import pairwise

import numpy as np
import pytest

from musemo_hf.evaluation.spaces.modulation import POWER_FLOOR, clamp_decibels, modulation_spectrum, octave_edges

FRAME_RATE = 22050 / 512


def test_by_loop():
    clip = np.random.default_rng(0).normal(-20, 10, (128, 260))
    spectrum = modulation_spectrum(clip[None])[0]
    times = np.arange(260)
    for octave, band in [(0, 0), (3, 5), (7, 15)]:
        logs = []
        for row in range(8 * band, 8 * band + 8):
            centred = clip[row] - clip[row].mean()
            for k in range(1, 131):
                if 0.5 / 2 ** (8 - octave) < k / 260 <= 0.5 / 2 ** (7 - octave):
                    power = abs(np.sum(centred * np.exp(-2j * np.pi * k * times / 260))) ** 2 / 260
                    logs.append(np.log(power + POWER_FLOOR))
        assert spectrum[octave, band] == pytest.approx(np.mean(logs), abs=1e-4)


@pytest.mark.parametrize("n_frames", [256, 431, 1292])
def test_octaves_partition_the_bins_above_zero(n_frames):
    edges = octave_edges(n_frames)
    assert len(edges) == 9
    assert edges[-1] == n_frames // 2 + 1
    assert all(later > first for first, later in pairwise(edges))


@pytest.mark.parametrize(("hertz", "octave"), [(0.25, 1), (1.0, 3), (4.0, 5), (15.0, 7)])
def test_a_tremolo_shows_in_its_octave_and_band(hertz, octave):
    times = np.arange(1292) / FRAME_RATE
    clip = np.full((1, 128, 1292), -20.0)
    clip[0, 40:48] += 6 * np.sin(2 * np.pi * hertz * times)
    spectrum = modulation_spectrum(clip)[0]
    assert spectrum[:, 5].argmax() == octave
    assert spectrum[octave].argmax() == 5
    np.testing.assert_allclose(np.delete(spectrum, 5, axis=1), np.log(POWER_FLOOR), atol=1e-3)


def test_loudness_and_what_is_outside_the_range_do_not_matter():
    clip = np.random.default_rng(1).normal(-20, 3, (1, 128, 300))
    np.testing.assert_allclose(modulation_spectrum(clip), modulation_spectrum(clip + 7), atol=2e-3)
    silent, deeper = np.full((1, 128, 300), -60.0), np.full((1, 128, 300), -100.0)
    np.testing.assert_array_equal(modulation_spectrum(silent), modulation_spectrum(deeper))


def test_errors():
    with pytest.raises(ValueError, match="at least 256 frames for 8 modulation octaves, got 255"):
        modulation_spectrum(np.zeros((1, 128, 255)))
    with pytest.raises(ValueError, match="multiple of 16 mel bands, got 100"):
        modulation_spectrum(np.zeros((1, 100, 300)))


def test_clips_are_clamped_to_the_extractors_range():
    clamped = clamp_decibels(np.array([-61.0, -60.0, 0.0, 40.0, 41.0]))
    assert clamped.tolist() == [-60, -60, 0, 40, 40]
    assert clamped.dtype == np.float32
