"""Variations, infilling and continuation of songs by the U-Net generator."""

import pytest
import torch

from musemo_hf import MusemoUNetGenerator

EMOTIONS = torch.tensor([[0.8, 0.7], [-0.8, -0.6]])
FEW = {"num_inference_steps": 3, "guidance_scale": 1.0}


@pytest.fixture(scope="module")
def model():
    """A small network with random weights, of clips of 40 frames."""
    torch.manual_seed(0)
    made = MusemoUNetGenerator(n_frames=40, channels=(32, 32), attention=(False, True), condition_width=16)
    for value in made.parameters():
        torch.nn.init.normal_(value, std=0.02)
    made.fit(0.3 * torch.randn(8, 1, 128, 40))
    return made.eval()


@pytest.fixture(scope="module")
def songs():
    return (0.3 * torch.randn(2, 1, 128, 53, generator=torch.Generator().manual_seed(3))).clamp(-1, 1)


def test_a_variation_is_the_further_from_its_song_the_stronger_it_is(model, songs):
    varied = [model.vary(songs, EMOTIONS, strength, seed=0, **FEW) for strength in (0.0, 0.2, 0.6, 1.0)]
    assert torch.equal(varied[0], songs)
    distances = torch.stack([(each - songs).square().mean(dim=(1, 2, 3)) for each in varied])
    assert (distances.diff(dim=0) > 0.001).all()
    alone = model.vary(songs[1:], EMOTIONS[1:], 0.6, seed=1, **FEW)
    torch.testing.assert_close(alone, varied[2][1:], atol=1e-5, rtol=1e-5)


def test_the_strongest_variation_is_a_new_clip(model):
    songs = torch.zeros(2, 1, 128, 40)
    varied = model.vary(songs, EMOTIONS, 1.0, seed=4, **FEW)
    torch.testing.assert_close(varied, model.generate(EMOTIONS, seed=4, **FEW))


def test_frames_that_stay_stay_and_the_others_depend_on_them(model, songs):
    unknown = torch.zeros(53, dtype=torch.bool)
    unknown[20:30] = True
    filled = model.infill(songs, unknown, EMOTIONS, seed=0, **FEW)
    assert torch.equal(filled[..., ~unknown], songs[..., ~unknown])
    assert (filled[..., unknown] - songs[..., unknown]).abs().mean() > 0.01
    hidden = songs.masked_fill(unknown, 0.9)  # what is under the mask does not matter
    assert torch.equal(model.infill(hidden, unknown, EMOTIONS, seed=0, **FEW), filled)
    louder = torch.where(unknown, songs, (songs + 0.3).clamp(-1, 1))
    changed = model.infill(louder, unknown, EMOTIONS, seed=0, **FEW)[..., unknown]
    assert (changed - filled[..., unknown]).abs().max() > 1e-3
    alone = model.infill(songs[1:], unknown, EMOTIONS[1:], seed=1, **FEW)
    torch.testing.assert_close(alone, filled[1:], atol=1e-5, rtol=1e-5)


def test_a_song_is_continued_by_any_number_of_frames(model, songs):
    longer = model.extend(songs, 71, EMOTIONS, seed=0, **FEW)
    assert longer.shape == (2, 1, 128, 53 + 71)
    assert torch.equal(longer[..., :53], songs)
    assert longer.abs().max() <= 1
    assert torch.equal(model.extend(songs, 71, EMOTIONS, seed=0, **FEW), longer)
    assert torch.equal(model.extend(songs, 17, EMOTIONS, seed=0, **FEW), longer[..., : 53 + 17])
    parts = longer[..., 53:73], longer[..., 73:93]  # of two windows, each from noise of its own
    assert (parts[0] - parts[1]).abs().mean() > 0.05


@pytest.mark.parametrize("strength", [-0.1, 1.5, float("nan")])
def test_strengths_that_are_none(model, songs, strength):
    with pytest.raises(ValueError, match=r"expected a strength in \[0, 1\], got"):
        model.vary(songs, EMOTIONS, strength)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda model, songs: model.vary(songs[:1], EMOTIONS), "expected as many songs as emotions, got 1 and 2"),
        (lambda model, songs: model.vary(songs[:, :, :64], EMOTIONS), r"expected songs \(B, 1, 128, frames\)"),
        (lambda model, songs: model.vary(40 * songs, EMOTIONS), "are they in dB"),
        (lambda model, songs: model.vary(songs, EMOTIONS * 5), r"expected valence and arousal in \[-1, 1\]"),
        (lambda model, songs: model.infill(songs, torch.ones(53).bool(), EMOTIONS), "under which frames stay"),
        (lambda model, songs: model.infill(songs, torch.zeros(9).bool(), EMOTIONS), r"mask of bool \(53,\)"),
        (
            lambda model, songs: model.infill(songs, torch.arange(53) > 20, EMOTIONS, repeats=0),
            "expected at least 1 repeat, got 0",
        ),
        (lambda model, songs: model.extend(songs[..., :5], 9, EMOTIONS), "expected a song of at least 8 frames"),
        (lambda model, songs: model.extend(songs, 0, EMOTIONS), "expected at least 1 frame to add"),
        (lambda model, songs: model.extend(songs, 9, EMOTIONS, context=40), "a context from 8 to 39 frames"),
    ],
)
def test_bad_inputs(model, songs, call, message):
    with pytest.raises(ValueError, match=message):
        call(model, songs)
