import numpy as np
import pytest
import torch
from transformers import pipeline

from musemo_hf import MusemoFeatureExtractor, MusemoViTConfig, MusemoViTForEmotionRegression
from musemo_hf.pipelines.registration import register
from musemo_hf.training.recogniser.calibration import Calibration, calibrate, calibrate_recogniser
from musemo_hf.training.recogniser.prediction import predict, predict_with_deviation

N = 4000


@pytest.fixture(scope="module")
def gaussian():
    """Predictions whose errors are normal with known deviations, which are told by half and by a tenth too small."""
    rng = np.random.default_rng(0)
    labels = rng.uniform(-0.8, 0.8, (N, 2))
    deviation = rng.uniform(0.05, 0.4, (N, 2))
    predicted = labels + deviation * rng.standard_normal((N, 2))
    artists = [f"artist {i % 300}" for i in range(N)]
    return predicted, labels, artists, deviation * np.array([0.5, 0.9])


def test_intervals_of_predicted_deviations_cover_as_promised(gaussian):
    predicted, labels, artists, deviation = gaussian
    found = calibrate(predicted, labels, artists, deviation)
    assert found.scale == (pytest.approx(2, rel=0.04), pytest.approx(1 / 0.9, rel=0.04))
    assert found.predicted_deviation
    assert found.n_songs == N
    for level in (0.8, 0.95):
        # four standard errors of a share of 4,000
        assert found.coverage[level] == pytest.approx((level, level), abs=4 * np.sqrt(level * (1 - level) / N))
    assert found.width[0.95][0] == pytest.approx(2 * 1.96 * 2 * deviation[:, 0].mean(), rel=0.04)


def test_a_constant_error_covers_as_promised_and_is_the_root_mean_square():
    rng = np.random.default_rng(1)
    labels, error = rng.uniform(-0.5, 0.5, (N, 2)), rng.normal(0, [0.2, 0.3], (N, 2))
    found = calibrate(labels + error, labels, [""] * N, n_folds=4, levels=[0.5])
    assert found.scale == tuple(pytest.approx(value) for value in np.sqrt((error**2).mean(axis=0)))
    assert found.coverage[0.5] == pytest.approx((0.5, 0.5), abs=4 * 0.5 / np.sqrt(N))
    assert not found.predicted_deviation


def test_the_coverage_is_of_artists_that_the_scale_did_not_come_from():
    # one artist is far off: within the sample that error widens its own interval, held out it cannot
    labels = np.zeros((40, 2))
    predicted = np.full((40, 2), 0.01)
    predicted[:11] = 0.3
    artists = ["odd"] * 11 + [f"artist {i}" for i in range(29)]
    found = calibrate(predicted, labels, artists)
    assert found.coverage[0.95] == (0.725, 0.725)
    own = np.abs(predicted - labels) <= 1.96 * np.array(found.scale)
    assert own.mean() == 1


@pytest.mark.parametrize("uncertainty", [True, False])
def test_a_recogniser_is_calibrated_in_its_configuration(vit_config, clips, uncertainty):
    torch.manual_seed(0)
    model = MusemoViTForEmotionRegression(MusemoViTConfig(**{**vit_config.to_diff_dict(), "uncertainty": uncertainty}))
    artists = [f"artist {i // 2}" for i in range(40)]
    found = calibrate_recogniser(model, clips, artists)
    emotion, deviation = predict_with_deviation(model, clips.spectrogram)
    error = (emotion - clips.emotion).square().mean(0).sqrt()
    if uncertainty:
        assert model.config.deviation_scale == list(found.scale)
        assert model.config.emotion_error is None
        again = calibrate_recogniser(model, clips, artists)  # what is calibrated needs no scale
        assert again.scale == pytest.approx((1, 1), abs=0.01)
        assert model.config.deviation_scale == pytest.approx(list(found.scale), rel=0.01)
    else:
        assert deviation is None
        assert model.config.emotion_error == pytest.approx(error.tolist(), rel=1e-5)


def test_deviations_are_those_of_the_recogniser(vit_config, clips):
    torch.manual_seed(0)
    model = MusemoViTForEmotionRegression(MusemoViTConfig(**{**vit_config.to_diff_dict(), "uncertainty": True})).eval()
    with torch.no_grad():
        output = model(spectrogram=clips.spectrogram)
    emotion, deviation = predict_with_deviation(model, clips.spectrogram, batch_size=len(clips))
    assert torch.equal(emotion, output.emotion)
    assert torch.equal(deviation, output.deviation)
    torch.testing.assert_close(predict(model, clips.spectrogram, batch_size=7), emotion)


