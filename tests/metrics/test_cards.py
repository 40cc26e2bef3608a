import doctest
import importlib.util
import json
import re
from pathlib import Path

import gradio as gr
import numpy as np
import pytest
import yaml

from musemo_hf.metrics import METRICS, metric_path


@pytest.mark.parametrize("name", METRICS)
def test_the_cards_examples_are_true(name):
    results = doctest.testfile(str(Path(metric_path(name)) / "README.md"), module_relative=False, encoding="utf-8")
    assert results.attempted > 5
    assert results.failed == 0


@pytest.mark.parametrize("name", METRICS)
def test_a_folder_is_ready_to_be_a_space(name):
    folder = Path(metric_path(name))
    header = yaml.safe_load((folder / "README.md").read_text(encoding="utf-8").split("---")[1])
    assert (header["sdk"], header["app_file"], header["license"]) == ("gradio", "app.py", "apache-2.0")
    assert {"evaluate", "metric"} <= set(header["tags"])
    required = {re.split(r"[<>=]", line)[0] for line in (folder / "requirements.txt").read_text().splitlines()}
    # threads of BLAS are limited, and detectability is a logistic regression
    more = {"threadpoolctl", "scikit-learn"} if name == "spectrogram_quality" else set()
    assert required == {"datasets", "evaluate", "numpy", "scipy"} | more


@pytest.mark.parametrize("name", METRICS)
def test_the_card_names_every_figure(name):
    """A figure that the metric answers and the card does not explain is one that nobody can read."""
    text = (Path(metric_path(name)) / "README.md").read_text(encoding="utf-8")
    app = _app(name)
    if name == "concordance_correlation":
        answered = app.metric.compute(predictions=[0.1, 0.2, 0.4], references=[0.1, 0.3, 0.3])
    else:
        clips = np.cumsum(np.random.default_rng(0).standard_normal((12, 128, 256)), axis=2)
        answered = app.evaluate.load(metric_path(name)).compute(predictions=clips, references=clips, ladder=False)
    explained = set(re.findall(r"`([a-z_0-9]+)`", text))
    assert {figure for figure in answered if not figure.endswith("_n")} <= explained


def _app(name):
    spec = importlib.util.spec_from_file_location(f"{name}_app", Path(metric_path(name)) / "app.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_of_concordance_answers():
    app = _app("concordance_correlation")
    answer = app.agreement(*app.EXAMPLE)
    assert len(answer["ccc"]) == 2
    json.dumps(answer, allow_nan=False)
    assert app.agreement("0.1\n0.2\n0.5", "0.2, \n0.1\n0.6")["n"] == 3
    with pytest.raises(gr.Error, match="Mismatch"):
        app.agreement("0.1\n0.2", "0.1")


def test_the_page_of_quality_answers(tmp_path):
    app = _app("spectrogram_quality")
    clips = np.cumsum(np.random.default_rng(0).standard_normal((24, 128, 256)), axis=2).astype(np.float32)
    paths = [str(tmp_path / name) for name in ("real.npy", "fake.npy")]
    for path, half in zip(paths, (clips[:12], clips[12:]), strict=True):
        np.save(path, half)
    figures, ladder, notes = app.report(*paths)
    assert ["YOUR PREDICTIONS", float(dict(figures)["quality_score"])] == [
        next(name for name, _ in ladder if name.isupper()),
        pytest.approx(next(score for name, score in ladder if name.isupper()), abs=0.06),
    ]
    assert "skill" in notes
    with pytest.raises(gr.Error, match=r"two \.npy files"):
        app.report(paths[0], None)
