"""The recogniser's benchmark measures what it says: the same shape on both sides, an epoch's clips, a real file."""

import re

import pytest
import soundfile
import torch

from benchmarks.__main__ import names
from benchmarks.recogniser import N_SONGS, PlainViT, epoch, plainly, random_clips, song_file
from musemo_hf import MusemoViTConfig, MusemoViTForEmotionRegression
from musemo_hf.training.configuration import RecogniserTraining

TINY = {"n_frames": 40, "patch_size": (16, 16), "hidden_size": 16, "num_hidden_layers": 1}
TINY |= {"num_attention_heads": 2, "intermediate_size": 32}


def test_it_is_registered():
    assert "recogniser" in names()


@pytest.mark.parametrize("window", [None, 20])
def test_the_plain_loop_trains_a_vit_of_the_same_shape(window):
    config = MusemoViTConfig(**TINY, window_frames=window)
    plain = PlainViT(config)
    shapes = {name: value.shape for name, value in plain.vit.state_dict().items()}
    assert shapes == {
        name: value.shape for name, value in MusemoViTForEmotionRegression(config).vit.state_dict().items()
    }
    before = [value.clone() for value in plain.parameters]
    assert plain.step(random_clips(6, 40), 4) > 0
    assert sum(not torch.equal(value, old) for value, old in zip(plain.parameters, before, strict=True)) > 5


def test_an_epoch_is_scaled_to_all_songs_and_says_so():
    training = RecogniserTraining(steps=100, batch_size=4)
    line = epoch(MusemoViTConfig(**TINY), training, random_clips(8, 40), "tiny", turns=1, updates=2)
    assert f"an epoch over {N_SONGS:,} ten-second songs (aim: 60 s), scaled from 2 updates" in line
    assert re.search(r"batch 4, \d threads?, ", line)
    one, other, ratio = (
        float(re.search(pattern, line)[1])
        for pattern in (r": ([\d.]+) s an", r"against ([\d.]+) s", r"([\d.]+) x as fast")
    )
    assert ratio == pytest.approx(other / one, rel=0.1, abs=0.06)


def test_a_song_is_a_file_of_45_seconds_that_both_sides_read(tmp_path):
    file, kind = song_file(tmp_path, None)
    about = soundfile.info(file)
    assert (kind, about.samplerate, about.channels) == ("synthesised", 44100, 2)
    assert about.duration == pytest.approx(45, abs=0.1)
    emotion = plainly(PlainViT(MusemoViTConfig(**TINY)), file, 20_000)
    assert emotion.shape == (2,)
    assert emotion.isfinite().all()
