"""A metric and what it needs of the evaluation, as files of one folder."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest
from evaluate.loading import get_imports

from musemo_hf.hub.metric import flatten, push_metric
from musemo_hf.metrics import METRICS, metric_path


@pytest.mark.parametrize("name", METRICS)
def test_evaluate_finds_every_file_in_the_script_alone(name, tmp_path):
    files = flatten(Path(metric_path(name), f"{name}.py"))
    for path, text in files.items():
        (tmp_path / path).write_text(text)
    found = {entry[1] for entry in get_imports(str(tmp_path / f"{name}.py")) if entry[0] == "internal"}
    assert {f"{module}.py" for module in found} | {f"{name}.py"} == set(files)
    assert "musemo_hf" not in "".join(line for line in "\n".join(files.values()).splitlines() if "import" in line)


def test_a_file_that_only_another_needs_is_named_too(tmp_path):
    script = tmp_path / "mine.py"
    script.write_text(
        "import datasets\nfrom musemo_hf.evaluation.statistics.concordance import concordance_report  # noqa\n\nX = 1\n"
    )
    text = flatten(script)["mine.py"]
    assert "from .concordance import concordance_report\n" in text, "evaluate takes a comment for an address"
    assert "from .bootstrap import __name__ as _bootstrap\n" in text
    assert ast.parse(text)
    script.write_text(text)
    kinds = {entry[:2] for entry in get_imports(str(script))}
    assert {("internal", "bootstrap"), ("internal", "concordance")} <= kinds
    assert not [kind for kind in kinds if kind[0] == "external"]


@pytest.mark.parametrize("line", ["from musemo_hf.audio.mel import log_mel", "import musemo_hf.evaluation.frechet"])
def test_a_metric_that_needs_more_than_the_evaluation_is_refused(line, tmp_path):
    script = tmp_path / "mine.py"
    script.write_text(f"{line}\n")
    with pytest.raises(ValueError, match=r"mine\.py:1: expected"):
        flatten(script)


@pytest.mark.parametrize(("repo", "metric"), [("ana/my_quality", "spectrogram_quality"), ("ana/none", None)])
def test_a_repository_must_have_the_metrics_name(repo, metric):
    with pytest.raises(ValueError, match="expected a"):
        push_metric(repo, metric)


def test_pushing_is_imported_without_torch():
    code = (
        "import sys, musemo_hf.hub, musemo_hf.hub.transfer, musemo_hf.commands.push; sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
