"""The scripts that measure a U-Net on songs of its training, as their users start them."""

import json
import runpy
from dataclasses import replace
from pathlib import Path
from shutil import copytree

import numpy as np
import pytest
import torch

from musemo_hf import MusemoFeatureExtractor, MusemoUNetGenerator, embedded_checkpoint
from musemo_hf.data.pack import write_pack

TRAINING = Path(__file__).parents[2] / "training"
N_SONGS, N_FRAMES = 32, 256


@pytest.fixture(scope="module")
def runs(tmp_path_factory, small_songs):
    """A folder with a generator that was hardly trained, and a pack of songs in two folds."""
    root = tmp_path_factory.mktemp("runs")
    songs = small_songs(np.arange(N_SONGS) // 2 % 4 == 3, N_FRAMES)
    songs = replace(songs, genre=np.repeat(["Jazz", "Rock"], N_SONGS // 2).tolist())
    write_pack(root / "songs.safetensors", songs, "excerpt_10s", "corrected")
    torch.manual_seed(0)
    sizes = {"channels": (32, 32), "attention": (False, False), "condition_width": 16, "num_inference_steps": 1}
    offered = {"conditions": ("loudness", "brightness", "tempo"), "genres": ("Jazz", "Rock")}
    generator = MusemoUNetGenerator(n_frames=N_FRAMES, guidance_scale=1.0, **offered, **sizes)
    generator.save_pretrained(root / "generator")
    MusemoFeatureExtractor(n_frames=N_FRAMES).save_pretrained(root / "generator")
    return root


def start(script, runs, monkeypatch, *options, folder="generator"):
    arguments = ["--data-dir", str(runs / "songs.safetensors"), "--hold-out", "1", "--output-dir", str(runs / "out")]
    monkeypatch.setattr("sys.argv", [script, str(runs / folder), *arguments, *options])
    runpy.run_path(str(TRAINING / script), run_name="__main__")


@pytest.mark.parametrize(
    ("script", "options", "message"),
    [
        ("examine_editing.py", ["--strengths", "0.5", "1.5"], "--strengths: expected a number from 0 to 1, got 1.5"),
        ("extrapolate_unet.py", ["--updates", "0"], "--updates: expected a whole number of at least 1, got 0"),
        ("extrapolate_unet.py", ["--lr", "nan"], "--lr: expected a number above 0, got nan"),
        ("measure_steps.py", ["--guidance", "-1"], "--guidance: expected a number of at least 0, got -1"),
        ("measure_steps.py", ["--hold-out", "-1"], "--hold-out: expected a whole number of at least 0, got -1"),
        ("measure_conditions.py", ["--n-clips", "-1"], "--n-clips: expected a whole number of at least 0, got -1"),
        ("calibrate_generator.py", ["--n-clips", "1"], "--n-clips: expected a whole number of at least 2, got 1"),
        ("calibrate_generator.py", ["--guidance", "-1"], "--guidance: expected a number of at least 0, got -1"),
        ("choose_noise_scale.py", ["--scales", "0"], "--scales: expected a number above 0, got 0"),
        ("examine_sound.py", ["--seeds", "0"], "--seeds: expected a whole number of at least 1, got 0"),
        ("measure_generator.py", ["--seeds", "-1"], "--seeds: expected a whole number of at least 0, got -1"),
        ("evaluate_recognisers.py", ["--jobs", "0"], "--jobs: expected a whole number of at least 1, got 0"),
        ("measure_vocoder.py", ["--n-songs", "0"], "--n-songs: expected a whole number of at least 1, got 0"),
        ("train_unet.py", ["--hold-out", "-1"], "--hold-out: expected a whole number of at least 0, got -1"),
        ("train_vocoder.py", ["--hold-out", "-1"], "--hold-out: expected a whole number of at least 0, got -1"),
        ("validate_metric.py", ["--n-clips", "0"], "--n-clips: expected a whole number of at least 1, got 0"),
    ],
)
def test_numbers_are_refused_when_they_are_parsed(monkeypatch, capsys, script, options, message):
    monkeypatch.setattr("sys.argv", [script, *options])
    with pytest.raises(SystemExit):
        runpy.run_path(str(TRAINING / script), run_name="__main__")
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("script", "arguments", "wanted"),
    [
        ("measure_steps.py", ["generator"], "MusemoFlowGenerator or a MusemoUNetGenerator"),
        ("examine_editing.py", ["generator"], "MusemoUNetGenerator"),
        ("extrapolate_unet.py", ["generator"], "MusemoUNetGenerator"),
        ("measure_conditions.py", ["generator"], "MusemoUNetGenerator"),
        ("choose_noise_scale.py", ["flow"], "MusemoGanGenerator"),
    ],
)
def test_a_generator_of_another_kind_is_refused(monkeypatch, capsys, script, arguments, wanted):
    monkeypatch.setattr("sys.argv", [script, *(embedded_checkpoint(name) for name in arguments)])
    with pytest.raises(SystemExit):
        runpy.run_path(str(TRAINING / script), run_name="__main__")
    got = "MusemoUNetGenerator" if "flow" in arguments else "MusemoGanGenerator"
    assert f"error: expected the folder of a {wanted}, got that of a {got}\n" in capsys.readouterr().err


def test_steps(runs, monkeypatch):
    start("measure_steps.py", runs, monkeypatch, "--steps", "2", "--n-clips", "8", "--no-sound")
    report = json.loads((runs / "out" / "steps.json").read_text())
    assert (report["n_asked"], report["n_others"], report["held_out_fold"]) == (8, 16, 1)
    assert [row["steps"] for row in report["rows"]] == [2]
    assert (runs / "out" / "steps.md").read_text().startswith("| figure | 2 steps |")


@pytest.mark.parametrize("scale", [None, 0.0, 2.5])
def test_a_generator_is_calibrated_for_a_scale_of_guidance(runs, monkeypatch, tmp_path, scale):
    copytree(runs / "generator", tmp_path / "generator")
    fitted = []

    def calibrate(generator, *others):  # a network that hardly learnt the emotion has no map of it
        fitted.append((generator.config.guidance_scale, generator.config.prediction_gains is not None))
        return {}

    monkeypatch.setattr("musemo_hf.training.recogniser.emotion_calibration.calibrate", calibrate)
    folders = [str(tmp_path / "generator"), str(embedded_checkpoint("recogniser"))]
    sizes = ["--n-songs", "4", "--data-dir", str(runs / "songs.safetensors"), "--hold-out", "1"]
    wanted = [] if scale is None else ["--guidance", str(scale), "--fade-frames", "3", "--n-clips", "4"]
    monkeypatch.setattr("sys.argv", ["calibrate_generator.py", *folders, *sizes, *wanted])
    runpy.run_path(str(TRAINING / "calibrate_generator.py"), run_name="__main__")
    expected = 1.0 if scale is None else scale
    assert fitted == [(expected, True)]
    config = MusemoUNetGenerator.from_pretrained(tmp_path / "generator").config
    assert config.guidance_scale == expected
    assert config.prediction_gains is not None
    assert (config.fade_in is None) if scale is None else (len(config.fade_in) == 3)


@pytest.mark.parametrize("option", ["--guidance", "--fade-frames"])
def test_what_is_for_a_unet_alone_is_refused_with_a_gan(monkeypatch, capsys, option):
    folders = [str(embedded_checkpoint("generator")), str(embedded_checkpoint("recogniser"))]
    monkeypatch.setattr("sys.argv", ["calibrate_generator.py", *folders, option, "2"])
    with pytest.raises(SystemExit):
        runpy.run_path(str(TRAINING / "calibrate_generator.py"), run_name="__main__")
    assert f"expected a U-Net with {option}, got" in capsys.readouterr().err


def test_clips_without_their_descriptors(runs, monkeypatch, capsys):
    sizes = ("--steps", "1", "--n-clips", "8", "--no-sound", "--no-descriptors")
    with pytest.raises(SystemExit):
        start("measure_steps.py", runs, monkeypatch, *sizes)
    assert "expected a U-Net with descriptors with --no-descriptors, got" in capsys.readouterr().err
    generator = MusemoUNetGenerator.from_pretrained(runs / "generator")
    described = MusemoUNetGenerator(**{**generator.config, "n_descriptors": 3, "n_training_clips": N_SONGS})
    for value in described.network.parameters():
        torch.nn.init.normal_(value, std=0.05)
    songs = torch.rand(N_SONGS, 1, 128, N_FRAMES) - 0.5
    known = {name: torch.zeros(N_SONGS) for name in ("loudness", "brightness", "tempo")}
    described.prior.fit(songs, torch.zeros(N_SONGS, 2), known | {"genre": torch.zeros(N_SONGS, 2)})
    described.save_pretrained(runs / "described")
    MusemoFeatureExtractor(n_frames=N_FRAMES).save_pretrained(runs / "described")
    distances = []
    for options in (sizes, sizes[:-1]):
        start("measure_steps.py", runs, monkeypatch, *options, folder="described")
        distances.append(json.loads((runs / "out" / "steps.json").read_text())["rows"][0]["kid"])
    assert distances[0] != distances[1]


def test_seams(runs, monkeypatch):
    start("examine_editing.py", runs, monkeypatch, "--n-songs", "4", "--n-journeys", "1", "--no-sound")
    report = json.loads((runs / "out" / "editing.json").read_text())
    assert report["variations"] == []
    assert [row["n"] for row in report["seams"]] == [4, 4, 1, 4] * 2
    assert "| infilling | 1 |" in (runs / "out" / "editing.md").read_text()


def test_conditions_and_genres(runs, monkeypatch):
    monkeypatch.setattr("musemo_hf.experiments.model_reports.genres.N_ARTISTS", 5)
    sizes = ("--n-clips", "6", "--n-emotions", "2", "--n-songs", "20", "--steps", "1")
    start("measure_conditions.py", runs, monkeypatch, *sizes, "--no-sound")
    report = json.loads((runs / "out" / "conditions.json").read_text())
    assert [row["condition"] for row in report["rows"]] == ["loudness", "brightness", "tempo"]
    assert report["genres"]["n_songs"] == [10, 10]
    assert list(report["genres"]["by_space"]) == ["modulation-v3, arrays"]
    table = (runs / "out" / "conditions.md").read_text()
    assert "| tempo |" in table
    assert "| Jazz | 10 |" in table


def test_a_generator_is_moved_away_from_what_it_learns_of_its_own_clips(runs, monkeypatch, tmp_path):
    """Three instances: weights 0, 1 and 2 along one way, whose clips and copy a second start does not make again."""
    (tmp_path / "config.yaml").write_text(
        "unet: {channels: [32, 32], attention: [false, false], condition_width: 16, num_inference_steps: 1, "
        "guidance_scale: 1.0, conditions: [loudness, brightness, tempo], genres: [Jazz, Rock]}\n"
        "unet_training: {crop_frames: 64, batch_size: 4}\n"
    )
    before, moved = MusemoUNetGenerator.from_pretrained(runs / "generator"), []
    options = ("--config", str(tmp_path / "config.yaml"), "--n-steps", "1", "--updates", "3")
    for weight in ("0", "1", "2"):
        start("extrapolate_unet.py", runs, monkeypatch, *options, "--weight", weight)
        after = MusemoUNetGenerator.from_pretrained(runs / "out" / "generator")
        moved.append(after.network.position.detach() - before.network.position.detach())
    made = [path.stat().st_mtime_ns for path in (runs / "out" / "clips").rglob("*.pt")]
    assert len(made) == 2
    assert max(made) < (runs / "out" / "generator" / "config.json").stat().st_mtime_ns
    assert not moved[0].any()
    assert moved[1].any()
    torch.testing.assert_close(moved[2], 2 * moved[1], rtol=1e-3, atol=1e-6)
