"""`musemo vary`, `extend`, `infill` and `journey`, and what steers `musemo generate`: the songs of the pipeline."""

import numpy as np
import pytest
import soundfile

from musemo_hf import MusemoPipeline
from musemo_hf.pipelines.song import PRESETS, TYPICAL_PRESETS

EMOTION = {"valence": 0.3, "arousal": -0.2}
POINT = ["--valence", 0.3, "--arousal", -0.2]
ASKED = ["--genre", "jazz", "--tempo", 90, "--loudness", -5, "--num-inference-steps", 2]
OPTIONS = {"seed": 3, "genre": "Jazz", "conditions": {"tempo": 90, "loudness": -5}, "num_inference_steps": 2}


@pytest.fixture(scope="session")
def unet(tmp_path_factory):
    """Folder of a U-Net of 40 frames with conditions and genres, whose weights nothing trained."""
    import torch

    from musemo_hf import MusemoFeatureExtractor, MusemoUNetGenerator

    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("unet")
    sizes = {"n_frames": 40, "channels": (32, 32), "attention": (False, True), "condition_width": 16}
    model = MusemoUNetGenerator(**sizes, conditions=("loudness", "tempo"), genres=("Jazz", "Rock"))
    for value in model.parameters():
        value.data.add_(torch.randn_like(value), alpha=0.05)
    model.fit(0.2 * torch.randn(4, 1, 128, 40))
    model.save_pretrained(folder)
    MusemoFeatureExtractor(n_frames=40).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def pipe(unet):
    pipe = MusemoPipeline.from_pretrained(unet)
    pipe.set_progress_bar_config(disable=True)
    return pipe


EDITS = {
    "vary": (["--strength", 0.7], lambda pipe, song, **options: pipe.vary(song, strength=0.7, **options)),
    "extend": (["--seconds", 1], lambda pipe, song, **options: pipe.extend(song, 1, **options)),
    "infill": (["--start", 0.5, "--end", 1], lambda pipe, song, **options: pipe.infill(song, 0.5, 1, **options)),
}


@pytest.mark.parametrize("name", EDITS)
def test_a_song_is_changed_as_by_the_pipeline(musemo, make_song, unet, pipe, tmp_path, name):
    arguments, edit = EDITS[name]
    song, target = make_song("song.wav", 1.5), tmp_path / "new" / "changed.wav"
    common = [*POINT, *ASKED, "--seed", 3, "--checkpoint", unet]
    status, out, err = musemo(name, song, *arguments, *common, "--plot", "--output", target)
    assert status == 0, err
    expected = edit(pipe, song, **EMOTION, **OPTIONS)
    assert out == f"{target}: valence +0.30, arousal -0.20, seed 3, {len(expected.audio) / 22050:.1f} s\n"
    found, wanted = (soundfile.read(path, dtype="float32")[0] for path in (target, expected.save(tmp_path / "e.wav")))
    np.testing.assert_allclose(found, wanted, atol=1e-4)
    assert target.with_suffix(".png").read_bytes().startswith(b"\x89PNG")


def test_a_journey_goes_through_presets_or_points(musemo, unet, pipe, tmp_path):
    common = ["--seconds", 2, "--seed", 3, *ASKED, "--checkpoint", unet, "--output"]
    points = [PRESETS["sad & calm"], TYPICAL_PRESETS["typical happy & energetic"]]
    valence, arousal = zip(*points, strict=True)
    expected = pipe.journey(valence, arousal, 2, **OPTIONS).save(tmp_path / "expected.wav")
    wanted = soundfile.read(expected, dtype="float32")[0]
    asked = {"names": ["--preset", "sad", "typical happy"], "points": ["--valence", *valence, "--arousal", *arousal]}
    for name, arguments in asked.items():
        target = tmp_path / f"{name}.wav"
        status, out, err = musemo("journey", *arguments, *common, target)
        assert status == 0, err
        assert out.endswith("seed 3, 2.0 s\n")
        np.testing.assert_allclose(soundfile.read(target, dtype="float32")[0], wanted, atol=1e-4)


@pytest.mark.parametrize("arguments", [[], ["--arrays"]])
def test_songs_are_asked_for_a_genre_and_conditions(musemo, unet, pipe, tmp_path, arguments):
    common = ["generate", *POINT, "--seed", 3, "--checkpoint", unet, *arguments, "--output"]
    target = tmp_path / ("song.npy" if arguments else "song.wav")
    assert musemo(*common, target, *ASKED)[0] == 0
    song = pipe(**EMOTION, **OPTIONS).songs[0]
    if arguments:
        np.testing.assert_allclose(np.load(target), song.spectrogram, atol=1e-2)
    else:
        found, wanted = (soundfile.read(path, dtype="float32")[0] for path in (target, song.save(tmp_path / "e.wav")))
        np.testing.assert_allclose(found, wanted, atol=1e-4)
    assert np.abs(pipe(**EMOTION, seed=3, num_inference_steps=2).spectrogram - song.spectrogram).max() > 0.1


def test_what_a_generator_does_not_know_is_one_line(musemo, make_song, unet, generator, tmp_path):
    song, target = make_song("song.wav", 1.5), tmp_path / "no.wav"
    cases = [
        (["generate", *POINT, "--checkpoint", unet, "--genre", "polka"], "expected a genre out of Jazz, Rock"),
        (["generate", *POINT, "--checkpoint", unet, "--brightness", 900], "expected conditions out of loudness, tempo"),
        (["generate", *POINT, "--checkpoint", generator, "--tempo", 90], "expected conditions for a U-Net only"),
        (["vary", song, *POINT, "--checkpoint", generator], "expected a generator that changes songs, a U-Net"),
        (["infill", song, "--start", 1, "--end", 9, *POINT, "--checkpoint", unet], "expected a part within 0 to 1.51"),
        (["extend", __file__, "--seconds", 2, *POINT, "--checkpoint", unet], "test_editing.py"),
    ]
    for arguments, message in cases:
        status, out, err = musemo(*arguments, "--output", target)
        assert (status, out) == (1, "")
        assert message in err
        assert err.count("\n") == 1
    assert not target.exists()
