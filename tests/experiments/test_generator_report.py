"""The report of one generator: measured on the fold that it was trained without, in the shape that cards read."""

import numpy as np
import pytest

from musemo_hf import MusemoGanConfig, MusemoGanGenerator, MusemoViTConfig, MusemoViTForEmotionRegression
from musemo_hf.data.arrays import SongArrays
from musemo_hf.experiments.model_reports.generator import _skill_in_words, build_generator_report
from musemo_hf.hub.figures import read_figures
from musemo_hf.reporting.stored_report import usable_report

N_SONGS, N_FRAMES = 40, 256


def test_cards_read_what_was_measured_on_the_held_out_fold():
    rng = np.random.default_rng(0)
    emotion = rng.uniform(-1, 1, (N_SONGS, 2)).astype(np.float32)
    songs = SongArrays(
        spectrogram=(20 * emotion[:, 1, None, None] + rng.normal(-20, 10, (N_SONGS, 128, N_FRAMES))).astype(np.float32),
        emotion=emotion,
        emotion_std=np.zeros_like(emotion),
        fold=(np.arange(N_SONGS) // 2 % 2).astype(np.int8),
        song_id=np.arange(N_SONGS, dtype=np.int32),
        artist=[f"artist {i // 2}" for i in range(N_SONGS)],
        genre=[""] * N_SONGS,
        year=np.full(N_SONGS, 2014, dtype=np.int16),
    )
    generator = MusemoGanGenerator(MusemoGanConfig(n_frames=N_FRAMES, generator_channels=8, group_norm_groups=1))
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    judge = MusemoViTForEmotionRegression(MusemoViTConfig(n_frames=N_FRAMES, patch_size=(16, 16), **sizes))
    corpus = {"name": "DEAM", "procedural": False}
    report = build_generator_report(generator, judge, songs, 1, corpus, "python ...", "test", [0])
    assert (report["corpus"]["n_training"], report["corpus"]["n_tested"]) == (20, 20)
    assert report["quality"]["n_predictions"] == report["quality"]["n_references"] == 20
    assert report["quality"]["authenticity"] is not None
    score, ccc = read_figures(usable_report(report), ("quality_score", "ccc_real_only"))
    assert score.value == pytest.approx(report["quality"]["quality_score"])
    assert ccc.value == pytest.approx(np.mean(report["recogniser"]["ccc"]))
    assert ccc.interval[0] <= ccc.value <= ccc.interval[1]
    assert len(report["recogniser"]["rmse"]) == 2
    assert "20 songs of 10 other artists (fold 1)" in report["findings"][0]
    assert report["held_out_fold"] == 1
    assert "external" not in report


def test_a_skill_that_is_not_defined_is_said_with_its_reason():
    told = _skill_in_words({"skill": float("nan"), "notes": {"skill": "12 clips cannot tell"}})
    assert told == "its skill is not defined (12 clips cannot tell)"
    assert _skill_in_words({"skill": 0.25, "notes": {}}).startswith("skill 0.25")
