import json

import numpy as np
import pytest

from musemo_hf.data.arrays import SongArrays
from musemo_hf.experiments.model_reports.external import external_findings, external_report
from musemo_hf.experiments.model_reports.external_recogniser import fit_external_recogniser
from musemo_hf.experiments.sound_sets import SoundSets
from musemo_hf.pipelines.embedders.audio_embedder import audio_embedder

N_SONGS, N_FRAMES = 14, 256


def songs(seed):
    """Songs whose arousal is their level and whose valence is their tilt, two of each artist."""
    rng = np.random.default_rng(seed)
    emotion = rng.uniform(-1, 1, (N_SONGS, 2)).astype(np.float32)
    beat = 12 * np.exp(-(np.arange(N_FRAMES) % rng.integers(5, 9, (N_SONGS, 1))) / 2)[:, None]
    tilt = np.linspace(-12, 12, 128)[:, None] * emotion[:, :1, None]
    clips = -25 + beat + tilt + 10 * emotion[:, 1:, None] + rng.normal(0, 4, (N_SONGS, 128, N_FRAMES))
    return SongArrays(
        spectrogram=clips.astype(np.float32),
        emotion=emotion,
        emotion_std=np.zeros_like(emotion),
        fold=np.zeros(N_SONGS, dtype=np.int8),
        song_id=np.arange(N_SONGS, dtype=np.int32),
        artist=[f"artist {seed} {i // 2}" for i in range(N_SONGS)],
        genre=[""] * N_SONGS,
        year=np.full(N_SONGS, 2014, dtype=np.int16),
    )


@pytest.fixture(scope="module")
def sounds():
    """The levels of sixteen octave-like bands of the sound, and how much each changes."""

    def embed(waveforms, sampling_rate):
        spectra = [np.abs(np.fft.rfft(x[: len(x) // 1024 * 1024].reshape(-1, 1024), axis=1)) for x in waveforms]
        bands = [
            np.log(np.stack([s[:, 4 + 16 * k : 20 + 16 * k].mean(axis=1) for k in range(16)]) + 1e-6) for s in spectra
        ]
        return np.array([np.concatenate([b.mean(axis=1), b.std(axis=1)]) for b in bands], dtype=np.float32)

    return SoundSets(audio_embedder("bands-v1", 32, 22050, embed), cache=False)


@pytest.fixture(scope="module")
def report(sounds):
    made = songs(2).spectrogram
    held_out = songs(0)
    clips = held_out.spectrogram[:, ::-1] * 0.3 + made * 0.7  # neither the songs nor noise
    return external_report(clips, held_out, songs(1), sounds)


def test_a_report_has_what_decides(report):
    assert (report["embedder"], report["route"], report["n_training"]) == ("bands-v1", "sound", N_SONGS)
    assert report["external_n"] == {"reference": N_SONGS, "held_out": N_SONGS, "candidate": N_SONGS}
    for name in ("external_skill", "external_skill_frechet", "detectability", "detectability_real"):
        assert "at least 50" in report["external_notes"][name]
    assert 0 <= report["external_coverage"] <= report["external_coverage_real"] <= 1
    assert report["songs"]["ccc"][1] > 0.7  # the level is the arousal
    assert report["songs"]["ccc"][1] > report["requested"]["ccc"][1]  # the clips are not of the requested emotion
    assert report["requested"]["n"] == N_SONGS
    assert len(report["requested"]["scale_ratio_interval"]) == 2
    json.dumps(report)


def test_its_sentences_say_the_headline_first(report):
    first, second = external_findings(report)
    assert "through sound, in the space of bands-v1, which took no part in the training" in first
    assert "14 clips against 14 held-out songs" in first
    assert "Requested against recognised emotion, by kernel ridge regression on bands-v1" in second
    assert f"CCC {report['songs']['ccc'][0]:.2f}" in second
    figures = {
        "external_skill": 0.5,
        "external_skill_interval": [0.4, 0.6],
        "detectability": 0.9,
        "detectability_real": 0.6,
    }
    sentence = external_findings(report | figures)[0]
    assert sentence.startswith("Skill 0.50 [0.40, 0.60] through sound")
    assert "under the curve of 0.90, real songs of other artists with 0.60" in sentence


def test_predictions_have_the_spread_of_labels():
    rng = np.random.default_rng(0)
    weight = rng.normal(size=(20, 2)) / 9
    features = rng.normal(size=(400, 20))
    emotion = features @ weight + 0.1 * rng.normal(size=(400, 2))
    recogniser = fit_external_recogniser(features[:300], emotion[:300], [str(i // 3) for i in range(300)])
    predicted = recogniser.predict(features[300:])
    assert predicted.std(axis=0) == pytest.approx(emotion[300:].std(axis=0), rel=0.2)
    assert np.corrcoef(predicted[:, 0], emotion[300:, 0])[0, 1] > 0.8
    with pytest.raises(ValueError, match="at least 5 artists to fit a recogniser to, got 2"):
        fit_external_recogniser(features[:10], emotion[:10], ["a", "b"] * 5)
