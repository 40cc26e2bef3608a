"""Training, calibration and report: on songs in which the emotion can be heard, with the spread of their raters."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from musemo_hf import MusemoViTConfig
from musemo_hf.data.arrays import SongArrays
from musemo_hf.experiments.model_reports.recogniser import build_recogniser_report
from musemo_hf.hub.cards import render_card
from musemo_hf.training.corpus import hold_out
from musemo_hf.training.recogniser import calibrated_training as trained_recogniser
from musemo_hf.training.recogniser.calibrated_training import train_recogniser
from musemo_hf.training.recogniser.calibration import calibration_split

N_SONGS, N_FRAMES = 240, 32


@pytest.fixture(scope="module")
def songs():
    """Two songs an artist; arousal is the level, valence is not to be heard; raters agree on half of them."""
    rng = np.random.default_rng(0)
    emotion = rng.uniform(-0.9, 0.9, (N_SONGS, 2)).astype(np.float32)
    noise = rng.normal(0, 4, (N_SONGS, 128, N_FRAMES))
    return SongArrays(
        spectrogram=(20 * emotion[:, 1, None, None] - 20 + noise).astype(np.float32),
        emotion=emotion,
        emotion_std=np.where(np.arange(N_SONGS)[:, None] % 4 < 2, 0.1, 0.5).repeat(2, axis=1).astype(np.float32),
        fold=(np.arange(N_SONGS) // 2 % 3).astype(np.int8),
        song_id=np.arange(N_SONGS, dtype=np.int32),
        artist=[f"artist {i // 2}" for i in range(N_SONGS)],
        genre=[""] * N_SONGS,
        year=np.full(N_SONGS, 2014, dtype=np.int16),
    )


@pytest.fixture
def train(vit_config, recogniser_training):
    """`train(songs, uncertainty)` for some thirty updates."""

    def run(songs, uncertainty=True, **changes):
        config = MusemoViTConfig(**{**vit_config.to_diff_dict(), "uncertainty": uncertainty})
        training = recogniser_training(**({"steps": 30, "batch_size": 16, "lr": 3e-3, "ema_decay": 0.9} | changes))
        return train_recogniser(config, training, songs)

    return run


@pytest.fixture
def report(songs):
    def build(trained, fold):
        return build_recogniser_report(
            trained, songs, fold, {"name": "DEAM", "procedural": False}, "train ...", "test", [0]
        )

    return build


def test_the_calibration_is_on_artists_that_were_not_learnt_from(songs):
    learnt, left = calibration_split(songs)
    assert sorted([*learnt.song_id, *left.song_id]) == list(range(N_SONGS))
    assert not set(learnt.artist) & set(left.artist)
    assert 20 <= len(left) <= 28


def test_the_intervals_of_the_saved_scale_hold_on_the_fold_and_those_without_it_do_not(songs, train, report):
    trained = train(hold_out(songs, 0))
    scale = trained.model.config.deviation_scale
    assert scale == list(trained.calibrated.own.scale)
    assert not set(trained.learnt.artist + trained.calibrated.songs.artist) & set(
        np.array(songs.artist)[songs.fold == 0]
    )
    found = report(trained, 0)["uncertainty"]
    assert (found["held_out"], found["n"], found["n_groups"]) == (True, 80, 40)
    assert found["scale"] == scale
    assert min(found["own"]["coverage"]["0.95"]["value"]) > 0.85
    # as if nobody had applied it: the raters' spread is in the deviations, and the errors of arousal are far smaller
    trained.model.config.deviation_scale = [1.0, 1.0]
    without = report(trained, 0)["uncertainty"]
    assert without["own"]["nll"][1] > found["own"]["nll"][1] + 0.1
    for i in range(2):
        assert without["own"]["width"]["0.95"][i] == pytest.approx(
            found["own"]["width"]["0.95"][i] / scale[i], rel=1e-4
        )


def test_labels_of_the_fold_change_neither_weights_nor_scale(songs, train):
    fold = songs.fold == 0
    emotion = songs.emotion.copy()
    emotion[fold] = emotion[fold][::-1]
    one, other = (train(hold_out(side, 0), steps=3) for side in (songs, replace(songs, emotion=emotion)))
    assert one.model.config.deviation_scale == other.model.config.deviation_scale
    for name, weight in one.model.state_dict().items():
        assert torch.equal(weight, other.model.state_dict()[name]), name


def test_the_raters_spread_is_trained_on_where_deviations_are_predicted(songs, train, monkeypatch):
    given = []
    whole = trained_recogniser.RecogniserTrainer

    def spy(*arguments, label_deviation, **others):
        given.append(label_deviation)
        return whole(*arguments, label_deviation=label_deviation, **others)

    monkeypatch.setattr(trained_recogniser, "RecogniserTrainer", spy)
    trained = train(songs, steps=1)
    train(songs, uncertainty=False, steps=1)
    np.testing.assert_array_equal(given[0].numpy(), trained.learnt.emotion_std)
    assert given[1] is None


def test_without_a_fold_the_report_says_what_it_was_measured_on(songs, train, report):
    found = report(train(songs, steps=5), None)
    measured, card = found["uncertainty"], render(found)
    assert (measured["held_out"], measured["n"]) == (False, measured["n_calibration"])
    assert "recogniser" not in found
    assert "no fold was held out, so no CCC is known" in found["findings"][0]
    assert "each fifth with the factors of the others, since no fold was held out" in found["findings"][2]
    assert "since no fold was held out" in card
    assert "not measured" not in card  # a figure that is not known is left out


def test_the_card_tells_coverage_of_the_fold(songs, train, report):
    found = report(train(hold_out(songs, 0), steps=5), 0)
    card = render(found)
    shares = found["uncertainty"]["own"]["coverage"]["0.95"]
    (valence, arousal), ((low, high), _) = shares["value"], shares["interval"]
    assert f"| 95 % | {100 * valence:.1f} % ({100 * low:.1f} to {100 * high:.1f}) | {100 * arousal:.1f} % (" in card
    assert "| 80 % |" in card
    assert "neither learnt from nor calibrated on" in card
    assert "\n\n\n" not in card
    assert any("Negative log-likelihood" in sentence for sentence in found["findings"])


def test_without_uncertainty_all_songs_are_learnt_from_and_no_interval_is_claimed(songs, train, report):
    trained = train(hold_out(songs, 0), uncertainty=False, steps=2)
    assert (len(trained.learnt), trained.calibrated) == (160, None)
    found = report(trained, 0)
    assert "uncertainty" not in found
    assert "160 songs, evaluated on 80 songs of 40 other artists (fold 0)" in found["findings"][0]
    assert "## Intervals" not in render(found)


def test_too_few_artists_are_refused_before_anything_is_trained(songs, train):
    few = replace(songs, artist=[f"artist {i % 40}" for i in range(N_SONGS)])
    with pytest.raises(ValueError, match=r"at least 50 artists, 5 of them .* got 240 songs of 40"):
        train(few)


def render(report):
    facts = {"repo_id": "ana/musemo-recogniser", "architecture": "vit", "n_parameters": 1}
    return render_card("recogniser", report, **facts, n_frames=N_FRAMES, seconds=0.7, sampling_rate=22050)
