"""A generator at several numbers of steps, on songs that are divided by artist."""

import evaluate
import numpy as np
import pytest
import torch

from musemo_hf import MusemoFeatureExtractor, MusemoPipeline, MusemoUNetGenerator
from musemo_hf.audio.mel import denormalise
from musemo_hf.evaluation.spaces.embedders import get_embedder
from musemo_hf.experiments.model_reports.steps import (
    SEED,
    divide_by_artist,
    embedder_report,
    measure_steps,
    steps_table,
)
from musemo_hf.metrics import metric_path
from musemo_hf.pipelines.generators import sample_clips
from musemo_hf.training.corpus import select


def test_no_artist_is_in_both_parts(songs):
    first, second = divide_by_artist(songs, 9, 10)
    assert len(first) == 8  # two songs of each artist, and at most nine
    assert len(second) == 10
    assert not set(first.artist) & set(second.artist)
    assert len(set(second.song_id.tolist())) == 10
    with pytest.raises(ValueError, match="expected songs of several artists"):
        divide_by_artist(select(songs, np.arange(2)), 1, 1)


def test_the_figures_are_of_clips_made_in_that_many_steps(songs):
    torch.manual_seed(0)
    sizes = {"channels": (32, 32), "attention": (False, False), "condition_width": 16}
    generator = MusemoUNetGenerator(n_frames=songs.spectrogram.shape[-1], **sizes)
    for value in generator.network.parameters():  # its prediction is 0 before training
        torch.nn.init.normal_(value, std=0.02)
    pipeline = MusemoPipeline(generator.eval(), MusemoFeatureExtractor(n_frames=generator.config.n_frames))
    asked, others = divide_by_artist(songs, 12, 12)
    (row,) = measure_steps(pipeline, asked, others, [3])
    assert (row["steps"], row["n"], row["external"]) == (3, len(asked), None)
    made = sample_clips(generator, torch.from_numpy(asked.emotion), SEED, num_inference_steps=3)
    metric = evaluate.load(metric_path("spectrogram_quality"))
    sides = {"references": asked.spectrogram, "predictions": denormalise(made[:, 0]).numpy()}
    assert row["kid"] == pytest.approx(metric.compute(**sides, ladder=False)["kid"])
    assert row["guidance_scale"] is None
    guided, strong = measure_steps(pipeline, asked, others, [3], guidance=[1.5, 4.0])
    assert guided["kid"] == pytest.approx(row["kid"])  # the generator's own scale
    assert strong["kid"] != pytest.approx(row["kid"])
    assert steps_table([row, strong]).splitlines()[0] == "| figure | 3 steps | 3 steps, guidance 4 |"
    table = steps_table([row, row]).splitlines()
    assert table[0] == "| figure | 3 steps | 3 steps |"
    assert f"| KID, arrays, `modulation-v1` | {row['kid']:.3g} | {row['kid']:.3g} |" in table
    (seen,) = measure_steps(pipeline, asked, others, [3], embedder=get_embedder("modulation-v1"))
    assert seen["embedder"]["kid"] == pytest.approx(row["kid"])
    assert seen["embedder"]["coverage"] == pytest.approx(row["coverage"])
    assert f"| coverage, the same | {row['coverage']:.2f} |" in steps_table([seen]).splitlines()


def test_songs_are_near_songs_in_the_space_of_an_embedder(songs):
    first, second = divide_by_artist(songs, 12, 12)
    embedder = get_embedder("mel-statistics-v1")
    near = embedder_report(second.spectrogram, first.spectrogram, embedder)
    far = embedder_report(second.spectrogram / 4, first.spectrogram, embedder)  # much louder
    assert near["name"] == far["name"] == "mel-statistics-v1"
    assert near["kid"] < far["kid"]
    assert far["coverage"] == 0 < near["coverage"]
