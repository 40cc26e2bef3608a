import numpy as np
import pytest
import torch

from musemo_hf import MusemoFeatureExtractor, MusemoViTForEmotionRegression
from musemo_hf.pipelines.emotion_path import emotion_path, window_starts


@pytest.fixture(scope="module")
def parts(recogniser):
    return MusemoViTForEmotionRegression.from_pretrained(recogniser), MusemoFeatureExtractor.from_pretrained(recogniser)


@pytest.mark.parametrize("n_samples", [1, 99, 100, 101, 149, 150, 151, 1234])
def test_windows_cover_the_song_evenly(n_samples):
    starts = window_starts(n_samples, length=100, hop=50)
    assert starts[0] == 0
    assert starts[-1] == max(0, n_samples - 100)
    steps = np.diff(starts)
    assert (steps <= 51).all()
    assert np.ptp(steps) <= 1 if len(steps) else n_samples <= 100


def test_each_window_is_read_as_a_clip_of_its_own(parts, make_song):
    model, extractor = parts
    song = make_song("a.wav", 3.0)
    path = emotion_path(model, extractor, song, hop_seconds=1.0)
    from musemo_hf.audio.decoding import read_audio

    samples = read_audio(song)
    length = extractor.settings.n_samples(40)
    with torch.no_grad():
        for start, emotion in zip(path.starts, path.emotion, strict=True):
            first = round(start * 22050)
            clip = extractor(samples[first : first + length], sampling_rate=22050)["spectrogram"]
            np.testing.assert_allclose(emotion, model.eval()(clip).emotion[0].clamp(-1, 1).numpy(), atol=1e-5)


def test_batches_change_nothing_and_the_mode_comes_back(parts, make_song):
    model, extractor = parts
    song = make_song("a.wav", 3.0)
    model.train()
    together, apart = (emotion_path(model, extractor, song, batch_size=size) for size in (16, 3))
    assert model.training
    np.testing.assert_allclose(together.emotion, apart.emotion, atol=1e-6)


def test_the_pipeline_and_the_path_give_one_clip_the_same_interval(make_recogniser, make_song):
    from transformers import pipeline

    from musemo_hf.pipelines.registration import register

    folder = make_recogniser(uncertainty=True, deviation_scale=[0.1, 0.3])
    register()
    song = make_song("a.wav", 0.9)
    answer = pipeline("music-emotion-recognition", model=str(folder), device="cpu")(str(song))
    path = emotion_path(
        MusemoViTForEmotionRegression.from_pretrained(folder), MusemoFeatureExtractor.from_pretrained(folder), song
    )
    for name, interval in zip(("valence", "arousal"), path.interval, strict=True):
        assert answer[f"{name}_interval"] == pytest.approx(interval.tolist(), abs=1e-5)
        assert np.ptp(interval) > 0.02


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"uncertainty": True, "deviation_scale": [0.1, 0.1]}, "95 % interval, from this song's own deviations"),
        ({"emotion_error": [0.1, 0.1]}, "95 % interval, from one error for all songs"),
        ({}, "spread over windows, not an error"),
    ],
)
def test_the_picture_says_what_its_cross_is(make_recogniser, make_song, changes, words):
    from musemo_hf.pipelines.emotion_path_figure import draw_emotion_paths

    folder = make_recogniser(**changes)
    path = emotion_path(
        MusemoViTForEmotionRegression.from_pretrained(folder),
        MusemoFeatureExtractor.from_pretrained(folder),
        make_song("a.wav", 2.0),
    )
    axes = draw_emotion_paths({"a": path}).axes[0]
    assert [text.get_text() for text in axes.get_legend().get_texts()][1] == words
    cross = next(line for line in axes.lines if line.get_label() == words)
    np.testing.assert_allclose(cross.get_xdata(), path.interval[0])


@pytest.mark.parametrize("scale", [[0.1], [0.1, -1.0], [float("nan"), 1.0]])
def test_a_scale_that_is_no_scale_is_refused(make_recogniser, make_song, scale):
    folder = make_recogniser(uncertainty=True)
    model = MusemoViTForEmotionRegression.from_pretrained(folder)
    model.config.deviation_scale = scale
    with pytest.raises(ValueError, match="expected deviation_scale of two positive numbers"):
        emotion_path(model, MusemoFeatureExtractor.from_pretrained(folder), make_song("a.wav"))


def test_arrays_at_other_rates(parts):
    samples = np.random.default_rng(0).standard_normal((88200, 2)).astype(np.float32) * 0.1
    path = emotion_path(*parts, samples, sampling_rate=44100)
    assert path.duration == pytest.approx(2.0)
    np.testing.assert_allclose(path.middles, path.starts + path.window_seconds / 2)
    with pytest.raises(ValueError, match="expected sampling_rate"):
        emotion_path(*parts, samples)


def test_what_cannot_be_read(parts, make_song):
    model, _ = parts
    with pytest.raises(ValueError, match="expected an extractor of 40 frames, got 431"):
        emotion_path(model, MusemoFeatureExtractor(n_frames=431), make_song("a.wav"))
    with pytest.raises(ValueError, match="at least one sample between windows"):
        emotion_path(*parts, make_song("a.wav"), hop_seconds=0)
    with pytest.raises(ValueError, match="batch_size of at least 1"):
        emotion_path(*parts, make_song("a.wav"), batch_size=0)
