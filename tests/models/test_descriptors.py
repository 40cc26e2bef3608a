"""Descriptors of whole clips, which a U-Net generator draws before it makes a clip."""

import pytest
import torch

from musemo_hf import MusemoUNetGenerator
from musemo_hf.models.unet.descriptors import DESCRIPTORS, PERTURBATION, DescriptorPrior, statistics
from musemo_hf.models.unet.genres import genre_shares

GENRES = ("Jazz", "Rock")
N_CLIPS, N_DESCRIPTORS = 120, 6
UNET = {
    "n_frames": 96,
    "channels": (32, 32),
    "attention": (False, True),
    "condition_width": 16,
    "conditions": ("loudness",),
    "genres": GENRES,
    "n_descriptors": N_DESCRIPTORS,
    "n_training_clips": N_CLIPS,
}
FEW = {"seed": 0, "num_inference_steps": 2}


@pytest.fixture(scope="module")
def clips():
    """Latents of which arousal is the level, with their emotions and what is known of them."""
    random = torch.Generator().manual_seed(0)
    emotion = 1.6 * torch.rand(N_CLIPS, 2, generator=random) - 0.8
    tilt = torch.linspace(-1, 1, 128)[:, None] * torch.randn(N_CLIPS, 1, 1, 1, generator=random)
    noise = torch.randn(N_CLIPS, 1, 128, 96, generator=random)
    noise[::2] = noise[::2].cumsum(-1) / 5  # every second clip changes slowly
    known = {"loudness": emotion[:, 1].clone(), "genre": torch.eye(2).repeat(N_CLIPS // 2, 1)}
    return emotion[:, 1].view(-1, 1, 1, 1) + tilt + noise, emotion, known


@pytest.fixture(scope="module")
def unet(clips):
    latents, emotion, known = clips
    model = MusemoUNetGenerator(**UNET)
    for number, value in enumerate(model.parameters()):
        torch.nn.init.normal_(value, std=0.1, generator=torch.Generator().manual_seed(number))
    model.prior.fit(latents, emotion, known)
    return model.eval()


def test_descriptors_of_training_clips_are_standardised_and_do_not_depend_on_the_batch(unet, clips):
    described = unet.prior.describe(clips[0])
    assert torch.equal(described, unet.prior.clips)
    torch.testing.assert_close(torch.corrcoef(described.T), torch.eye(N_DESCRIPTORS), atol=0.05, rtol=0)
    torch.testing.assert_close(described.std(0), torch.ones(N_DESCRIPTORS), atol=0.05, rtol=0)
    torch.testing.assert_close(unet.prior.describe(clips[0][7:8]), described[7:8])


@pytest.mark.parametrize("n_frames", [1, 2, 40, 431])
def test_statistics_of_any_length_are_finite(n_frames):
    for latents in (torch.randn(2, 1, 128, n_frames), torch.zeros(2, 1, 128, n_frames)):
        found = statistics(latents)
        assert found.shape == (2, 4 * 32 + 36)
        assert found.isfinite().all()


def test_statistics_tell_beats_partials_and_onsets():
    steady = torch.randn(1, 1, 128, 1).expand(1, 1, 128, 400)
    beat = torch.zeros(1, 1, 128, 400)
    beat[..., ::20] = 1  # a lag of 20 frames is the seventh pair
    found = statistics(torch.cat([steady, beat, torch.randn(1, 1, 128, 400)]))
    _, _, onsets, partials, beats = found.split((32, 32, 32, 32, 36), dim=1)
    assert beats[1].argmax() in (6, 16, 26)  # 20, 40 or 60 frames
    assert (onsets[0] < onsets[1]).all()
    assert (partials[0] > partials[1]).all()


def test_descriptors_are_drawn_near_the_wanted_emotion_conditions_and_genre(unet, clips):
    prior, emotion = unet.prior, clips[1]
    wanted = torch.tensor([[0.0, 0.7], [0.0, -0.7]]).repeat_interleave(200, 0)
    loud, quiet = prior.draw(wanted, {}, range(400)).split(200)
    level = torch.linalg.lstsq(torch.cat([prior.clips, torch.ones(N_CLIPS, 1)], 1), emotion[:, 1:]).solution[:, 0]
    assert (loud @ level[:-1]).mean() - (quiet @ level[:-1]).mean() > 0.8
    asked = prior.draw(wanted * 0, {"loudness": wanted[:, 1]}, range(400)).split(200)
    assert (asked[0] @ level[:-1]).mean() - (asked[1] @ level[:-1]).mean() > 0.3
    rock = prior.draw(wanted, {"genre": genre_shares(GENRES, ["Rock"] * 400)}, range(400))
    distance = torch.cdist(rock, prior.clips)
    assert (distance[:, 1::2].amin(1) < distance[:, ::2].amin(1)).float().mean() > 0.9


def test_descriptors_near_those_of_a_song_are_drawn_for_its_own_emotion(unet, clips):
    prior, emotion = unet.prior, clips[1]
    near, free = (prior.draw(emotion, {}, range(N_CLIPS), songs) for songs in (prior.clips, None))
    assert (near - prior.clips).square().mean() < 0.8 * (free - prior.clips).square().mean()
    assert (near - prior.clips).square().mean() > 0.9 * PERTURBATION**2  # and never those of a song itself


def test_descriptors_of_a_song_stay_and_move_to_an_emotion_as_those_of_songs_do(unet, clips):
    prior, emotion = unet.prior, clips[1]
    kept = prior.move(prior.clips, None, {}, range(N_CLIPS))
    assert (kept - prior.clips).square().mean().sqrt() == pytest.approx(PERTURBATION, rel=0.1)
    level = torch.linalg.lstsq(torch.cat([prior.clips, torch.ones(N_CLIPS, 1)], 1), emotion[:, 1:]).solution[:, 0]
    high, low = (prior.move(prior.clips, emotion * 0 + value, {}, range(N_CLIPS)) for value in (0.6, -0.6))
    assert ((high - low) @ level[:-1]).mean() == pytest.approx(1.2, rel=0.2)
    loud = prior.move(prior.clips, None, {"loudness": torch.full((N_CLIPS,), 0.6)}, range(N_CLIPS))
    unasked = prior.move(prior.clips, None, {"loudness": torch.full((N_CLIPS,), torch.nan)}, range(N_CLIPS))
    assert torch.equal(unasked, kept)
    assert ((loud - kept) @ level[:-1]).mean() > 0.2


def test_a_variation_of_strength_one_keeps_nothing_of_its_song(unet, clips):
    songs = unet.bands.decode(clips[0][:2]).clamp(-1, 1)
    options = {"seed": [3, 3], "num_inference_steps": 2}
    first, second = unet.vary(songs, torch.zeros(2, 2), 1.0, **options)
    assert torch.equal(first, second)
    first, second = unet.vary(songs, torch.zeros(2, 2), 0.9, **options)
    assert not torch.equal(first, second)


def test_a_draw_is_the_same_in_any_batch_and_depends_on_the_seed(unet):
    emotion = torch.tensor([[0.3, 0.2], [-0.5, 0.1], [0.3, 0.2]])
    made = unet.generate(emotion, **FEW)
    assert torch.equal(unet.generate(emotion[1:], **(FEW | {"seed": [1, 2]})), made[1:])
    first, _, third = unet.prior.draw(emotion, {}, [5, 6, 7])
    assert not torch.equal(first, third)


def test_descriptors_change_a_clip_and_can_be_those_of_a_song(unet, clips):
    emotion = torch.zeros(2, 2)
    songs = unet.bands.decode(clips[0][:2]).clamp(-1, 1)
    given = {DESCRIPTORS: unet.describe(songs)}
    like = unet.generate(emotion, conditions=given, **FEW)
    assert not torch.equal(like, unet.generate(emotion, **FEW))
    assert torch.equal(like, unet.generate(emotion, conditions=given, **FEW))
    assert not torch.equal(unet.generate(emotion, guidance_scale=0, **FEW), unet.generate(emotion, **FEW))


def test_no_guidance_leaves_descriptors_out(unet):
    given = [{DESCRIPTORS: torch.full((2, N_DESCRIPTORS), value)} for value in (-1.0, 1.0)]
    clips = [unet.generate(torch.zeros(2, 2), guidance_scale=0, conditions=each, **FEW) for each in given]
    torch.testing.assert_close(*clips, atol=1e-5, rtol=0)


def test_songs_are_changed_with_descriptors(unet, clips):
    songs, emotion = unet.bands.decode(clips[0][:2]).clamp(-1, 1), torch.zeros(2, 2)
    assert unet.vary(songs, emotion, 0.5, seed=0, num_inference_steps=4).shape == songs.shape
    for known in (1, 40, 95):
        made = unet.infill(songs, torch.arange(96) >= known, emotion, **FEW)
        assert made.isfinite().all()
        assert torch.equal(made[..., :known], songs[..., :known])


def test_descriptors_come_back_with_a_saved_model(unet, tmp_path):
    unet.save_pretrained(tmp_path)
    again = MusemoUNetGenerator.from_pretrained(tmp_path)
    emotion = torch.zeros(2, 2)
    assert torch.equal(again.generate(emotion, **FEW), unet.generate(emotion, **FEW))
    half = MusemoUNetGenerator.from_pretrained(tmp_path, torch_dtype=torch.bfloat16)
    assert half.prior.clips.dtype == torch.float32  # statistics are not rounded
    assert torch.equal(half.prior.clips, unet.prior.clips)


@pytest.mark.parametrize("shape", [(2,), (2, N_DESCRIPTORS + 1), (3, N_DESCRIPTORS)])
def test_descriptors_of_another_shape(unet, shape):
    with pytest.raises(ValueError, match=f"expected {N_DESCRIPTORS} descriptors for each of 2 clips, got"):
        unet.generate(torch.zeros(2, 2), conditions={DESCRIPTORS: torch.zeros(shape)}, **FEW)


def test_a_generator_without_descriptors_refuses_them():
    plain = MusemoUNetGenerator(**(UNET | {"n_descriptors": 0, "n_training_clips": 0}))
    with pytest.raises(ValueError, match="expected a generator with descriptors, got one whose n_descriptors is 0"):
        plain.describe(torch.zeros(1, 1, 128, 96))
    with pytest.raises(ValueError, match="expected conditions out of loudness, genre, got descriptors"):
        plain.generate(torch.zeros(1, 2), conditions={DESCRIPTORS: torch.zeros(1, N_DESCRIPTORS)}, **FEW)


def test_sizes_that_do_not_fit(clips):
    latents, emotion, known = clips
    with pytest.raises(ValueError, match="expected 1 to 164 descriptors and at least one training clip, got 165 and 5"):
        DescriptorPrior(128, 165, 5, (), ())
    with pytest.raises(ValueError, match="at least one training clip, got 4 and 0"):
        DescriptorPrior(128, 4, 0, (), ())
    with pytest.raises(ValueError, match="expected 7 training clips and more than 4, got 120"):
        DescriptorPrior(128, 4, 7, (), ()).fit(latents, emotion, known)
