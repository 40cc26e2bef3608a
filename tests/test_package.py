"""The package imports lazily: nothing heavy, no network, and every public name is there."""

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

import musemo_hf

ROOT = Path(__file__).resolve().parents[1]
# runs in a fresh interpreter; the socket module is replaced before the import, so that any use of it fails
FRESH = """
import json, socket, sys

def refuse(*arguments, **keywords):
    raise AssertionError("a socket was opened")

socket.socket.__init__ = refuse
socket.getaddrinfo = refuse
import musemo_hf
listed = dir(musemo_hf)
heavy = ("torch", "transformers", "diffusers", "datasets", "evaluate", "librosa", "accelerate", "numpy", "gradio")
print(json.dumps({"loaded": [name for name in heavy if name in sys.modules], "listed": listed}))
"""


def fresh(script):
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout


def test_importing_loads_nothing_heavy_and_opens_no_socket():
    found = json.loads(fresh(FRESH))
    assert found["loaded"] == []
    assert set(musemo_hf.__all__) <= set(found["listed"])


@pytest.mark.parametrize("name", musemo_hf.__all__)
def test_every_public_name_resolves(name):
    assert getattr(musemo_hf, name) is not None
    assert name in dir(musemo_hf)


def test_the_contract_is_exported():
    contract = {
        "MusemoFeatureExtractor",
        "DeamSpectrograms",
        "MusemoGanConfig",
        "MusemoGanGenerator",
        "MusemoGanDiscriminator",
        "MusemoViTConfig",
        "MusemoViTForEmotionRegression",
        "MusemoPipeline",
        "metric_path",
        "embedded_checkpoint",
    }
    assert contract <= set(musemo_hf.__all__)


def test_a_model_loads_without_the_training_libraries():
    script = (
        "import sys, json; from musemo_hf import MusemoGanGenerator, MusemoViTForEmotionRegression; "
        "print(json.dumps([n for n in ('accelerate', 'datasets', 'evaluate', 'diffusers', 'musemo_hf.training') "
        "if n in sys.modules]))"
    )
    loaded = json.loads(fresh(script))
    assert "datasets" not in loaded
    assert "evaluate" not in loaded
    assert "musemo_hf.training" not in loaded


def test_an_unknown_name_is_an_attribute_error_that_lists_the_names():
    with pytest.raises(AttributeError, match=r"no attribute 'MusemoGanGenrator'; it exports .*MusemoGanGenerator"):
        _ = musemo_hf.MusemoGanGenrator


def test_an_unknown_checkpoint_is_named():
    with pytest.raises(ValueError, match=r"expected one of the packaged checkpoints .*, got 'drummer'"):
        musemo_hf.embedded_checkpoint("drummer")


def test_the_version_is_the_same_everywhere():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    changes = re.search(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert project["version"] == citation["version"] == changes[1] == musemo_hf.__version__
    assert citation["license"] == project["license"]


def test_the_citation_names_no_one_but_the_placeholder_of_the_release_checklist():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert {"cff-version", "message", "title", "authors"} <= set(citation)
    checklist = (ROOT / "docs" / "release-checklist.md").read_text(encoding="utf-8")
    for author in citation["authors"]:
        assert f'"{author["name"]}"' in checklist
