"""`musemo score` judges both sides as sound, and says what is missing where it cannot."""

import json
from html import unescape

import numpy as np
import pytest
import torch
from transformers import Wav2Vec2Config, Wav2Vec2FeatureExtractor, Wav2Vec2Model

from musemo_hf.commands.score.clips import open_clips
from musemo_hf.commands.score.table import score_table


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
    for name, n_clips, seed in (("real", 100, 0), ("fake", 50, 1), ("few", 49, 2)):
        rng = np.random.default_rng(seed)
        clips = rng.normal(-45, 3, (n_clips, 128, 256 if name == "real" else 44)).astype(np.float32)
        for clip in clips:
            for band in rng.integers(20, 100, 5 if name == "real" else 1):
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


@pytest.mark.slow
@pytest.mark.pretrained
def test_yamnet_judges_by_default(musemo, folders, pretrained_dir, monkeypatch):
    monkeypatch.setenv("MUSEMO_PRETRAINED", str(pretrained_dir))
    result = score(musemo, folders / "real", folders / "fake")
    assert result["external_embedder"] == "yamnet-v1"
    assert result["detectability"] > 0.9
