"""The scripts as their users start them: the real launcher, the demonstration corpus, every file of the result."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import yaml

from musemo_hf import MusemoFeatureExtractor, MusemoPipeline, MusemoViTConfig, MusemoViTForEmotionRegression
from musemo_hf.cli import main
from musemo_hf.data.demo_corpus import render_demo_corpus
from musemo_hf.models.wavegan import MusemoWaveganGenerator

ROOT = Path(__file__).parents[2]
ACCELERATE = [sys.executable, "-m", "accelerate.commands.launch", "--num_processes", "1", "--num_machines", "1"]
TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2", "--master_port", "29631"]
TINY = [
    "generator.generator_channels=8",
    "generator.group_norm_groups=1",
    "generator.discriminator_channels=4",
    "gan_training.steps=2",
    "gan_training.batch_size=4",
    "recogniser.hidden_size=16",
    "recogniser.num_hidden_layers=1",
    "recogniser.num_attention_heads=2",
    "recogniser.intermediate_size=16",
    "recogniser_training.steps=2",
    "recogniser_training.batch_size=4",
]
TINY_ABLATION = ["ablation.generator=gan", "ablation.n_folds=2", "ablation.seeds=[0]", "ablation.n_resamples=200"]


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    """Caches of their own for the scripts."""
    cache = tmp_path_factory.mktemp("cache")
    return os.environ | {
        "MUSEMO_CACHE": str(cache),
        "HF_HOME": str(cache / "hf"),
        "HF_HUB_OFFLINE": "1",
        "ACCELERATE_USE_CPU": "1",
        "OMP_NUM_THREADS": "1",
    }


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """A small demonstration corpus."""
    return render_demo_corpus(tmp_path_factory.mktemp("corpus") / "demo", n_songs=16)


def start(launcher, script, environment, *arguments):
    command = [*launcher, str(ROOT / "training" / script), *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=900)


def launch(launcher, script, environment, *arguments):
    done = start(launcher, script, environment, *arguments)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@pytest.fixture(scope="module")
def heard(tmp_path_factory):
    """Four half minutes without labels, heard by an untrained recogniser."""
    root = tmp_path_factory.mktemp("heard")
    recogniser = root / "recogniser"
    config = MusemoViTConfig(
        n_frames=64,
        patch_size=(16, 16),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
    )
    MusemoViTForEmotionRegression(config).save_pretrained(recogniser)
    MusemoFeatureExtractor(n_frames=64).save_pretrained(recogniser)
    (root / "music").mkdir()
    for seed in range(4):
        samples = 0.1 * np.random.default_rng(seed).standard_normal(30 * 22050)
        soundfile.write(root / "music" / f"{seed}.flac", samples, 22050)
    assert (
        main(["pseudo-label", str(root / "music"), str(root / "out"), "--recogniser", str(recogniser), "--hop", "10"])
        == 0
    )
    return root / "out"


def test_half_a_minute_is_learnt_from_songs_without_labels(environment, heard, tmp_path):
    config = ("--config", ROOT / "training" / "configs" / "gan_30s.yaml", "--data-dir", heard)
    launch(ACCELERATE, "train_gan.py", environment, *config, "--output-dir", tmp_path, "--set", *TINY)
    report = json.loads((tmp_path / "generator" / "report.json").read_text())
    assert report["corpus"]["name"].startswith("4 songs of music, pseudo-labels by ")
    assert report["findings"][0].startswith("The emotions of this corpus")
    song = MusemoPipeline.from_pretrained(tmp_path / "generator")(0.8, 0.7, seed=0, n_iter=1).songs[0]
    assert song.spectrogram.shape == (128, 1292)
    assert song.audio.shape == (661500,)


ARMS = "ablation.arms=[real, noise, synthetic]"


@pytest.fixture(scope="module")
def ablated(environment, corpus, tmp_path_factory):
    """The folder of an ablation by one process, and what it printed."""
    folder = tmp_path_factory.mktemp("ablated")
    arguments = ("--data-dir", corpus, "--output-dir", folder, "--set", *TINY, *TINY_ABLATION, ARMS)
    return folder, launch(ACCELERATE, "ablate.py", environment, *arguments)


def test_ablate_makes_its_report_and_a_second_start_only_reads_it(environment, corpus, ablated):
    folder, printed = ablated
    assert "gan_training:" not in printed  # the configuration is in a file
    assert "gan_training:" in (folder / "configuration.yaml").read_text()
    assert "Verdict: " in printed
    report = json.loads((folder / "report.json").read_text())
    assert {"quality_score", "ccc_real_only", "ccc_augmented", "improvement_percent", "validation"} <= set(report)
    assert 0 <= report["quality_score"] <= 100
    assert set(report["validation"]["targets"]) == {
        "normalised_frechet_below_50",
        "smoothness_above_0.7",
        "frequency_correlation_above_0.6",
        "range_within_20_percent",
    }
    assert report["ccc_real_only"] == report["arms"]["real"]["ccc"]["mean"]["value"]
    assert report["corpus"]["procedural"]
    assert "melodies in the public domain" in report["findings"][0]
    page, markdown = (folder / "report.html").read_text(), (folder / "report.md").read_text()
    sounds = re.findall(r'src="(sounds/[^"]+)"', page)
    assert len(set(sounds)) == 15  # five emotions: real, re-synthesised and generated
    assert all((folder / sound).stat().st_size > 1000 for sound in sounds)
    assert page.count("data:image/png;base64,") == 4
    assert not re.search(r'(src|href)="(?!data:|sounds/)', page)  # nothing is fetched
    assert "melodies in the public domain" in markdown
    assert "real + noise, synthetic labels" in markdown
    results = {path: path.stat().st_mtime_ns for path in folder.glob("fold*/*.json")}
    arguments = ("--data-dir", corpus, "--output-dir", folder, "--set", *TINY, *TINY_ABLATION, ARMS)
    launch(ACCELERATE, "ablate.py", environment, *arguments)
    assert results == {path: path.stat().st_mtime_ns for path in results}
    assert json.loads((folder / "report.json").read_text())["arms"] == report["arms"]


def test_a_failed_task_is_named_others_go_on_and_the_exit_status_says_so(environment, corpus, ablated, tmp_path):
    folder = shutil.copytree(ablated[0], tmp_path / "copy")
    for name in ("noise", "synthetic"):
        (folder / f"fold0/{name}-seed0.json").unlink()
    shutil.rmtree(folder / "fold0/noise-seed0")
    (folder / "fold0/noise-seed0").touch()  # in the way of the folder that the training needs
    arguments = ("--data-dir", corpus, "--output-dir", folder, "--jobs", "2", "--set", *TINY, *TINY_ABLATION, ARMS)
    done = start(ACCELERATE, "ablate.py", environment, *arguments)
    assert done.returncode == 1
    assert "fold0/noise-seed0 failed: " in done.stderr
    assert json.loads((folder / "report.json").read_text())["missing"] == ["fold0/noise-seed0"]
    made, before = (json.loads((run / "fold0/synthetic-seed0.json").read_text()) for run in (folder, ablated[0]))
    assert made["predictions"] == before["predictions"]  # by a worker process


def test_ablate_on_ray_reports_what_one_process_does(environment, corpus, ablated, tmp_path):
    loopback = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0", "RAY_AUTH_MODE": "disabled"}  # a sandbox may have no network
    arguments = ("--data-dir", corpus, "--output-dir", tmp_path, "--engine", "ray")
    launch(ACCELERATE, "ablate.py", environment | loopback, *arguments, "--set", *TINY, *TINY_ABLATION, ARMS)
    assert figures(tmp_path) == figures(ablated[0])


def figures(folder):
    """All of a report but its command and wall-clock times, as text."""
    report = json.loads((folder / "report.json").read_text(), object_hook=lambda value: dict(value, seconds=0))
    return json.dumps(report | {"command": ""})


@pytest.mark.slow
def test_two_processes_share_the_tasks_and_report_what_one_does(environment, corpus, ablated, tmp_path):
    arguments = ("--data-dir", corpus, "--output-dir", tmp_path, "--set", *TINY, *TINY_ABLATION, ARMS)
    launch(TORCHRUN, "ablate.py", environment, *arguments)
    assert figures(tmp_path) == figures(ablated[0])


def test_the_published_protocol_runs_at_reduced_steps(environment, corpus, tmp_path):
    config = yaml.safe_load((ROOT / "training/configs/published.yaml").read_text())
    assert config["ablation"]["protocol"] == "random"
    assert round(1395 * config["ablation"]["synthetic_share"]) == 3200
    reduced = ["gan_training.epochs=0.5", "recogniser_training.epochs=0.5"]
    arguments = ("--config", ROOT / "training/configs/published.yaml", "--data-dir", corpus, "--output-dir", tmp_path)
    launch(ACCELERATE, "ablate.py", environment, *arguments, "--set", *TINY, *reduced, "ablation.n_resamples=100")
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["corpus"]["splits"]["random"] == {"train": 13, "test": 1} or report["corpus"]["n_tested"] >= 1
    real, augmented = (report["arms"][arm]["exposures"] for arm in ("real", "synthetic"))
    assert augmented["steps"] > 2 * real["steps"]  # equal epochs are not equal updates


def test_train_gan_and_train_regressor_make_what_from_pretrained_loads(environment, corpus, tmp_path):
    from musemo_hf import MusemoGanDiscriminator, MusemoPipeline, MusemoViTForEmotionRegression

    launch(
        ACCELERATE, "train_gan.py", environment, "--data-dir", corpus, "--output-dir", tmp_path / "gan", "--set", *TINY
    )
    song = MusemoPipeline.from_pretrained(tmp_path / "gan/generator")(valence=0.8, arousal=0.7, seed=0)
    assert song.audio.shape == (220_500,)
    MusemoGanDiscriminator.from_pretrained(tmp_path / "gan/generator/discriminator")
    lines = [json.loads(line) for line in (tmp_path / "gan/gan.jsonl").read_text().splitlines()]
    assert {"discriminator_loss", "generator_loss", "accuracy", "kid"} <= set(lines[-1])
    arguments = ("--data-dir", corpus, "--output-dir", tmp_path / "regressor", "--hold-out", "0", "--set", *TINY)
    printed = launch(ACCELERATE, "train_regressor.py", environment, *arguments)
    report = json.loads((tmp_path / "regressor/recogniser/report.json").read_text())
    assert f"CCC {report['recogniser']['ccc_mean']:.3f} (" in printed
    assert report["budget"] == "demo"
    assert "train_regressor.py" in report["command"]
    MusemoViTForEmotionRegression.from_pretrained(tmp_path / "regressor/recogniser")


@pytest.mark.slow
def test_train_gan_in_two_processes_trains_one_model(environment, corpus, tmp_path):
    printed = launch(
        TORCHRUN, "train_gan.py", environment, "--data-dir", corpus, "--output-dir", tmp_path, "--set", *TINY
    )
    assert printed.count("gan_training:") == 1
    assert (tmp_path / "generator/model.safetensors").is_file()


@pytest.mark.slow
def test_a_vocoder_is_trained_resumed_and_plays(corpus, environment, tmp_path):
    tiny = ["vocoder.channels=16", "vocoder_training.batch_size=2", "vocoder_training.seconds=null"]
    tiny += ["vocoder_training.discriminator_channels=2", "vocoder_training.checkpoint_every=1"]
    run = ["--data-dir", corpus, "--hold-out", 0, 1, "--output-dir", tmp_path / "run"]
    for steps in (2, 2):  # the second finds it finished
        made = start(
            ACCELERATE, "train_vocoder.py", environment, *run, "--set", *tiny, f"vocoder_training.steps={steps}"
        )
        assert made.returncode == 0, made.stderr
        assert f"vocoder: {tmp_path / 'run/vocoder'}" in made.stdout
    assert (
        main(
            [
                "generate",
                "--preset",
                "happy",
                "--vocoder",
                str(tmp_path / "run/vocoder"),
                "--output",
                str(tmp_path / "happy.wav"),
            ]
        )
        == 0
    )
    assert soundfile.info(tmp_path / "happy.wav").duration == pytest.approx(10)


@pytest.mark.slow
def test_a_wavegan_is_trained_resumed_and_sounds(corpus, environment, tmp_path):
    tiny = ["wavegan.channels=1", "wavegan_training.batch_size=2", "wavegan_training.seconds=null"]
    tiny += ["wavegan_training.discriminator_channels=2", "wavegan_training.checkpoint_every=1"]
    run = ["--data-dir", corpus, "--hold-out", 0, "--output-dir", tmp_path / "run"]
    for steps in (2, 2):  # the second finds it finished
        made = start(
            ACCELERATE, "train_wavegan.py", environment, *run, "--set", *tiny, f"wavegan_training.steps={steps}"
        )
        assert made.returncode == 0, made.stderr
        assert f"generator: {tmp_path / 'run/generator'}" in made.stdout
    generator = MusemoWaveganGenerator.from_pretrained(tmp_path / "run/generator")
    assert generator.generate_audio([[0.5, 0.5]], seed=0).shape == (1, 220500)
