"""`musemo score` judges both sides as sound, and says what is missing where it cannot."""

import json
from html import unescape

import numpy as np
import pytest
import soundfile
import torch
from transformers import Wav2Vec2Config, Wav2Vec2FeatureExtractor, Wav2Vec2Model

from musemo_hf.commands.score.clips import open_clips
from musemo_hf.commands.score.external import external_features, prepare_sides
from musemo_hf.commands.score.table import score_table
from musemo_hf.evaluation.score.reducer import ClipReducer


@pytest.fixture(scope="module")
def audio_model(tmp_path_factory):
    """The folder of a tiny audio model."""
    path = tmp_path_factory.mktemp("ears")
    torch.manual_seed(0)
    config = Wav2Vec2Config(
        conv_dim=(16, 16), conv_stride=(40, 8), conv_kernel=(40, 8), num_conv_pos_embeddings=4, hidden_size=16,
        num_conv_pos_embedding_groups=2, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16,
    )  # fmt: skip
    Wav2Vec2Model(config).save_pretrained(path)
    Wav2Vec2FeatureExtractor().save_pretrained(path)
    return path


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """A hundred clips of tones as real music, and clips of fewer tones, of one second, which is all that is heard."""
    root = tmp_path_factory.mktemp("clips")
    for name, n_clips, seed in (("real", 100, 0), ("fake", 50, 1), ("few", 49, 2), ("held", 50, 3)):
        rng = np.random.default_rng(seed)
        clips = rng.normal(-45, 3, (n_clips, 128, 256 if name == "real" else 44)).astype(np.float32)
        for clip in clips:
            for band in rng.integers(20, 100, 5 if name in ("real", "held") else 1):
                clip[band] += rng.uniform(20, 40)
        (root / name).mkdir()
        np.save(root / name / "clips.npy", clips)
    return root


def score(musemo, *arguments):
    status, out, err = musemo("score", *arguments, "--n-resamples", 8, "--json", "-")
    assert status == 0, err
    return json.loads(out)


def test_figures_as_sound(musemo, folders, audio_model, tmp_path):
    sides = (folders / "real", folders / "fake")
    result = score(musemo, *sides, "--external", audio_model, "--html", tmp_path / "page.html")
    assert result["external_embedder"].startswith("wav2vec2-")
    assert result["external_n"] == {"reference": 50, "held_out": 50, "candidate": 50}
    assert set(result["external_noise_skills"]) <= {"modulation-gaussian", "impulse-noise", "joint-gaussian"}
    assert result["external_skill"] is not None or "external_skill" in result["notes"]
    assert 0.5 < result["detectability"] <= 1
    assert result["detectability_real"] < result["detectability"]
    page = unescape((tmp_path / "page.html").read_text())
    assert f"<h1>{result['headline']}</h1>" in page
    assert result["headline"].startswith(("External skill", "The external skill, which decides,"))
    assert page.index(result["findings"][0]) < page.index("The quality score is")
    assert score_table(result).split("\n\n")[1].startswith(result["findings"][0])
    assert f"in the space of {result['external_embedder']}, through one inversion on all sides" in page
    assert f"Detectability{'':19}{result['detectability']:.3f} [" in score_table(result)


@pytest.mark.parametrize(
    ("fake", "judge", "reason"),
    [
        ("few", "yamnet", "expected at least 50 clips as FAKE to judge by yamnet, got 49"),
        ("fake", "none", None),
        ("fake", "yamnet", "YAMNet: expected the file lite-model_yamnet"),
    ],
)
def test_without_an_external_judge_the_own_figures_stand(musemo, folders, tmp_path, monkeypatch, fake, judge, reason):
    from musemo_hf.evaluation.spaces import embedders
    from musemo_hf.pipelines.embedders.yamnet import load_yamnet

    monkeypatch.setenv("MUSEMO_PRETRAINED", str(tmp_path))
    monkeypatch.delitem(embedders._REGISTRY, "yamnet-v1", raising=False)  # as in a process that has not loaded it
    load_yamnet.cache_clear()
    result = score(musemo, folders / "real", folders / fake, "--external", judge)
    assert "external_skill" not in result
    assert result["quality_score"] is not None
    assert result["headline"] == "The external skill, which decides, was not computed"
    if reason is None:
        assert "external_skill" not in result["notes"]
    else:
        assert result["notes"]["external_skill"].startswith(reason)


