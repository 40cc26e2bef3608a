"""Figures of songs that a U-Net changes: variations, and seams."""

import numpy as np
import pytest
import torch

from musemo_hf import MusemoFeatureExtractor, MusemoPipeline, MusemoUNetGenerator
from musemo_hf.experiments.model_reports.seams import (
    _journey_seams,
    jumps,
    measure_seams,
    seam_figures,
    seams_table,
    window_seams,
)
from musemo_hf.experiments.model_reports.steps import divide_by_artist
from musemo_hf.experiments.model_reports.variations import measure_variations, variations_table
from musemo_hf.experiments.sound_sets import SoundSets
from musemo_hf.pipelines.embedders.audio_embedder import audio_embedder


@pytest.fixture(scope="module")
def pipeline():
    torch.manual_seed(0)
    sizes = {"channels": (32, 32), "attention": (False, False), "condition_width": 16, "num_inference_steps": 2}
    generator = MusemoUNetGenerator(n_frames=256, guidance_scale=1.0, **sizes)
    made = MusemoPipeline(generator.eval(), MusemoFeatureExtractor(n_frames=256))
    made.set_progress_bar_config(disable=True)
    return made


def test_a_jump_is_found_where_it_is():
    clip = np.zeros((128, 40))
    clip[:, 25:] = 3.0
    clip[:64, 33:] += 1.0
    expected = np.zeros(39)
    expected[24], expected[32] = 3.0, 0.5  # place p lies before frame p + width
    assert jumps(clip, 1) == pytest.approx(expected)
    assert jumps(clip, 4)[25 - 4] == pytest.approx(3.0)
    with pytest.raises(ValueError, match="expected at least 42 frames, got 40"):
        jumps(clip, 21)


def test_a_seam_is_compared_with_all_other_places():
    rng = np.random.default_rng(0)
    clips = list(rng.normal(0, 1, (30, 128, 100)))
    even = seam_figures(clips, [50], 1)
    assert even["ratio"] == pytest.approx(1.0, abs=0.05)
    assert even["ratio_interval"][0] < 1 < even["ratio_interval"][1]
    for clip in clips:
        clip[:, 50:] += 4
    torn = seam_figures(clips, [50], 1)
    assert torn["elsewhere"] == pytest.approx(even["elsewhere"])
    assert torn["ratio_interval"][0] > 3


def test_seams_are_where_the_generator_begins_a_window(pipeline, monkeypatch):
    begun = []
    infill = pipeline.generator.infill

    def seen(spectrogram, unknown, *others, **options):
        begun.append(int((~unknown).sum()))
        return infill(spectrogram, unknown, *others, **options)

    monkeypatch.setattr(pipeline.generator, "infill", seen)
    song = torch.zeros(1, 1, 128, 200)
    pipeline.generator.extend(song, 300, [[0.0, 0.0]], seed=0)
    assert window_seams(200, 500, 256) == [200, 328, 456]
    assert begun == [128] * 3
    begun.clear()
    total = pipeline.journey([0.1, 0.2, 0.3], [0.0, 0.0, 0.0], seconds=22, seed=0, n_iter=1).spectrogram.shape[-1]
    assert len(_journey_seams(total, 256)) == len(begun)


def test_what_is_made_of_songs_is_measured(pipeline, songs):
    sources, others = divide_by_artist(songs, 6, 14)

    def embed(waveforms, sampling_rate):
        spectra = [np.abs(np.fft.rfft(each[: len(each) // 512 * 512].reshape(-1, 512), axis=1)) for each in waveforms]
        return np.array([np.log(each.mean(axis=0)[:32] + 1e-6) for each in spectra], dtype=np.float32)

    sounds = SoundSets(audio_embedder("bands-v1", 32, 22050, embed), cache=False)
    same, other = measure_variations(pipeline.generator, sources, others, [0.0, 1.0], sounds)
    assert same["distance"] == pytest.approx(0, abs=1e-3)
    assert same["authenticity"] == 0
    assert same["followed"] == pytest.approx([0, 0], abs=1e-3)
    assert other["distance"] > 0.5
    assert variations_table([same, other]).splitlines()[2].startswith("| 0 | 0.00 | 0.00 | ")
    rows = measure_seams(pipeline, sources, 1)
    assert len(rows) == 8
    real = next(row for row in rows if row["way"].startswith("songs") and row["width"] == 1)
    assert real["ratio"] == pytest.approx(1, abs=0.1)  # noise has no seams
    infilled = next(row for row in rows if row["way"] == "infilling" and row["width"] == 11)
    assert infilled["ratio"] > 1.2  # this network has learnt nothing, so that its frames do not fit
    assert len(seams_table(rows).splitlines()) == 10
