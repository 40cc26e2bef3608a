import numpy as np
import pytest
import torch

from musemo_hf.training.clips import Clips
from musemo_hf.training.recogniser.augmentation import AUGMENTATIONS

AUGMENTED = sorted(set(AUGMENTATIONS) - {"none"})


def augmented(name, clips, seed=0):
    return AUGMENTATIONS[name](clips.spectrogram, clips.emotion, torch.Generator().manual_seed(seed))


def test_indexing_and_joining(clips):
    some = clips[torch.tensor([3, 1])]
    assert len(some) == 2
    assert torch.equal(some.emotion[0], clips.emotion[3])
    both = Clips.joined(some, clips)
    assert len(both) == len(clips) + 2
    assert torch.equal(both.spectrogram[:2], some.spectrogram)


@pytest.mark.parametrize(
    ("spectrogram", "emotion", "message"),
    [
        (torch.zeros(2, 1, 128, 8), torch.zeros(3, 2), "N emotions, got"),
        (torch.zeros(2, 128, 8), torch.zeros(2, 2), "N emotions, got"),
        (torch.full((2, 1, 128, 8), -60.0), torch.zeros(2, 2), "normalised log-mels in .*are they in dB"),
        (torch.full((2, 1, 128, 8), torch.nan), torch.zeros(2, 2), "normalised log-mels"),
        (torch.zeros(2, 1, 128, 8), torch.full((2, 2), 5.0), "DEAM's 1-9"),
        (torch.zeros(2, 1, 128, 8), torch.full((2, 2), torch.nan), "expected finite valence"),
    ],
)
def test_refuses(spectrogram, emotion, message):
    with pytest.raises(ValueError, match=message):
        Clips(spectrogram, emotion)


@pytest.mark.parametrize("name", sorted(AUGMENTATIONS))
def test_augmentation_keeps_shape_range_and_the_input(clips, name):
    before = clips.spectrogram.clone()
    spectrogram, emotion = augmented(name, clips)
    assert torch.equal(clips.spectrogram, before)
    assert spectrogram.shape == before.shape
    assert spectrogram.abs().max() <= 1
    assert emotion.abs().max() <= 1
    assert torch.equal(emotion, clips.emotion) == (name != "mixup")


@pytest.mark.parametrize("name", AUGMENTED)
def test_augmentation_is_a_function_of_its_generator(clips, name):
    first, again, other = (augmented(name, clips, seed)[0] for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert not torch.equal(first, clips.spectrogram)


def test_specaugment_masks_bands_and_frames_at_the_floor(clips):
    masked, _ = augmented("specaugment", clips)
    changed = masked != clips.spectrogram
    assert (masked[changed] == -1).all()
    bands, frames = changed.all(dim=3).sum(dim=2), changed.all(dim=2).sum(dim=2)
    assert 0 < bands.max() <= 48
    assert 0 < frames.max() <= 6
    # what is changed is whole bands and whole frames, nothing else
    assert torch.equal(changed, changed.all(dim=3, keepdim=True) | changed.all(dim=2, keepdim=True))


def test_mixup_mixes_clips_and_emotions_by_the_same_share(clips):
    clips = Clips(clips.emotion[:, :1, None, None].expand(-1, 1, 128, 4).contiguous(), clips.emotion)
    spectrogram, emotion = augmented("mixup", clips)
    torch.testing.assert_close(spectrogram[:, 0, 0, 0], emotion[:, 0])
    assert not torch.equal(emotion, clips.emotion)


def test_mixup_shares_are_beta(clips):
    n = 20_000
    many = torch.zeros(n, 1, 1, 1)
    many[: n // 2] = 1
    mixed, _ = AUGMENTATIONS["mixup"](many, torch.zeros(n, 2), torch.Generator().manual_seed(0))
    share = mixed[(mixed > 0) & (mixed < 1)].double().numpy()  # those with a partner of the other kind
    expected = np.random.default_rng(0).beta(0.3, 0.3, 200_000)
    np.testing.assert_allclose(
        np.quantile(share, [0.25, 0.5, 0.75]), np.quantile(expected, [0.25, 0.5, 0.75]), atol=0.05
    )
    assert share.var() == pytest.approx(expected.var(), rel=0.05)


def test_shift_and_gain_roll_and_level(clips):
    shifted, _ = augmented("shift_gain", Clips(clips.spectrogram * 0.5, clips.emotion))
    for before, after in zip(0.5 * clips.spectrogram, shifted, strict=True):
        gains = [(after - before.roll(shift, dims=-1)) for shift in range(before.shape[-1])]
        closest = min(gains, key=lambda gain: gain.std())
        assert closest.std() < 1e-5
        assert closest.mean().abs() <= 0.06 + 1e-5
