"""A clip's pulse: found where there is one, taken out, and given to any clip."""

import math

import pytest
import torch

from musemo_hf import MusemoFlowGenerator
from musemo_hf.models.flow.modulation_transform import cosines
from musemo_hf.models.flow.pulse import LARGEST, Pulse

N_FRAMES = 431


def noise(count=6, seed=0):
    return torch.randn(count, 128, N_FRAMES, generator=torch.Generator().manual_seed(seed))


def beats(period, depth=6.0, seed=0):
    """Noise with a stroke every `period` frames, which dies away in three."""
    frame = torch.arange(N_FRAMES)
    return noise(seed=seed) + depth * torch.exp(-(frame % period) / 3.0)


def changes(clips):
    return (clips - clips.mean(dim=-1, keepdim=True)) @ cosines(N_FRAMES).T


@pytest.fixture(scope="module")
def pulse():
    return Pulse(128, N_FRAMES, 4)


@pytest.mark.parametrize("period", [8.0, 13.0, 21.5, 36.0])
def test_the_rate_of_strokes_is_found(pulse, period):
    found, _ = pulse.split(changes(beats(period)))
    rate = 2 * N_FRAMES / period  # in coefficients
    # at once, or by the multiple of it that the strokes are as well: each has its own lines
    multiple = found[:, 0].exp() / rate
    torch.testing.assert_close(multiple, multiple.round(), atol=0.02, rtol=0)
    assert (multiple.round() >= 1).all()


def test_strokes_stand_out_and_noise_does_not(pulse):
    strokes, _ = pulse.split(changes(beats(21.5)))
    plain, _ = pulse.split(changes(noise()))
    assert strokes[:, 1:].mean() > 2
    assert plain[:, 1:].mean() < 0.7  # above 0, since the rate is that of the most, whatever there is


def test_what_is_left_has_no_contrast_and_joined_again_nothing_is_lost(pulse):
    whole = changes(beats(17.0, depth=1.5))
    found, rest = pulse.split(whole)
    assert 1 < found[:, 1:].max() < LARGEST
    left = pulse._contrasts(pulse._log_powers(rest), found[:, 0])
    assert left.abs().max() < 1e-3
    torch.testing.assert_close(pulse.join(found, rest), whole, atol=1e-4, rtol=1e-4)


def test_noise_given_a_pulse_keeps_time(pulse):
    found, _ = pulse.split(changes(beats(21.5)))
    made = pulse.join(found, changes(noise(seed=9)))
    again, _ = pulse.split(made)
    torch.testing.assert_close(again[:, 0], found[:, 0], atol=0.01, rtol=0)
    torch.testing.assert_close(again[:, 1:], found[:, 1:], atol=0.2, rtol=0)
    # what happened comes again a beat later, in every band
    audible = (made @ cosines(N_FRAMES))[:, :32].mean(dim=1)
    plain = noise(seed=9)[:, :32].mean(dim=1)

    def echo(values, lag):
        values = values - values.mean(dim=1, keepdim=True)
        return (values[:, lag:] * values[:, :-lag]).sum() / values.square().sum()

    assert echo(audible, 43) > echo(plain, 43) + 0.2


@pytest.mark.parametrize(("n_frames", "groups"), [(60, 4), (N_FRAMES, 0)])
def test_short_clips_and_no_groups_have_no_pulse(n_frames, groups):
    pulse, clips = Pulse(128, n_frames, groups), torch.randn(2, 128, n_frames)
    found, rest = pulse.split(clips)
    assert found.shape == (2, 0) == (2, pulse.size)
    assert rest is clips
    assert pulse.join(found, clips) is clips


def test_silence_has_a_pulse_of_no_contrast(pulse):
    found, rest = pulse.split(torch.zeros(1, 128, N_FRAMES))
    assert torch.isfinite(found).all()
    assert found[:, 1:].abs().max() < 1e-4
    assert rest.abs().max() == 0


def test_rates_and_contrasts_beyond_music_are_brought_back(pulse):
    absurd = torch.full((1, pulse.size), 50.0)
    made = pulse.join(absurd, changes(noise(1)))
    again, _ = pulse.split(made)
    assert again[0, 0] <= math.log(2 * N_FRAMES / 7) + 1e-4
    assert again[:, 1:].max() <= LARGEST


def test_a_flow_with_a_pulse_gives_back_a_song_with_its_beats():
    generator = torch.Generator().manual_seed(4)
    songs = torch.stack([beats(float(period), depth=1.5, seed=period)[:1] for period in range(8, 40)])
    songs = (0.05 * songs).clamp(-1, 1)
    emotion = torch.rand(len(songs), 2, generator=generator) * 2 - 1
    small = {
        "n_frames": N_FRAMES,
        "patch_size": (128, 4),
        "n_components": 512,
        "n_bands": 4,
        "width": 16,
        "depth": 1,
        "n_heads": 2,
    }
    flow = MusemoFlowGenerator(**small, n_pulse_bands=4)
    flow.fit(songs, emotion)
    torch.testing.assert_close(flow.decode(flow.encode(songs, emotion), emotion), songs, atol=2e-3, rtol=0)
    without = MusemoFlowGenerator(**small)
    without.fit(songs, emotion)
    measure = Pulse(128, N_FRAMES, 4)

    def contrast(model):
        made = model.generate(emotion[:16], seed=0, num_inference_steps=4, guidance_scale=1.0)
        return measure.split(changes(made[:, 0]))[0][:, 1:].mean().item()

    assert contrast(flow) > contrast(without) + 0.5


def test_a_saved_flow_keeps_its_pulse(tmp_path):
    flow = MusemoFlowGenerator(
        n_frames=90, patch_size=(128, 8), n_components=4, width=16, depth=1, n_heads=2, n_pulse_bands=4
    )
    assert flow.profile.pulse.size > 1
    clips = torch.randn(12, 1, 128, 90, generator=torch.Generator().manual_seed(0)).clamp(-1, 1)
    flow.fit(clips, torch.rand(12, 2) * 2 - 1)
    flow.save_pretrained(tmp_path)
    loaded = MusemoFlowGenerator.from_pretrained(tmp_path)
    emotion = torch.tensor([[0.5, 0.5]])
    torch.testing.assert_close(loaded.generate(emotion, seed=3), flow.generate(emotion, seed=3))
