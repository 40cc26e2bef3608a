"""The genre as a condition of the U-Net generator."""

import json

import pytest
import torch
from safetensors.torch import load_file

from musemo_hf import MusemoUNetGenerator
from musemo_hf.models.unet.genres import genre_shares

GENRES = ("Hip-Hop", "Jazz", "Rock")
UNET = {"n_frames": 40, "channels": (32, 32), "attention": (False, True), "condition_width": 16}
EMOTIONS = torch.tensor([[0.8, 0.7], [-0.8, -0.6], [0.0, 0.0]])
FEW = {"seed": 0, "num_inference_steps": 2}


def unet(**changes):
    """A small network with random weights, of which those that are in all networks are always the same."""
    model = MusemoUNetGenerator(**(UNET | changes))
    for number, value in enumerate(value for name, value in model.named_parameters() if "genre" not in name):
        torch.nn.init.normal_(value, std=0.1, generator=torch.Generator().manual_seed(number))
    return model.eval()


def test_a_clip_has_equal_shares_of_its_genres():
    shares = genre_shares(GENRES, ["jazz", None, ("Rock", "hip-hop"), ()])
    assert shares.tolist() == [[0, 1, 0], [0, 0, 0], [0.5, 0, 0.5], [0, 0, 0]]
    with pytest.raises(ValueError, match="expected a genre out of Hip-Hop, Jazz, Rock, got 'polka'"):
        genre_shares(GENRES, ["jazz", "polka"])


def test_a_genre_adds_nothing_before_training_and_changes_its_clip_afterwards():
    model, without = unet(genres=GENRES, conditions=("tempo",)), unet(conditions=("tempo",))
    plain = without.generate(EMOTIONS, **FEW)
    conditions = {"genre": genre_shares(GENRES, ["rock", None, "jazz"])}
    assert torch.equal(model.generate(EMOTIONS, conditions=conditions, **FEW), plain)
    torch.nn.init.normal_(model.network.conditions.genre.embed.weight[:, :3], generator=torch.Generator())
    made = model.generate(EMOTIONS, conditions=conditions, **FEW)
    assert (made - plain).abs().amax(dim=(1, 2, 3)).gt(1e-4).tolist() == [True, False, True]
    left_out = {"genre": torch.zeros(3, 3)}
    assert torch.equal(model.generate(EMOTIONS, conditions=left_out, **FEW), model.generate(EMOTIONS, **FEW))
    torch.nn.init.normal_(model.network.conditions.genre.embed.weight[:, 3:], generator=torch.Generator())
    assert not torch.equal(model.generate(EMOTIONS, **FEW), plain)  # what is not known is learnt too


@pytest.mark.parametrize(
    ("genre", "message"),
    [
        (torch.zeros(3), r"expected shares of 3 genres for each of 3 clips, got \(3,\)"),
        (torch.zeros(2, 3), r"expected shares of 3 genres for each of 3 clips, got \(2, 3\)"),
        (torch.full((3, 3), torch.nan), "expected shares of genres from 0 on"),
        (torch.full((3, 3), 0.5), "at most 1 in all"),
    ],
)
def test_shares_that_are_none(genre, message):
    with pytest.raises(ValueError, match=message):
        unet(genres=GENRES).generate(EMOTIONS, conditions={"genre": genre}, **FEW)


def test_names_that_are_none():
    with pytest.raises(ValueError, match="expected different names of genres, got 'Jazz', 'jazz'"):
        unet(genres=("Jazz", "jazz"))
    with pytest.raises(ValueError, match="expected different conditions"):
        unet(conditions=("genre",), genres=GENRES)
    with pytest.raises(ValueError, match="expected conditions out of tempo, got genre"):
        unet(conditions=("tempo",)).generate(EMOTIONS, conditions={"genre": torch.zeros(3, 3)}, **FEW)


def test_genres_come_back_with_a_saved_model(tmp_path):
    model = unet(genres=GENRES)
    torch.nn.init.normal_(model.network.conditions.genre.embed.weight, generator=torch.Generator())
    model.save_pretrained(tmp_path)
    again = MusemoUNetGenerator.from_pretrained(tmp_path)
    assert tuple(again.config.genres) == GENRES
    options = {"conditions": {"genre": genre_shares(GENRES, ["jazz"] * 3)}, **FEW}
    assert torch.equal(again.generate(EMOTIONS, **options), model.generate(EMOTIONS, **options))


def test_a_checkpoint_from_before_genres_and_descriptors_makes_the_same_clips(tmp_path):
    model = unet(conditions=("tempo",))
    model.save_pretrained(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    later = {"genres", "n_descriptors", "n_training_clips"}
    (tmp_path / "config.json").write_text(json.dumps({name: config[name] for name in config.keys() - later}))
    (tmp_path / "SHA256SUMS").unlink()
    again = MusemoUNetGenerator.from_pretrained(tmp_path)
    assert again.state_dict().keys() == load_file(tmp_path / "diffusion_pytorch_model.safetensors").keys()
    assert (again.config.genres, again.config.n_descriptors) == ((), 0)
    assert torch.equal(again.generate(EMOTIONS, **FEW), model.generate(EMOTIONS, **FEW))
    conditions = again.network.conditions
    emotion, others = EMOTIONS[:2], {"tempo": torch.tensor([0.3, torch.nan])}
    values, given = conditions.values(emotion, others, None)
    angles = torch.pi * torch.cat([values * speed for speed in (0.5, 1.0, 2.0)], dim=1)
    waves = torch.cat([angles.sin(), angles.cos()], dim=1) * given.repeat(1, 6)
    assert torch.equal(conditions(emotion, others), conditions.embed(torch.cat([waves, given], dim=1)))
