"""The emotion that is recognised before and after a channel, against labels."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from musemo_hf.audio.mel import log_mel
from musemo_hf.evaluation.statistics.concordance import concordance_correlation
from musemo_hf.experiments.vocoders.channels import DEFAULT, KEEPS_BANDS, Channel
from musemo_hf.experiments.vocoders.label_agreement import agreement_figures, measure_against_labels
from musemo_hf.experiments.vocoders.labelled_songs import LabelledSongs, fit_without, read_fold
from musemo_hf.experiments.vocoders.page import _shown, sound_page
from musemo_hf.pipelines.embedders.audio_embedder import audio_embedder
from musemo_hf.training.configuration import load_configuration

SAME = Channel(lambda samples: samples, lambda samples, _: samples)
QUIETER = Channel(lambda samples: samples, lambda samples, _: 0.3 * samples)
CONFIG = Path(__file__).parents[2] / "training/configs/recogniser_statistics_10s.yaml"


def loudness(waveforms):
    """A recogniser of the root mean square, in both dimensions."""
    return np.array([[4 * np.sqrt(np.mean(w**2)) - 1] * 2 for w in waveforms])


@pytest.fixture
def labelled():
    rng = np.random.default_rng(0)
    levels = rng.uniform(0.1, 0.4, 30)
    waveforms = [(level * rng.standard_normal(2000)).astype(np.float32) for level in levels]
    emotion = np.stack([4 * levels - 1, 4 * levels - 1 + 0.3 * rng.standard_normal(30)], axis=1)
    return LabelledSongs(waveforms, emotion, [f"artist {i // 3}" for i in range(30)], fold=2)


def test_the_change_is_the_difference_of_two_concordances():
    rng = np.random.default_rng(1)
    labels = rng.uniform(-1, 1, (60, 2))
    before, after = (labels + scale * rng.standard_normal((60, 2)) for scale in (0.2, 0.6))
    groups = [str(i // 2) for i in range(60)]
    found = agreement_figures(after, labels, groups, before)
    wanted = concordance_correlation(after, labels), concordance_correlation(before, labels)
    for i, name in enumerate(("valence", "arousal")):
        assert found["ccc"][name]["value"] == pytest.approx(wanted[0][i])
        assert found["change"][name]["value"] == pytest.approx(wanted[0][i] - wanted[1][i])
        low, high = found["change"][name]["interval"]
        assert low < found["change"][name]["value"] < high < 0  # 60 songs show that much
    same = agreement_figures(before, labels, groups, before)
    assert same["change"]["valence"] == {"value": 0, "interval": [0, 0]}  # both sides share their draws


def test_a_channel_that_changes_nothing_costs_nothing_and_another_does(labelled):
    found = measure_against_labels(labelled, {"same": SAME, "quieter": QUIETER}, {"loudness": loudness})
    assert (found["fold"], found["n_songs"], found["n_artists"]) == (2, 30, 10)
    row = found["recognisers"]["loudness"]
    assert row["before"]["ccc"]["valence"]["value"] > 0.98
    assert row["after"]["same"]["change"]["arousal"] == {"value": 0, "interval": [0, 0]}
    assert row["after"]["quieter"]["change"]["valence"]["interval"][1] < -0.3


def test_channels_that_are_known_are_not_measured_again(labelled):
    known = measure_against_labels(labelled, {"same": SAME}, {"loudness": loudness})
    known["recognisers"]["loudness"]["after"]["same"] = "as it was"
    found = measure_against_labels(labelled, {"quieter": QUIETER, "same": SAME}, {"loudness": loudness}, known)
    after = found["recognisers"]["loudness"]["after"]
    assert list(after) == ["quieter", "same"]
    assert after["same"] == "as it was"
    with pytest.raises(ValueError, match=r"expected earlier results of .*by other, got those of .*by loudness"):
        measure_against_labels(labelled, {}, {"other": loudness}, known)
    with pytest.raises(ValueError, match=r"'fold': 3.*got those of.*'fold': 2"):
        measure_against_labels(replace(labelled, fold=3), {}, {"loudness": loudness}, known)


@pytest.fixture(scope="module")
def audible():
    """Twenty clips of noise whose level is the arousal, as audio and as a corpus of two folds."""
    from musemo_hf.data.arrays import SongArrays

    rng = np.random.default_rng(0)
    emotion = rng.uniform(-1, 1, (20, 2)).astype(np.float32)
    waveforms = [
        (0.05 * 10 ** (arousal / 2) * rng.standard_normal(22050)).astype(np.float32) for arousal in emotion[:, 1]
    ]
    spectrogram = torch.stack([log_mel(torch.from_numpy(samples)) for samples in waveforms]).numpy()
    return waveforms, SongArrays(
        spectrogram=spectrogram,
        emotion=emotion,
        emotion_std=np.full((20, 2), 0.2, dtype=np.float32),
        fold=(np.arange(20) % 2).astype(np.int8),
        song_id=np.arange(20, dtype=np.int32),
        artist=[f"artist {i}" for i in range(20)],
        genre=["noise"] * 20,
        year=np.full(20, 2014, dtype=np.int16),
    )


def test_a_recogniser_learns_from_the_other_folds_alone(audible):
    waveforms, songs = audible
    recognise = fit_without(0, songs, load_configuration(CONFIG))
    found = recognise(waveforms[::2])  # fold 0
    assert found.shape == (10, 2)
    assert np.corrcoef(found[:, 1], songs.emotion[::2, 1])[0, 1] > 0.8
    others = songs.emotion.copy()
    others[::2] = 0.9  # other labels of the fold change nothing
    again = fit_without(0, replace(songs, emotion=others), load_configuration(CONFIG))
    np.testing.assert_array_equal(again(waveforms[::2]), found)


def test_what_does_not_fit_is_refused(audible, tmp_path):
    songs = audible[1]
    with pytest.raises(ValueError, match=r"expected the embedder None of the configuration, got noise-v1"):
        fit_without(0, songs, load_configuration(CONFIG), tmp_path, audio_embedder("noise-v1", 2, 16000, np.array))
    with pytest.raises(ValueError, match=r"expected a fold out of"):
        fit_without(7, songs, load_configuration(CONFIG))
    with pytest.raises(ValueError, match=r"expected a fold out of"):
        read_fold(songs, tmp_path, "excerpt_10s", 7)


def test_the_page_shows_what_was_measured(labelled):
    labels = measure_against_labels(labelled, {"same": SAME, "quieter": QUIETER}, {"loudness": loudness})
    figure = {"value": 0.1, "interval": [0.0, 0.2]}
    row = {name: figure for name in ("convergence", "log_stft", "level", "seconds")} | {"level_spread": 1.0}
    results = {
        "channels": {DEFAULT: row, KEEPS_BANDS: row, "a network": row},
        "n_songs": 3,
        "embedder": None,
        "threads": 1,
    }
    results |= {"librosa_seconds": 3.0, "conversion": {"grids": {}, "n_songs": 1}}
    assert "Against the labels" not in sound_page(results, "a command", "noise")
    page = sound_page(results | {"labels": labels}, "a command", "noise")
    assert "30 ten-second excerpts of DEAM by 10 artists (fold 2)" in page
    after = labels["recognisers"]["loudness"]["after"]["quieter"]
    assert f"| quieter | {_shown(after['ccc']['valence'], 3)} |" in page
    assert _shown(after["change"]["arousal"], 3, "+") in page
    assert "By the recogniser of loudness it is met by same." in page
    assert "The vocoder `a network` beside Griffin-Lim that keeps the bands: its log-STFT distance is 0.10" in page
