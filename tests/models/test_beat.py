"""The beat that a U-Net is told: found in songs, drawn, asked for as a tempo, and kept where a song is changed."""

import math

import pytest
import torch

from musemo_hf import MusemoUNetGenerator
from musemo_hf.models.unet.beat import FRAMES_A_SECOND, STRENGTH, beat_channels, check_beat, find_beat, later

N_CLIPS, N_FRAMES = 30, 432
UNET = {
    "n_frames": N_FRAMES,
    "channels": (32, 32),
    "attention": (False, False),
    "condition_width": 16,
    "conditions": ("tempo",),
    "n_descriptors": 3,
    "n_training_clips": N_CLIPS,
    "num_inference_steps": 1,
    "guidance_scale": 1.0,
    "beat": True,
}


def clicks(tempo, first=0.0, n_frames=N_FRAMES):
    """A log-mel in which something begins `tempo` times a minute and fades, from `first` s on."""
    time = torch.arange(n_frames) / FRAMES_A_SECOND - first
    since = torch.remainder(time, 60 / tempo)
    return (0.8 * (-8 * since).exp() - 0.5).where(time >= -1e-6, torch.tensor(-0.5)).expand(1, 1, 128, n_frames)


@pytest.fixture
def unet():
    torch.manual_seed(0)
    model = MusemoUNetGenerator(**UNET)
    for value in model.network.parameters():
        torch.nn.init.normal_(value, std=0.1)
    songs = torch.cat([clicks(80 + 2 * i, 0.1) for i in range(N_CLIPS)]) + 0.05 * torch.randn(N_CLIPS, 1, 128, N_FRAMES)
    emotion = torch.rand(N_CLIPS, 2) - 0.5
    model.fit(songs.clamp(-1, 1))
    known = {"tempo": torch.zeros(N_CLIPS), "beat": find_beat(songs)}
    model.prior.fit(model.bands.encode(songs.clamp(-1, 1)), emotion, known)
    return model.eval()


@pytest.mark.parametrize(("tempo", "first"), [(90, 0.0), (120, 0.25), (150, 0.1)])
def test_the_beat_of_regular_onsets_is_found(tempo, first):
    rate, strength, phase = find_beat(clicks(tempo, first))[0].tolist()
    assert 60 * rate == pytest.approx(tempo, rel=0.01)
    assert strength > 0.8
    due = (-phase / rate) % (1 / rate)  # s, of the first moment on the beat
    assert min(abs(due - first), 1 / rate - abs(due - first)) < 0.04


def test_noise_has_a_weak_beat_and_silence_none():
    noise = (0.1 * torch.randn(1, 1, 128, N_FRAMES, generator=torch.Generator().manual_seed(0))).clamp(-1, 1)
    assert find_beat(noise)[0, 1] < 0.1
    assert find_beat(torch.full((1, 1, 128, N_FRAMES), -1.0))[0, 1] == 0


def test_unknown_frames_do_not_count():
    song = clicks(100, 0.1).clone()
    known = torch.arange(N_FRAMES) < 250
    changed = torch.where(known, song, clicks(150))
    torch.testing.assert_close(find_beat(changed, known)[0, :2], find_beat(song, known)[0, :2])
    assert 60 * find_beat(changed, known)[0, 0] == pytest.approx(100, rel=0.02)