@pytest.mark.parametrize(
    ("option", "judge", "message"),
    [
        (
            "--external",
            "modulation-v1",
            "expected --external out of yamnet, yamnet-v1, none, or a folder or repository of an audio model, got mod",
        ),
        ("--external", "ears", "or a folder or repository of an audio model, got ears"),
        ("--embedder", "ears", "yamnet-v1, or a folder or repository of an audio model, got ears"),
    ],
)
def test_no_such_judge(musemo, folders, option, judge, message):
    status, _, err = musemo("score", folders / "real", folders / "fake", option, judge)
    assert status == 1
    assert message in err


def test_an_audio_model_as_the_embedder_of_the_other_figures(musemo, folders, audio_model):
    few = (folders / "few", folders / "few")
    result = score(musemo, *few, "--embedder", audio_model, "--external", "none", "--confidence", 0)
    assert result["embedder"].startswith("wav2vec2-")
    assert result["coverage"] == 1


def test_the_clips_that_are_heard_are_those_that_were_read(tmp_path, make_song):
    for seed in range(5):
        file = make_song(f"songs/{seed}.wav", 3.0, seed)
    (file.parent / "2.wav").write_bytes(b"no audio")
    songs = open_clips(file.parent, "FAKE")
    assert sum(len(clips) for _, clips in songs.batches(44, False)) == 4
    assert [path.name for path in songs.sample(9)] == ["0.wav", "1.wav", "3.wav", "4.wav"]
    assert [path.name for path in songs.sample(2)] == ["0.wav", "4.wav"]
    stack = np.arange(20, dtype=np.float32)[:, None, None] + np.zeros((20, 128, 8), np.float32)
    np.save(tmp_path / "stack.npy", stack)
    arrays = open_clips(tmp_path / "stack.npy", "FAKE")
    assert sum(len(clips) for _, clips in arrays.batches(None, False)) == 20
    assert [clip[0, 0] for clip in arrays.sample(3)] == [0, 10, 19]
    assert arrays.n_read == 20


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """`made(n_files, n_low)` -> a folder of short wave files, some of them at 8 kHz."""

    def write(n_files, n_low):
        folder, rng = tmp_path_factory.mktemp("made"), np.random.default_rng(0)
        for index in range(n_files + n_low):
            rate = 22050 if index < n_files else 8000
            soundfile.write(folder / f"{index:02}.wav", 0.1 * rng.standard_normal(round(1.2 * rate)), rate)
        return folder

    return write


def test_files_of_a_low_rate_are_left_out_of_all_figures_by_name(musemo, folders, audio_model, made):
    result = score(musemo, folders / "real", made(50, 5), "--external", audio_model, "--n-frames", 44)
    side = result["sides"]["FAKE"]
    assert (side["n_clips"], result["n_predictions"], result["external_n"]["candidate"]) == (50, 50, 50)
    reason = "expected a sampling rate of at least 16,000 Hz, as other sound has, got 8,000"
    assert side["left_out"] == {f"{index}.wav": reason for index in range(50, 55)}


def test_sides_of_low_rates_keep_their_own_figures(musemo, folders, audio_model, made):
    result = score(musemo, folders / "real", made(1, 50), "--external", audio_model, "--n-frames", 44)
    assert (result["sides"]["FAKE"]["n_clips"], result["sides"]["FAKE"]["left_out"]) == (51, {})
    assert result["quality_score"] is not None
    reason = result["notes"]["external_skill"]
    assert reason == (
        f"expected at least 50 clips as FAKE to judge by {audio_model}, got 1: 50 other files are sampled at less than "
        "16,000 Hz"
    )


