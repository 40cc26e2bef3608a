"""The study as its users start it, by two processes that share the tasks."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from musemo_hf.data.demo_corpus import render_demo_corpus

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
    command += ["--data-dir", str(corpus), "--output-dir", str(tmp_path / "study")]
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
