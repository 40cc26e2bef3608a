import csv

import numpy as np
import pytest
import soundfile

from musemo_hf import MusemoPipeline
from musemo_hf.commands.score.clips import open_clips
from musemo_hf.pipelines.song import PRESETS, TYPICAL_PRESETS


def requests(folder):
    with (folder / "emotions.csv").open() as lines:
        return {row["file"]: (float(row["valence"]), float(row["arousal"])) for row in csv.DictReader(lines)}


def test_one_file_is_what_the_pipeline_makes(musemo, generator, tmp_path):
    target = tmp_path / "new" / "happy.wav"
    arguments = ["--valence", 0.8, "--arousal", -0.7, "--seed", 3, "--checkpoint", generator, "--output", target]
    status, out, _ = musemo("generate", *arguments)
    assert status == 0
    assert out == f"{target}: valence +0.80, arousal -0.70, seed 3, 1.1 s\n"
    samples, rate = soundfile.read(target, dtype="float32")
    pipeline = MusemoPipeline.from_pretrained(generator)
    expected = pipeline(valence=0.8, arousal=-0.7, seed=3).save(tmp_path / "expected.wav")
    np.testing.assert_allclose(samples, soundfile.read(expected, dtype="float32")[0], atol=1e-4)
    assert rate == 22050
    assert not (target.parent / "emotions.csv").exists()


def test_a_folder_of_songs_with_pictures_and_a_list(musemo, generator, tmp_path):
    folder = tmp_path / "songs"
    common = ["--num-samples", 2, "--seed", 5, "--checkpoint", generator, "--plot", "--output", folder]
    assert musemo("generate", "--preset", "sad & calm", *common)[0] == 0
    assert musemo("generate", "--preset", "Happy", *common)[0] == 0
    assert musemo("generate", "--preset", "happy", *common)[0] == 0  # the same songs again, and no line more
    listed = requests(folder)
    assert len(listed) == 4
    assert set(listed) == {path.name for path in folder.glob("*.wav")}
    assert sorted(set(listed.values())) == [PRESETS["sad & calm"], PRESETS["happy & energetic"]]
    assert musemo("generate", "--preset", "typical angry", *common)[0] == 0
    assert TYPICAL_PRESETS["typical angry & tense"] in requests(folder).values()
    for path in folder.glob("*.wav"):
        assert path.with_suffix(".png").read_bytes().startswith(b"\x89PNG")


def test_a_flow_takes_the_gans_seat(musemo, flow, tmp_path):
    common = ["--preset", "happy", "--seed", 3, "--checkpoint", flow, "--output"]
    status, out, err = musemo("generate", *common, tmp_path / "few.wav", "--num-inference-steps", 2)
    assert status == 0, err
    assert out.endswith("seed 3, 1.1 s\n")
    own = MusemoPipeline.from_pretrained(flow)
    for name, options in (("few.wav", {"num_inference_steps": 2}), ("own.wav", {})):
        if name == "own.wav":
            assert musemo("generate", *common, tmp_path / name)[0] == 0
        expected = own(*PRESETS["happy & energetic"], seed=3, **options).save(tmp_path / "expected.wav")
        samples = soundfile.read(tmp_path / name, dtype="float32")[0]
        np.testing.assert_allclose(samples, soundfile.read(expected, dtype="float32")[0], atol=1e-4)
    two, five = (soundfile.read(tmp_path / name)[0] for name in ("few.wav", "own.wav"))
    assert np.abs(two - five).max() > 1e-3


def test_a_vocoder_plays_the_song(musemo, generator, tiny_vocoder, tmp_path):
    tiny_vocoder(64, 16000, (5, 4, 2, 2, 2)).save_pretrained(tmp_path / "audioldm/vocoder")
    common = ["--preset", "happy", "--seed", 3, "--checkpoint", generator, "--output"]
    assert musemo("generate", *common, tmp_path / "happy.wav", "--vocoder", tmp_path / "audioldm")[0] == 0
    own = MusemoPipeline.from_pretrained(generator, vocoder=tmp_path / "audioldm")
    expected = own(*PRESETS["happy & energetic"], seed=3).save(tmp_path / "expected.wav")
    samples, rate = soundfile.read(tmp_path / "happy.wav", dtype="float32")
    np.testing.assert_allclose(samples, soundfile.read(expected, dtype="float32")[0], atol=1e-4)
    assert rate == 22050
    status, _, err = musemo("generate", *common, tmp_path / "no.wav", "--vocoder", generator)
    assert status == 1
    assert "expected a vocoder (MusemoVocoder, SpeechT5HifiGan or BigVGAN)" in err
    assert not (tmp_path / "no.wav").exists()


