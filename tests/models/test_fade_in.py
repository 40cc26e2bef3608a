"""Clips that fade in as songs do, of each kind of generator that can."""

import pytest
import torch

from musemo_hf import MusemoGanConfig, MusemoGanGenerator, MusemoUNetGenerator
from musemo_hf.training.clips import Clips
from musemo_hf.training.fade import fade_of
from musemo_hf.training.unet.fade_fit import fit_fade_in

SIZES = {"n_frames": 48, "channels": (32, 32), "attention": (False, True), "condition_width": 16}
EMOTIONS = torch.tensor([[0.8, 0.7], [-0.8, -0.6], [0.0, 0.0]])
GAN = {"n_frames": 48, "generator_channels": 16, "group_norm_groups": 2, "discriminator_channels": 8}


def unet(**changes):
    torch.manual_seed(0)
    model = MusemoUNetGenerator(**(SIZES | changes), num_inference_steps=2).eval()
    model.fit(torch.empty(8, 1, 128, 48).uniform_(-0.9, 0.5))
    return model


def test_what_is_generated_fades_in_and_a_song_that_is_changed_keeps_its_beginning(tmp_path):
    plain, model = unet(), unet(fade_in=(-0.9, -0.25))
    made = plain.generate(EMOTIONS, seed=3)
    expected = made.clone()
    expected[..., :2] = (made[..., :2] - torch.tensor([0.9, 0.25])).clamp(-1, 1)
    torch.testing.assert_close(model.generate(EMOTIONS, seed=3), expected)
    torch.testing.assert_close(model.vary(made, EMOTIONS, 0.5, seed=1), plain.vary(made, EMOTIONS, 0.5, seed=1))
    model.save_pretrained(tmp_path)
    again = MusemoUNetGenerator.from_pretrained(tmp_path)
    torch.testing.assert_close(again.generate(EMOTIONS, seed=3), expected)


@pytest.mark.parametrize(
    ("fade_in", "message"),
    [
        ([0.0] * 49, "expected fade_in of at most 48 frames, got 49"),
        ([-0.5, float("nan")], "expected fade_in as numbers from -2 to 2, one for each of the first frames"),
        (-0.5, "expected fade_in as numbers from -2 to 2"),
    ],
)
def test_what_is_no_fade_is_refused(fade_in, message):
    with pytest.raises(ValueError, match=message):
        unet(fade_in=fade_in)
    with pytest.raises(ValueError, match=message):
        MusemoGanGenerator(MusemoGanConfig(**GAN, fade_in=fade_in))


def test_the_fade_is_fitted_so_that_clips_begin_as_songs_do():
    songs = Clips(torch.empty(12, 1, 128, 48).uniform_(-0.6, 0.4), torch.zeros(12, 2))
    songs.spectrogram[..., 0] -= 0.3
    model = unet(fade_in=(0.5, 0.5))  # an earlier one does not count
    fade_in = fit_fade_in(model, songs, 2, n_clips=6, seed=4)
    model.register_to_config(fade_in=fade_in)
    made = Clips(model.generate(songs.emotion[:6], seed=4), songs.emotion[:6])
    assert fade_of(songs, 2)[0] < -0.25
    assert fade_of(made, 2) == pytest.approx(fade_of(songs, 2), abs=0.03)  # but for cells at the edge of the scale
