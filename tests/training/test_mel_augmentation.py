import pytest
import torch

from musemo_hf.training.gan.augmentation import FLOOR, GAIN, diff_augment


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def music():
    return torch.rand(16, 1, 128, 64, generator=seeded(9)) * 1.8 - 0.9


def test_shape_and_range_are_kept(music):
    for probability in (0.0, 0.5, 1.0):
        changed = diff_augment(music, seeded(), probability)
        assert changed.shape == music.shape
        assert changed.abs().max() <= 1


def test_nothing_happens_at_probability_0(music):
    assert torch.equal(diff_augment(music, seeded(), 0.0), music)


def test_the_generator_decides(music):
    assert torch.equal(diff_augment(music, seeded(3)), diff_augment(music, seeded(3)))
    assert not torch.equal(diff_augment(music, seeded(3)), diff_augment(music, seeded(4)))


def test_the_gradient_goes_through(music):
    clips = music.clone().requires_grad_()
    changed = diff_augment(clips, seeded())
    changed.sum().backward()
    kept = (changed != FLOOR).sum(dim=(1, 2, 3)).float()
    # each cell that is still there passes its gradient of 1 on to where it came from
    torch.testing.assert_close(clips.grad.sum(dim=(1, 2, 3)), kept)
    assert set(clips.grad.unique().tolist()) == {0.0, 1.0}


def test_neither_time_nor_frequency_is_turned_round():
    """One loud cell per clip, then a louder one a band higher and three frames later: their order stays."""
    clips = torch.full((64, 1, 128, 64), -0.5)
    clips[:, :, 40, 20], clips[:, :, 41, 23] = 0.5, 0.8
    seen = 0
    for clip in diff_augment(clips, seeded())[:, 0]:
        first = (clip > 0.4) & (clip < 0.6)
        second = clip > 0.7
        if first.sum() == 1 and second.sum() == 1:  # neither is masked
            (band, frame), (other_band, other_frame) = first.nonzero()[0], second.nonzero()[0]
            assert (band.item(), other_band.item()) == (40, 41)  # bands stay where they are
            assert (other_frame - frame) % 64 == 3
            seen += 1
    assert seen > 30


def test_each_clip_has_its_own_draw():
    clips = torch.full((32, 1, 128, 64), -0.5)
    clips[..., 20] = 0.5
    changed = diff_augment(clips, seeded())
    assert len({int(clip.mean(dim=(0, 1)).argmax()) for clip in changed}) > 10


def test_masks_and_crops_are_at_most_an_eighth_each(music):
    shares = [
        ((changed == FLOOR).all(dim=2).float().mean(dim=(1, 2)), (changed == FLOOR).all(dim=3).float().mean(dim=(1, 2)))
        for changed in (diff_augment(music, seeded(seed)) for seed in range(10))
    ]
    frames, bands = (torch.cat(part) for part in zip(*shares, strict=True))
    assert 0.15 < frames.max() <= 0.25 + 1e-6  # a mask and a crop
    assert 0.1 < bands.max() <= 0.125 + 1e-6


def test_no_frame_is_empty_where_none_is_hidden(music):
    empty = {hides: 0 for hides in (False, True)}
    for seed in range(10):
        for hides in empty:
            changed = diff_augment(music, seeded(seed), hides_frames=hides)
            empty[hides] += (changed == -1).all(dim=2).sum().item()
    assert empty[False] == 0 < empty[True]
    rolled = diff_augment(music, seeded(), hides_frames=False)
    assert not torch.equal(rolled, music)
    assert (rolled == -1).all(dim=3).any()  # bands are masked as ever


def test_the_gain_is_at_most_3_db():
    quiet = torch.zeros(64, 1, 128, 64)
    levels = diff_augment(quiet, seeded()).amax(dim=(1, 2, 3))
    assert levels.abs().max() <= GAIN + 1e-6
    assert levels.min() < -0.04
    assert levels.max() > 0.04