def test_steps_and_guidance_are_of_a_flow(musemo, generator, flow, tmp_path):
    arguments = ["generate", "--preset", "neutral", "--output", tmp_path / "x.wav", "--checkpoint"]
    status, _, err = musemo(*arguments, generator, "--guidance-scale", 2)
    assert status == 1
    assert "expected guidance_scale for a flow only, got a MusemoGanGenerator" in err
    status, _, err = musemo(*arguments, flow, "--num-inference-steps", 0)
    assert status == 1
    assert "expected --num-inference-steps of at least 1, got 0" in err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--valence", 0.8], "expected --valence and --arousal, or --preset, got --valence"),
        ([], "got neither"),
        (["--valence", 0.8, "--arousal", 0, "--preset", "neutral"], "got --valence and --arousal and --preset"),
        (["--valence", 7, "--arousal", 5], "DEAM's 1-9 maps by (x - 5) / 4"),
        (["--valence", "nan", "--arousal", 0], "expected a finite --valence, got nan"),
        (["--preset", "furious"], "'angry & tense'"),
        (["--preset", ""], "expected --preset to be one of"),
        (["--preset", "neutral", "--num-samples", 0], "expected --num-samples of at least 1, got 0"),
    ],
)
def test_bad_requests_write_nothing(musemo, generator, tmp_path, arguments, message):
    status, out, err = musemo("generate", *arguments, "--checkpoint", generator, "--output", tmp_path / "songs")
    assert (status, out) == (1, "")
    assert err.startswith("musemo generate: ")
    assert message in err
    assert err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "more", "message"),
    [("song.mid", [], "ends in .wav, .flac, .ogg, .mp3, got"), ("song.wav", ["--num-samples", 2], "expected a folder")],
)
def test_bad_outputs(musemo, generator, tmp_path, name, more, message):
    arguments = ["--preset", "neutral", "--checkpoint", generator, "--output", tmp_path / name, *more]
    status, _, err = musemo("generate", *arguments)
    assert status == 1
    assert message in err


def test_checkpoints_that_are_none(musemo, recogniser, tmp_path):
    arguments = ["generate", "--preset", "neutral", "--output", tmp_path / "x.wav", "--checkpoint"]
    status, _, err = musemo(*arguments, tmp_path / "none")
    assert status == 1
    assert f"found none at {tmp_path / 'none'}" in err
    status, _, err = musemo(*arguments, recogniser)
    assert status == 1
    assert "expected a generator (musemo_gan or MusemoFlowGenerator or MusemoUNetGenerator)" in err
    status, _, err = musemo(*arguments, "nobody/nothing")  # a repository, and no network
    assert status == 1
    assert err.count("\n") == 1


def test_arrays_are_the_log_mels_of_the_songs(musemo, generator, tmp_path):
    folder = tmp_path / "arrays"
    common = ["generate", "--preset", "sad & calm", "--seed", 5, "--checkpoint", generator, "--arrays", "--plot"]
    status, out, err = musemo(*common, "--num-samples", 2, "--output", folder)
    assert status == 0, err
    assert out.splitlines()[0].endswith("seed 5, 48 frames")
    listed = requests(folder)
    assert set(listed) == {path.name for path in folder.glob("*.npy")}
    songs = MusemoPipeline.from_pretrained(generator)(*PRESETS["sad & calm"], num_samples=2, seed=5).songs
    for name, song in zip(sorted(listed), songs, strict=True):
        np.testing.assert_allclose(np.load(folder / name), song.spectrogram, atol=1e-4)
        assert (folder / name).with_suffix(".png").is_file()
    assert not list(folder.glob("*.wav"))
    assert musemo(*common, "--output", tmp_path / "one.npy")[0] == 0
    np.testing.assert_allclose(np.load(tmp_path / "one.npy"), np.load(folder / sorted(listed)[0]), atol=1e-2)
    clips = open_clips(folder, "FAKE")  # as `musemo score` reads them
    assert [(names, len(batch)) for names, batch in clips.batches(None, normalised=False)] == [
        ([name], 1) for name in sorted(listed)
    ]