@pytest.mark.parametrize(
    ("predicted", "deviation", "message"),
    [
        (np.zeros((19, 2)), None, r"got \(19, 2\), \(20, 2\)"),
        (np.zeros((20, 2)), np.ones((20, 1)), r"and \(20, 1\)"),
        (np.full((20, 2), np.nan), None, "expected finite predictions"),
        (np.zeros((20, 2)), np.zeros((20, 2)), "positive deviations"),
    ],
)
def test_refuses(predicted, deviation, message):
    with pytest.raises(ValueError, match=message):
        calibrate(predicted, np.zeros((20, 2)), [f"a{i}" for i in range(20)], deviation)


def test_a_scale_that_was_there_is_multiplied():
    config = MusemoViTConfig(n_frames=32, patch_size=(16, 16), uncertainty=True, deviation_scale=[2.0, 3.0])
    Calibration((0.5, 2.0), True, {}, {}, 1).apply(config)
    assert config.deviation_scale == [1.0, 6.0]


@pytest.mark.parametrize("how", ["deviation", "error", "none"])
def test_the_pipeline_tells_the_calibrated_interval(vit_config, tmp_path, how):
    changes = {
        "deviation": {"uncertainty": True, "deviation_scale": [0.5, 0.01]},
        "error": {"emotion_error": [0.1, 0.2]},
        "none": {"uncertainty": True},
    }[how]
    torch.manual_seed(0)
    model = MusemoViTForEmotionRegression(MusemoViTConfig(**{**vit_config.to_diff_dict(), **changes}))
    model.save_pretrained(tmp_path)
    extractor = MusemoFeatureExtractor(n_frames=32)
    extractor.save_pretrained(tmp_path)
    register()
    recognise = pipeline("music-emotion-recognition", model=str(tmp_path), device="cpu")
    rate, n = 44100, 2 * 31 * 512  # one window of 32 frames: a longer clip has several, whose mean is given
    samples = np.random.default_rng(0).standard_normal((3, n)).astype(np.float32) * 0.1
    answers = recognise(list(samples), sampling_rate=rate, batch_size=2)
    for one, answer in zip(samples, answers, strict=True):
        with torch.no_grad():
            output = model.eval()(spectrogram=extractor(one, sampling_rate=rate)["spectrogram"])
        if how == "none":
            assert set(answer) == {"valence", "arousal"}
            continue
        assert ("predicted for each window" if how == "deviation" else "one error for all songs") in answer["interval"]
        width = output.deviation[0] if how == "deviation" else torch.tensor([0.1, 0.2])
        for i, name in enumerate(("valence", "arousal")):
            middle, half = output.emotion[0, i].item(), 1.96 * width[i].item()
            expected = [max(-1, middle - half), min(1, middle + half)]
            assert answer[f"{name}_interval"] == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"uncertainty": True, "deviation_scale": [1.0]}, r"two positive numbers \(valence, arousal\), got \[1.0\]"),
        ({"uncertainty": True, "deviation_scale": [1.0, -1.0]}, "two positive numbers"),
        ({"uncertainty": True, "deviation_scale": [1.0, float("nan")]}, "two positive numbers"),
        ({"deviation_scale": [1.0, 1.0]}, "with uncertainty=True only"),
    ],
)
def test_a_scale_that_is_none_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        MusemoViTConfig(n_frames=32, patch_size=(16, 16), **changes)


def test_the_scale_survives_the_folder_that_it_is_saved_in(vit_config, tmp_path):
    config = MusemoViTConfig(**{**vit_config.to_diff_dict(), "uncertainty": True})
    torch.manual_seed(0)
    model = MusemoViTForEmotionRegression(config).eval()
    mels = torch.rand(2, 1, 128, 32) * 2 - 1
    with torch.no_grad():
        before = model(spectrogram=mels).deviation
        Calibration((0.5, 2.0), True, {}, {}, 1).apply(model.config)
        model.save_pretrained(tmp_path)
        after = MusemoViTForEmotionRegression.from_pretrained(tmp_path).eval()(spectrogram=mels).deviation
    torch.testing.assert_close(after, before * torch.tensor([0.5, 2.0]))
