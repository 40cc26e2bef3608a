"""Bad conditions, genres, seeds and numbers of a pipeline: each is answered with a sentence, and none passes."""

import numpy as np
import pytest
import torch

from musemo_hf import MusemoFeatureExtractor, MusemoPipeline, MusemoUNetGenerator

RATE = 22050
TWO = {"valence": [0.0, 0.1], "arousal": [0.0, 0.1]}
CONDITIONS = [
    ({"conditions": {"tempo": "fast"}}, "expected tempo as a number, or one for each of 2 songs, got 'fast'"),
    ({"conditions": {"tempo": None}}, "expected tempo as a number, or one for each of 2 songs, got None"),
    ({"conditions": {"tempo": [60, None]}}, r"expected tempo as a number, .* got \[60, None\]"),
    ({"conditions": {"tempo": float("nan")}}, "expected a finite tempo, got nan"),
    ({"conditions": {"tempo": [60, float("nan")]}}, r"expected a finite tempo, got \[60, nan\]"),
    ({"conditions": {"tempo": float("inf")}}, "expected a finite tempo, got inf"),
    ({"conditions": {"tempo": 1000}}, "expected tempo from 40 to 240 beats per minute, got values from 1000 to 1000"),
    ({"conditions": ["tempo"]}, r"expected conditions as values by name, such as {'tempo': 120}, got \['tempo'\]"),
    ({"conditions": {"gain": 1}}, "expected conditions out of tempo, brightness, got gain; the genre is an argument"),
    ({"conditions": {"genre": "Jazz"}}, "out of tempo, brightness, got genre; the genre is an argument of its own"),
    ({"conditions": {"beat": 1}}, "expected conditions out of tempo, brightness, got beat"),
    ({"genre": 3}, "expected genre as a name, or one for each of 2 songs, got 3"),
    ({"genre": ["Jazz", 3]}, r"expected genre as a name, or one for each of 2 songs, got \['Jazz', 3\]"),
]
SEEDS = [
    ({"seed": 1.5}, "expected seed as an integer from 0 on, or 2 of them, got 1.5"),
    ({"seed": [0, 1.5]}, r"expected seed as an integer from 0 on, or 2 of them, got \[0, 1.5\]"),
    ({"seed": "12"}, "expected seed as an integer from 0 on, or 2 of them, got '12'"),
    ({"seed": -1}, r"expected seeds from 0 to 2\*\*63 - 1, got -1"),
    ({"seed": [3, -2]}, r"expected seeds from 0 to 2\*\*63 - 1, got -2"),
    ({"seed": 2**63 - 1}, r"expected seeds from 0 to 2\*\*63 - 1, got 9223372036854775808"),
    ({"guidance_scale": "x"}, "a guidance scale from 0 on, got 20 and 'x'"),
]
EDITS = [
    (lambda pipe, song: pipe.vary(song, 0, 0, "a"), r"expected a strength in \[0, 1\], got 'a'"),
    (lambda pipe, song: pipe.vary(song, 0, 0, [0.5]), r"expected a strength in \[0, 1\], got \[0.5\]"),
    (lambda pipe, song: pipe.vary(song, 0, 0, 0, conditions={"tempo": 1000}), "expected tempo from 40 to 240"),
    (lambda pipe, song: pipe.vary(song, 0, 0, 0, seed=-1), "expected seeds from 0"),
    (lambda pipe, song: pipe.extend(song, "5", 0, 0), "expected seconds of at least one frame, .* got '5'"),
    (lambda pipe, song: pipe.extend(song, 1, 0, 0, seed=-1), "expected seeds from 0"),
    (lambda pipe, song: pipe.infill(song, "a", 1, 0, 0), r"expected a part within 0 to 1\.51 s, got 'a' to 1"),
    (
        lambda pipe, song: pipe.infill(song, 1, 1.001, 0, 0),
        r"expected a part as long as a frame, 0.023 s, got 1 to 1.001, in which no frame lies",
    ),
    (
        lambda pipe, song: pipe.journey([0.1] * 500, [0.1] * 500, 2),
        r"expected at least 0.19 s for each of 500 emotions, 92.88 s in all, got 2 s",
    ),
    (lambda pipe, song: pipe.journey([0.1, 0.2], [0.1, 0.2], 2, seed=-1), "expected seeds from 0"),
]


@pytest.fixture(scope="module")
def pipe():
    """A small untrained U-Net that knows conditions, an augmentation, genres, descriptors and a beat."""
    torch.manual_seed(0)
    sizes = {"n_frames": 40, "channels": (32, 32), "attention": (False, True), "condition_width": 8}
    known = {"conditions": ("tempo", "brightness"), "augmentations": ("gain",), "genres": ("Jazz", "Rock")}
    unet = MusemoUNetGenerator(**sizes, **known, n_descriptors=2, n_training_clips=4, beat=True)
    pipe = MusemoPipeline(unet.eval(), MusemoFeatureExtractor(n_frames=40))
    pipe.set_progress_bar_config(disable=True)
    return pipe


@pytest.fixture(scope="module")
def song():
    samples = 0.2 * np.sin(2 * np.pi * 440 * np.arange(int(1.5 * RATE)) / RATE)
    return {"array": samples.astype(np.float32), "sampling_rate": RATE}


@pytest.mark.parametrize(("options", "message"), CONDITIONS + SEEDS)
def test_a_call_and_an_edit_refuse_the_same(pipe, song, options, message):
    with pytest.raises(ValueError, match=message):
        pipe(**TWO, **options)
    with pytest.raises(ValueError, match=message):
        pipe.vary(song, **TWO, strength=0, **options)


@pytest.mark.parametrize(("call", "message"), EDITS)
def test_edits_refuse(pipe, song, call, message):
    with pytest.raises(ValueError, match=message):
        call(pipe, song)


@pytest.mark.parametrize("edit", ["vary", "extend", "infill"])
def test_a_song_has_as_many_frames_as_the_network_halves(pipe, song, edit):
    short = song | {"array": song["array"][:2100]}
    places = {"vary": (), "extend": (1.0,), "infill": (0.0, 0.05)}[edit]
    message = r"expected a song of at least 0\.19 s \(8 frames\), got 0\.12 s \(5\)"
    with pytest.raises(ValueError, match=message):
        getattr(pipe, edit)(short, *places, 0, 0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_samples": 1.5}, "expected num_samples as an integer from 1 on, got 1.5"),
        ({"generator": 3}, "expected one torch.Generator, or 2 of them, got 3"),
    ],
)
def test_a_call_refuses(pipe, options, message):
    with pytest.raises(ValueError, match=message):
        pipe(**TWO, **options)


def test_integers_of_other_libraries_are_seeds(pipe):
    options = {"num_inference_steps": 1, "output_type": "latent"}
    plain = pipe(**TWO, seed=[3, 4], **options).audios
    for seed in (np.int64(3), np.array([3, 4]), torch.tensor([3, 4])):
        torch.testing.assert_close(pipe(**TWO, seed=seed, **options).audios, plain)


def test_conditions_may_be_arrays(pipe):
    options = {"seed": 0, "num_inference_steps": 1, "output_type": "latent"}
    plain, array = (pipe(**TWO, conditions={"tempo": t}, **options).audios for t in ([60, 90], np.array([60, 90])))
    torch.testing.assert_close(array, plain)