@pytest.mark.parametrize(("side", "needed"), [("REAL", 100), ("FAKE", 50), ("--held-out", 50)])
def test_the_side_that_cannot_be_judged_is_named(folders, audio_model, made, side, needed):
    low = open_clips(made(0, needed), side)
    others = {"REAL": folders / "real", "FAKE": folders / "fake"}
    sides = {name: open_clips(path, name) for name, path in others.items()} | {side: low}
    reason = prepare_sides(str(audio_model), sides)
    assert reason is not None
    assert f"expected at least {50 if side != 'REAL' else needed} clips as {side} to judge" in reason
    assert f"{needed} other files are sampled at less than 16,000 Hz" in reason


def test_a_failure_of_the_external_part_names_the_side(folders, audio_model, made, tmp_path):
    reducer = ClipReducer()
    reducer.references(np.load(folders / "real" / "clips.npy"))
    for n_lost, reason in ((50, "FAKE: expected sound, got none from 50 files: No such file or directory"), (1, None)):
        fake = made(50, 0)
        sides = {"REAL": open_clips(folders / "real", "REAL"), "FAKE": open_clips(fake, "FAKE")}
        for clips in sides.values():
            list(clips.batches(44, False))
        for index in range(n_lost):
            (fake / f"{index:02}.wav").unlink()
        external, missing = external_features(str(audio_model), sides, reducer.statistics, 44, 0)
        assert missing == reason
    assert len(external["candidate"]) == 49
    assert sides["FAKE"].left_out == {"00.wav": "No such file or directory (external figures)"}


@pytest.fixture
def artists(tmp_path):
    def write(names, header="file,artist"):
        path = tmp_path / "artists.csv"
        path.write_text("\n".join([header, *(f"clips.npy[{index}],{name}" for index, name in names.items())]))
        return path

    return write


def test_artists_are_on_one_side_and_held_out_clips_are_heard(musemo, folders, audio_model, artists):
    of_clip = {index: f"artist {index // 10}" for index in range(100)}
    sides = (folders / "real", folders / "fake", "--external", audio_model)
    by_clips = score(musemo, *sides)
    assert "songs of one artist may be in both halves" in by_clips["notes"]["artists"]
    by_artists = score(musemo, *sides, "--artists", artists(of_clip))
    assert "artists" not in by_artists["notes"]
    assert by_artists["external_n"]["reference"] == 50
    for name in ("quality_score_interval", "ladder_interval", "detectability_interval"):
        assert by_artists[name] != by_clips[name], name
    assert by_artists["external_kid"] != by_clips["external_kid"]  # other halves
    held_out = score(musemo, *sides, "--held-out", folders / "held", "--artists", artists(of_clip))
    assert held_out["external_n"] == {"reference": 100, "held_out": 50, "candidate": 50}
    assert held_out["sides"]["--held-out"]["n_clips"] == 50
    assert "those of held-out clips are not known" in held_out["notes"]["artists"]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (dict.fromkeys(range(98), "a"), "each of the 100 clips of REAL, got none for 2, such as clips.npy[98]"),
        ({index: index for index in range(101)}, "1 for files that REAL does not have, such as clips.npy[100]"),
        (dict.fromkeys(range(100), "a"), "at least 2 artists of REAL, which is halved by artists, got 1"),
        ({0: ""}, "artists.csv:2: expected an artist for clips.npy[0], or the word unknown, got none"),
    ],
)
def test_artists_that_do_not_fit(musemo, folders, artists, names, message):
    status, _, err = musemo("score", folders / "real", folders / "fake", "--artists", artists(names))
    assert status == 1
    assert message in err


@pytest.mark.slow
@pytest.mark.pretrained
def test_yamnet_judges_by_default(musemo, folders, pretrained_dir, monkeypatch):
    monkeypatch.setenv("MUSEMO_PRETRAINED", str(pretrained_dir))
    result = score(musemo, folders / "real", folders / "fake")
    assert result["external_embedder"] == "yamnet-v1"
    assert result["detectability"] > 0.9
