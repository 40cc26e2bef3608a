"""The comparison of recognisers out of fold: what each recipe may see, and the report and page on it."""

import json

import numpy as np
import pytest
import torch
from sklearn.kernel_ridge import KernelRidge

from musemo_hf.data.arrays import SongArrays
from musemo_hf.experiments.recognisers.comparison import N_FOLDS, RecogniserComparison, run_comparison
from musemo_hf.experiments.recognisers.network import network_report
from musemo_hf.experiments.recognisers.recipes import RECIPES, fit_recipes, kernel_ridge
from musemo_hf.experiments.recognisers.report import build_report, write_report
from musemo_hf.hub.cards import render_card
from musemo_hf.models.vit.kernel_head import RIDGE

N = 60
CORPUS = {"name": "noise", "procedural": True}


@pytest.fixture(scope="module")
def songs():
    """Noise whose level carries valence, and whose arousal only the embedding tells; two songs an artist."""
    rng = np.random.default_rng(0)
    emotion = rng.uniform(-0.8, 0.8, (N, 2))
    spectrogram = 3 * rng.standard_normal((N, 128, 40)) + 20 * emotion[:, 0, None, None] - 10
    return SongArrays(
        spectrogram=spectrogram.astype(np.float32),
        emotion=emotion.astype(np.float32),
        emotion_std=np.full((N, 2), 0.2, np.float32),
        fold=np.zeros(N, np.int8),
        song_id=np.arange(N, dtype=np.int32),
        artist=[f"artist {song // 2}" for song in range(N)],
        genre=["" for _ in range(N)],
        year=np.full(N, 2014, np.int16),
    )


@pytest.fixture(scope="module")
def embedding(songs):
    return songs.emotion[:, 1:] + 0.05 * np.random.default_rng(1).standard_normal((N, 8))


@pytest.fixture(scope="module")
def comparison(songs, embedding, tmp_path_factory):
    comparison = RecogniserComparison(songs, embedding, "yamnet-v1", tmp_path_factory.mktemp("run"), seeds=(0,))
    outcome = run_comparison(comparison)
    assert len(outcome.computed) == N_FOLDS
    return comparison


@pytest.fixture(scope="module")
def report(comparison):
    return build_report(comparison, CORPUS, "python evaluate")


def test_rows_say_what_their_recogniser_knows(report):
    arousal = {name: recipe["ccc"]["arousal"]["value"] for name, recipe in report["recipes"].items()}
    assert list(arousal) == list(RECIPES)
    for name, value in arousal.items():
        if RECIPES[name].kind == "with external data":
            assert value > 0.7, name
        else:
            assert value < 0.5, name  # noise tells nothing of it, and a teacher cannot change that
    assert report["recipes"]["statistics"]["ccc"]["valence"]["value"] > 0.9


def test_labels_of_the_tested_songs_are_not_used(comparison):
    songs = comparison.everything
    train, test = np.flatnonzero(comparison.folds != 0), np.flatnonzero(comparison.folds == 0)
    part = songs[test]
    shuffled = type(part)(part.spectrogram, part.emotion.flip(0), part.embedding, part.artists)
    given, again = (fit_recipes(songs[train], each, 0, unseeded=False) for each in (part, shuffled))
    assert given == again
    assert np.allclose(given["external"]["predictions"], comparison.predictions("external")[0][test])


def test_the_reference_is_kernel_ridge_regression():
    rng = np.random.default_rng(0)
    known, new, labels = rng.standard_normal((30, 5)), rng.standard_normal((7, 5)), rng.uniform(-1, 1, (30, 2))
    mean, scale = known.mean(axis=0), known.std(axis=0)
    ridge = KernelRidge(alpha=RIDGE, kernel="rbf", gamma=0.1)
    plain = ridge.fit((known - mean) / scale, labels - labels.mean(axis=0)).predict((new - mean) / scale)
    got = kernel_ridge(known, new, labels) - labels.mean(axis=0)
    np.testing.assert_allclose(got / plain, np.broadcast_to((got / plain)[0], got.shape), rtol=1e-6)


def test_without_an_embedding_only_log_mels_are_compared(songs, tmp_path):
    comparison = RecogniserComparison(songs, None, None, tmp_path, seeds=(0,))
    train = comparison.everything[np.arange(0, 40)]
    found = fit_recipes(train, comparison.everything[np.arange(40, N)], 0, unseeded=True)
    assert set(found) == {"statistics", "texture", "texture_tonal"}
    with pytest.raises(ValueError, match="other songs or embedders"):
        RecogniserComparison(songs, None, "clap", tmp_path)


def test_a_network_is_blended_with_shares_of_other_folds(comparison, tmp_path):
    """One that knows arousal, which the kernels of noise do not, gets the largest share there and little in valence."""
    assert network_report(comparison, tmp_path) is None
    rng = np.random.default_rng(2)
    for fold in range(3):
        songs = np.flatnonzero(comparison.folds == fold)
        predicted = comparison.songs.emotion[songs].astype(float)
        predicted[:, 0] = rng.uniform(-1, 1, len(songs))
        (tmp_path / f"fold{fold}").mkdir()
        path = tmp_path / f"fold{fold}" / "real-seed0.json"
        path.write_text(json.dumps({"predictions": predicted.tolist()}))
    found = network_report(comparison, tmp_path)
    assert found["folds"] == [0, 1, 2]
    for valence, arousal in found["shares"]:
        assert valence <= 0.1
        assert arousal == 0.5
    assert found["difference"]["arousal"]["interval"][0] > 0
    path.write_text(json.dumps({"predictions": predicted[1:].tolist()}))
    with pytest.raises(ValueError, match="expected predictions"):
        network_report(comparison, tmp_path)


def test_the_page_and_the_reports_of_recipes(report, tmp_path):
    page = write_report(report, tmp_path).read_text()
    assert "say nothing about recorded music" in page
    for recipe in report["recipes"].values():
        assert f"| {recipe['kind']} | {recipe['title']} | {recipe['ccc']['valence']['value']:.3f} [" in page
    assert page.count("\n| ") == 2 * len(RECIPES) + len(report["differences"]) + 3
    one = json.loads((tmp_path / "report-external.json").read_text())
    facts = {"architecture": "vit", "n_parameters": 1, "n_frames": 431, "seconds": 10, "sampling_rate": 22050}
    kernel = {"network": False, "kernel_clips": 60, "kernel_statistics": ["texture"], "embedder": "yamnet-v1"}
    card = render_card("recogniser", one, repo_id="user/name", **facts, **kernel)
    assert f"{report['recipes']['external']['ccc']['mean']['value']:.2f}" in card
    assert "with external data" in card


def test_all_numbers_are_plain(report):
    json.dumps(report, allow_nan=False)
    assert torch.tensor([d["mean"]["value"] for d in report["differences"]]).isfinite().all()
