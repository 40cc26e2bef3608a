"""A recogniser that also hears sound through YAMNet: one answer from command, pipeline and function."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from transformers import pipeline

from musemo_hf import MusemoFeatureExtractor, MusemoViTConfig, MusemoViTForEmotionRegression
from musemo_hf.cli import main
from musemo_hf.commands.checkpoints import best_recogniser, load_predictor
from musemo_hf.pipelines.emotion_path import emotion_path
from musemo_hf.pipelines.light_recogniser import LightRecogniser
from musemo_hf.pipelines.registration import register

pytestmark = pytest.mark.pretrained
RATE, N_FRAMES = 22050, 87  # two seconds


def sound(seed, seconds=2.0):
    """Noise of a seeded colour and level."""
    rng = np.random.default_rng(seed)
    noise = rng.standard_normal(round(seconds * RATE))
    smooth = np.convolve(noise, np.ones(1 + seed % 7) / (1 + seed % 7), "same")
    return (0.02 * (1 + seed % 5) * smooth).astype(np.float32)


@pytest.fixture(scope="module", autouse=True)
def _pretrained(pretrained_dir):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MUSEMO_PRETRAINED", str(pretrained_dir))
        yield


@pytest.fixture(scope="module")
def folder(tmp_path_factory, _pretrained):
    """A recogniser with YAMNet, fitted to twelve sounds."""
    from musemo_hf.pipelines.embedders.yamnet import yamnet_embedder

    sounds, extractor = [sound(seed) for seed in range(12)], MusemoFeatureExtractor(n_frames=N_FRAMES)
    spectrogram = extractor(sounds, sampling_rate=RATE)["spectrogram"]
    embedding = torch.from_numpy(yamnet_embedder().embed_audio(sounds, RATE)).float()
    emotion = torch.rand(12, 2, generator=torch.Generator().manual_seed(0)) - 0.5
    config = MusemoViTConfig(
        n_frames=N_FRAMES, kernel_read_out=True, kernel_statistics=["texture", "tonal", "patterns"], network=False,
        embedder="yamnet-v1", embedding_size=2048, emotion_error=[0.2, 0.2],
    )  # fmt: skip
    model = MusemoViTForEmotionRegression(config).eval()
    model.fit_in_closed_form(spectrogram, emotion, embedding=embedding)
    path = tmp_path_factory.mktemp("recogniser-yamnet")
    model.save_pretrained(path)
    extractor.save_pretrained(path)
    return path


@pytest.fixture(scope="module")
def song(tmp_path_factory):
    import soundfile

    path = tmp_path_factory.mktemp("songs") / "song.wav"
    soundfile.write(path, np.concatenate([sound(3), sound(4), sound(5, 1.0)]), RATE, subtype="FLOAT")
    return path


def test_command_pipeline_and_function_agree(folder, song, capsys):
    register()
    assert main(["predict", str(song), "--checkpoint", str(folder), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    (found,) = answer["songs"]
    assert answer["recogniser"] == str(folder)
    assert found["embedder"] == "yamnet-v1"
    recognise = pipeline("music-emotion-recognition", model=str(folder))
    for options in ({}, {"batch_size": 2}):
        said = recognise(str(song), **options)
        assert said["embedder"] == "yamnet-v1"
        for name in ("valence", "arousal"):
            assert said[name] == pytest.approx(found[name], abs=1e-5)
            assert said[f"{name}_interval"] == pytest.approx(found[f"{name}_interval"], abs=1e-5)
    path = emotion_path(*load_predictor(str(folder)), song)
    assert path.mean == pytest.approx([found["valence"], found["arousal"]], abs=1e-6)
    assert np.ptp(path.emotion, axis=0).max() > 0.01  # the windows sound unlike each other


def test_the_table_says_which_recogniser_answered(folder, song, capsys):
    assert main(["predict", str(song), "--checkpoint", str(folder)]) == 0
    assert f"recogniser: {folder} (log-mels and yamnet-v1)" in capsys.readouterr().out


def test_the_sound_itself_counts(folder):
    model, extractor = load_predictor(str(folder))
    spectrogram = extractor([sound(3)], sampling_rate=RATE)["spectrogram"]
    with torch.no_grad():
        answers = [model(spectrogram=spectrogram, embedding=torch.full((1, 2048), level)).emotion for level in (0.0, 1)]
    assert not torch.allclose(*answers)


def test_labels_for_generators_are_not_made_with_it(folder, song, tmp_path, capsys):
    status = main(["pseudo-label", str(song.parent), str(tmp_path / "corpus"), "--recogniser", str(folder)])
    assert status == 1
    assert "expected a recogniser of log-mels alone" in capsys.readouterr().err


def test_the_packaged_one_is_used_where_the_file_is(monkeypatch, tmp_path):
    assert best_recogniser() == ("recogniser-yamnet", None)
    monkeypatch.setenv("MUSEMO_PRETRAINED", str(tmp_path))
    assert best_recogniser()[0] == "recogniser"


def test_a_missing_file_is_one_clear_error(folder, song, tmp_path):
    environment = os.environ | {"MUSEMO_PRETRAINED": str(tmp_path)}  # another process, since this one has loaded it
    command = [sys.executable, "-m", "musemo_hf.cli", "predict", str(song), str(song), "--checkpoint", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 1
    assert done.stderr.count("expected the file lite-model_yamnet_classification_tflite_1.tflite") == 1


def test_it_answers_without_transformers(folder, song):
    model, _ = load_predictor(str(folder))
    assert isinstance(model, LightRecogniser)
    spectrogram, embedding = torch.rand(3, 1, 128, N_FRAMES) * 2 - 1, torch.rand(3, 2048)
    whole = MusemoViTForEmotionRegression.from_pretrained(folder).eval()
    with torch.no_grad():
        expected = whole(spectrogram=spectrogram, embedding=embedding).emotion
        assert torch.equal(model(spectrogram=spectrogram, embedding=embedding).emotion, expected)
    script = f"""import sys
from musemo_hf.cli import main
assert main(["predict", {str(song)!r}, "--checkpoint", {str(folder)!r}]) == 0
slow = ("transformers", "diffusers", "librosa", "scipy.fft", "scipy.linalg", "matplotlib", "datasets")
print("loaded:", [name for name in slow if name in sys.modules])"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "loaded: []" in done.stdout
