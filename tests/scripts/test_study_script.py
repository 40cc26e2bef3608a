"""The study as its users start it: by one process with and without sound, and by two that share the tasks."""

import json
import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from musemo_hf.data.demo_corpus import render_demo_corpus
from musemo_hf.data.pack import write_pack

ROOT = Path(__file__).parents[2]
TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2", "--master_port", "29637"]
TINY = """
study: {n_clips: 12, n_resamples: 10, sampling_steps: [1, 2], budget: tiny}
generator: {generator_channels: 8, group_norm_groups: 1, discriminator_channels: 4}
gan_training: {steps: 2, batch_size: 4}
flow: {n_components: 8, width: 24, depth: 1, n_heads: 2}
flow_training: {batch_size: 4}
recogniser: {hidden_size: 16, num_hidden_layers: 1, num_attention_heads: 2, intermediate_size: 16}
recogniser_training: {steps: 2, batch_size: 4}
variants:
  enhanced: {}
  minus attention: {generator: {attention_stage: -1}}
  plus cycle: {gan_training: {cycle_weight: 1.0, recogniser: teacher}}
  flow: {kind: flow}
"""


@pytest.mark.slow
def test_two_processes_make_one_table(tmp_path):
    corpus = render_demo_corpus(tmp_path / "demo", n_songs=110)
    (tmp_path / "tiny.yaml").write_text(TINY)
    environment = os.environ | {
        "MUSEMO_CACHE": str(tmp_path / "cache"),
        "HF_HOME": str(tmp_path / "cache/hf"),
        "HF_HUB_OFFLINE": "1",
        "ACCELERATE_USE_CPU": "1",
        "OMP_NUM_THREADS": "1",
    }
    command = [*TORCHRUN, str(ROOT / "training/study.py"), "--config", str(tmp_path / "tiny.yaml")]
    command += ["--data-dir", str(corpus), "--output-dir", str(tmp_path / "study"), "--no-sound"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr[-3000:]
    report = json.loads((tmp_path / "study/report.json").read_text())
    labels = [row["label"] for row in report["rows"]]
    assert labels == ["enhanced", "minus attention", "plus cycle", "flow, 1 steps", "flow, 2 steps"]
    assert not report["missing"]
    assert "do not show how people hear recorded music" in report["findings"][0]
    page = (tmp_path / "study/report.html").read_text()
    assert page.count("data:image/png;base64,") >= 3
    assert not re.search(r'(src|href)="(?!data:)', page)  # it stands alone
    assert "| minus attention | 0 |" in (tmp_path / "study/report.md").read_text()


SMALLEST = ["variants.enhanced={}", "study.n_clips=6", "study.n_resamples=10", "recogniser.patch_size=[16,16]"]


@pytest.fixture
def study(tmp_path, small_songs, monkeypatch):
    """`study(*options)`: runs the script on a pack of small songs, and returns its exit status and its report."""
    write_pack(tmp_path / "songs.safetensors", small_songs(np.arange(24) // 2 % 2, 256), "excerpt_10s", "corrected")
    (tmp_path / "tiny.yaml").write_text(TINY[: TINY.index("variants:")])
    monkeypatch.chdir(tmp_path)

    def run(*options):
        arguments = ["--config", "tiny.yaml", "--data-dir", "songs.safetensors", "--output-dir", "study"]
        monkeypatch.setattr("sys.argv", ["training/study.py", *arguments, "--set", *SMALLEST, *options])
        with pytest.raises(SystemExit) as ended:
            runpy.run_path(str(ROOT / "training/study.py"), run_name="__main__")
        path = tmp_path / "study/report.json"
        return ended.value.code, json.loads(path.read_text()) if path.is_file() else None

    return run


def without_yamnet(monkeypatch, folder):
    from musemo_hf.evaluation.spaces import embedders
    from musemo_hf.pipelines.embedders.yamnet import NAME, load_yamnet

    load_yamnet.cache_clear()
    monkeypatch.delitem(embedders._REGISTRY, NAME, raising=False)
    monkeypatch.setenv("MUSEMO_PRETRAINED", str(folder))


def test_without_yamnet_the_error_names_both_ways_and_nothing_begins(study, monkeypatch, tmp_path):
    without_yamnet(monkeypatch, tmp_path)
    message, report = study()
    assert report is None
    assert message.count("\n") == 0
    assert "YAMNet: expected the file" in message
    assert "let MUSEMO_PRETRAINED name a folder" in message
    assert message.endswith("--no-sound")
    assert not (tmp_path / "study").exists()


def test_no_sound_and_report_only_need_no_yamnet(study, monkeypatch, tmp_path):
    without_yamnet(monkeypatch, tmp_path)
    assert study("--report-only")[1]["missing"] == ["enhanced, seed 0"]
    assert not (tmp_path / "study/judge").exists()
    code, report = study("--no-sound")
    assert (code, report["missing"], report["missing_sound"]) == (0, [], ["enhanced, seed 0"])
    assert report["sound"] is None
    assert report["command"].endswith("--no-sound")
    code, again = study("--report-only")
    assert (code, again["rows"]) == (0, report["rows"])


@pytest.mark.pretrained
def test_yamnet_hears_a_study_that_was_made_without_sound(study, monkeypatch, pretrained_dir):
    monkeypatch.setenv("MUSEMO_PRETRAINED", str(pretrained_dir))
    silent = study("--no-sound")[1]
    code, report = study()
    assert code == 0
    assert report["rows"][0]["steps"] == silent["rows"][0]["steps"]
    assert report["rows"][0]["figures"]["quality_score"] == silent["rows"][0]["figures"]["quality_score"]
    assert report["sound"]["embedder"] == "yamnet-v1"
    assert report["sound"]["n"] == {"reference": 12, "held_out": 12, "candidate": 6}
    assert 0 <= report["rows"][0]["figures"]["external_coverage"]["value"] <= 1
    assert report["missing_sound"] == []
    assert study("--report-only")[1]["rows"] == report["rows"]
