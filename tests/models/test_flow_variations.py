"""Variations of clips by the flow."""

import pytest
import torch

from musemo_hf import MusemoFlowGenerator

N_FRAMES = 35  # not a multiple of the patch
FELT = torch.rand(40, 2, generator=torch.Generator().manual_seed(3)) * 2 - 1
TARGET = FELT.flip(0)


@pytest.fixture(scope="module")
def music():
    generator = torch.Generator().manual_seed(0)
    rough = torch.randn(40, 1, 8, 6, generator=generator)
    smooth = torch.nn.functional.interpolate(rough, size=(128, N_FRAMES), mode="bilinear")
    return (0.3 * smooth + 0.05 * torch.randn(smooth.shape, generator=generator)).clamp(-1, 1)


@pytest.fixture(scope="module")
def flow(music):
    torch.manual_seed(0)
    model = MusemoFlowGenerator(
        n_frames=N_FRAMES, patch_size=(128, 4), n_components=16, width=16, depth=1, n_heads=2, num_inference_steps=6
    )
    model.fit(music, FELT)
    for value in model.network.parameters():
        torch.nn.init.normal_(value, std=0.05)
    return model


def test_detail_and_components_together_give_the_texture(flow, music):
    texture = flow.profile.encode(music)[1]
    decoded = flow.patches.decode(flow.patches.encode(texture), flow.patches.encode_detail(texture))
    torch.testing.assert_close(decoded, texture, atol=1e-4, rtol=0)


def test_strength_0_gives_the_clip_and_more_strength_goes_farther_from_it(flow, music):
    varied = {strength: flow.vary(music, FELT, TARGET, strength, seed=0) for strength in (0.0, 0.2, 0.5, 1.0)}
    torch.testing.assert_close(varied[0.0][0], music, atol=1e-3, rtol=0)
    assert torch.equal(varied[0.0][1], FELT)
    distances = [(clips - music).square().mean().item() for clips, _ in varied.values()]
    assert distances == sorted(distances)
    assert distances[1] > 1e-4


def test_strength_1_is_a_new_clip_of_the_target_and_half_a_strength_is_half_way_in_emotion(flow, music):
    clips, emotion = flow.vary(music[:4], FELT[:4], TARGET[:4], 1.0, seed=7)
    torch.testing.assert_close(clips, flow.generate(TARGET[:4], seed=7, guidance_scale=1.0))
    assert torch.equal(emotion, TARGET[:4])
    torch.testing.assert_close(flow.vary(music, FELT, TARGET, 0.5, seed=7)[1], (FELT + TARGET) / 2)


def test_a_variation_depends_on_its_own_seed_and_not_on_its_batch(flow, music):
    clips, _ = flow.vary(music[:4], FELT[:4], TARGET[:4], 0.5, seed=5)
    alone, _ = flow.vary(music[2:3], FELT[2:3], TARGET[2:3], 0.5, seed=7)
    torch.testing.assert_close(clips[2:3], alone, atol=1e-5, rtol=0)
    other, _ = flow.vary(music[2:3], FELT[2:3], TARGET[2:3], 0.5, seed=8)
    assert (alone - other).abs().max() > 1e-2


@pytest.mark.parametrize("strength", [-0.1, 1.1, float("nan")])
def test_a_strength_out_of_its_range_is_refused(flow, music, strength):
    with pytest.raises(ValueError, match=r"expected a strength in \[0, 1\]"):
        flow.vary(music[:2], FELT[:2], TARGET[:2], strength)


def test_unequal_numbers_of_clips_and_emotions_are_refused(flow, music):
    with pytest.raises(ValueError, match="a target for each of 3 clips, got 3 and 2"):
        flow.vary(music[:3], FELT[:3], TARGET[:2])
    with pytest.raises(ValueError, match="a target for each of 2 clips, got 3 and 3"):
        flow.vary(music[:2], FELT[:3], TARGET[:3])