def test_channels_are_those_of_crops_where_the_phase_goes_on():
    beat = torch.tensor([[2.0, 0.7, 0.3], [1.5, 0.2, 0.9]])
    whole = beat_channels(beat, 2, 40, 4, None)
    assert whole.shape == (2, 2, 40)
    part = beat_channels(later(beat, torch.tensor([20, 20])), 2, 10, 4, None)
    torch.testing.assert_close(part, whole[..., 5:15], atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(whole[0].norm(dim=0), torch.full((40,), 0.66), atol=0.01, rtol=0)  # a mean of 4 frames
    assert not beat_channels(beat, 2, 40, 4, torch.tensor([True, False]))[0].any()
    assert not beat_channels(None, 2, 40, 4, None).any()


def test_a_beat_is_drawn_with_the_descriptors_and_a_tempo_replaces_its_rate(unet):
    emotion = torch.zeros(20, 2)
    drawn = unet.wishes(None, emotion, range(20))["beat"]
    rates = unet.prior.beats[:, 0]
    assert all((rates - rate).abs().min() < 1e-5 for rate in drawn[:, 0])
    assert len({round(phase, 4) for phase in drawn[:, 2].tolist()}) == 20
    torch.testing.assert_close(unet.wishes(None, emotion, range(20))["beat"], drawn)
    tempo = torch.full((20,), math.nan)
    tempo[:10] = 90.0
    asked = unet.wishes({"tempo": tempo}, emotion, range(20))["beat"]
    torch.testing.assert_close(asked[:10, 0], torch.full((10,), 1.5))
    assert (asked[:10, 1] == STRENGTH).all()
    torch.testing.assert_close(asked[:, 2], drawn[:, 2])
    assert all((rates - rate).abs().min() < 1e-5 for rate in asked[10:, 0])


def test_a_song_that_is_changed_keeps_its_beat_unless_a_tempo_is_asked_for(unet):
    song, emotion = clicks(100, 0.1), torch.zeros(1, 2)
    seen = []
    unet.network.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[3]["beat"][0]))
    unet.vary(song, emotion, 0.5, seed=0)
    unet.infill(song, torch.arange(N_FRAMES) >= 300, emotion, seed=0, repeats=1)
    unet.extend(song, 50, emotion, seed=0, repeats=1)
    unet.vary(song, emotion, 0.5, seed=0, conditions={"tempo": torch.tensor([140.0])})
    tempos = [60 * beat[0].item() for beat in seen]
    assert tempos == pytest.approx([100, 100, 100, 140], rel=0.02)


def test_the_beat_changes_what_is_generated_and_half_precision_keeps_its_phase(unet):
    given = {"beat": torch.tensor([[2.0, 0.5, 0.0]])}
    other = {"beat": torch.tensor([[2.0, 0.5, 0.5]])}
    first, second = (unet.generate(torch.zeros(1, 2), seed=0, conditions=each) for each in (given, other))
    assert (first - second).abs().max() > 0.01
    seen = []
    unet.to(torch.bfloat16).network.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[3]["beat"]))
    unet.generate(torch.zeros(1, 2), seed=0, conditions={"beat": torch.tensor([[2.001, 0.5, 0.123]])})
    torch.testing.assert_close(seen[0], torch.tensor([[2.001, 0.5, 0.123]]))


def test_beats_are_saved_with_the_model(unet, tmp_path):
    unet.save_pretrained(tmp_path / "unet")
    loaded = MusemoUNetGenerator.from_pretrained(tmp_path / "unet")
    assert torch.equal(loaded.prior.beats, unet.prior.beats)
    assert torch.equal(loaded.generate(torch.zeros(2, 2), seed=3), unet.generate(torch.zeros(2, 2), seed=3))


@pytest.mark.parametrize("beat", [[[2.0, 0.5]], [[0.1, 0.5, 0.0]], [[2.0, 1.5, 0.0]], [[math.nan, 0.5, 0.0]]])
def test_a_beat_that_is_none_is_refused(unet, beat):
    with pytest.raises(ValueError, match=r"expected (a rate, a strength and a phase|beats of 0.67 to 4 Hz)"):
        unet.generate(torch.zeros(1, 2), conditions={"beat": torch.tensor(beat)})
    with pytest.raises(ValueError, match="expected"):
        check_beat(torch.tensor(beat), 2)


def test_a_model_without_a_beat_refuses_one_and_a_beat_needs_descriptors():
    plain = MusemoUNetGenerator(**(UNET | {"beat": False, "n_descriptors": 0, "n_training_clips": 0}))
    with pytest.raises(ValueError, match="expected conditions out of tempo, got beat"):
        plain.generate(torch.zeros(1, 2), conditions={"beat": torch.tensor([[2.0, 0.5, 0.0]])})
    with pytest.raises(ValueError, match="expected descriptors with a beat"):
        MusemoUNetGenerator(**(UNET | {"n_descriptors": 0, "n_training_clips": 0}))
