"""Clips that are rolled are cut to the windows of a recogniser at once, from any place of the clip."""

import pytest
import torch

from musemo_hf import MusemoViTConfig, MusemoViTForEmotionRegression
from musemo_hf.training.recogniser.augmentation import augmentation, shift_gain


def generator():
    return torch.Generator().manual_seed(3)


@pytest.mark.parametrize("n_frames", [1, 7, 19, 20])
def test_a_window_is_the_beginning_of_the_rolled_clip(n_frames):
    clips, emotion = torch.rand(16, 1, 4, 20) - 0.5, torch.zeros(16, 2)
    whole, _ = shift_gain(clips, emotion, generator())
    window, _ = shift_gain(clips, emotion, generator(), n_frames)
    assert torch.equal(window, whole[..., :n_frames])


@pytest.mark.parametrize(
    ("names", "frames"),
    [("shift_gain+mixup", 7), ("shift_gain", 7), ("mixup", 20), ("none", 20), ("shift_gain+specaugment", 20)],
)
def test_only_what_follows_a_roll_is_cut(names, frames):
    clips, emotion = torch.rand(16, 1, 4, 20) - 0.5, torch.zeros(16, 2)
    assert augmentation(names, 7)(clips, emotion, generator())[0].shape[-1] == frames


def test_the_recogniser_takes_windows_in_training_only():
    sizes = {"patch_size": (16, 16), "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    model = MusemoViTForEmotionRegression(MusemoViTConfig(n_frames=40, window_frames=24, intermediate_size=32, **sizes))
    window = torch.rand(3, 1, 128, 24)
    assert model.train()(spectrogram=window).emotion.shape == (3, 2)
    with pytest.raises(ValueError, match=r"expected spectrogram of shape \(B, 1, 128, 40\)"):
        model.eval()(spectrogram=window)
