"""The code blocks of the README and of the pages run from top to bottom, each page in a namespace of its own.

A block under `<!-- not run: reason -->` is only parsed, and so are the scripts of `training/`, whose arguments and
configurations are checked by the scripts' own parsers. Pages of results need data and hours, and are parsed as a whole.
"""

import argparse
import importlib.util
import re
import runpy
import shlex
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

import datasets
import matplotlib
import numpy as np
import pytest
import soundfile

from musemo_hf import embedded_checkpoint
from musemo_hf.cli import build_parser, main
from musemo_hf.data.demo_corpus import render_demo_corpus
from musemo_hf.evaluation.spaces import embedders
from musemo_hf.training.configuration import load_configuration

ROOT = Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"(<!-- not run: [^>]+ -->\s*)?^```(python|bash)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
PAGES = [f"docs/{path.parent.name}/{path.name}" for path in sorted((ROOT / "docs").glob("*/*.md"))]
RUN = ["README.md", *(page for page in PAGES if page.startswith(("docs/tutorials/", "docs/how-to/")))]
READ = ["docs/cluster.md", *(page for page in PAGES if page.startswith("docs/results/"))]
OF_THE_SYSTEM = {"export", "ray", "srun", "sleep", "head", "hf"}  # commands that are not ours to check


@dataclass(frozen=True)
class Block:
    """A block of code of a page."""

    language: str
    code: str
    runs: bool

    def commands(self) -> list[list[str]]:
        """The words of each command of a shell block, without comments and assignments before the command."""
        lines = self.code.replace("\\\n", " ").splitlines()
        words = [shlex.split(line, comments=True) for line in lines]
        return [line for line in ([w for w in words_ if not re.fullmatch(r"\w+=\S*", w)] for words_ in words) if line]


def blocks(page: str) -> list[Block]:
    found = BLOCK.findall((ROOT / page).read_text(encoding="utf-8"))
    return [Block(language, code, not mark) for mark, language, code in found]


@pytest.fixture(scope="module")
def materials(tmp_path_factory):
    """What the pages take for granted: a song, a folder of songs, DEAM (the demonstration corpus), a trained run."""
    folder = tmp_path_factory.mktemp("materials")
    (folder / "music").mkdir()
    rng = np.random.default_rng(0)
    for name, seconds in (("song.mp3", 12), ("music/one.wav", 10.5), ("music/two.wav", 10.5), ("music/three.wav", 11)):
        time = np.arange(round(22050 * seconds)) / 22050
        chord = sum(np.sin(2 * np.pi * hertz * time) for hertz in rng.uniform(100, 900, 4))
        beat = np.exp(-6 * (time * rng.uniform(1, 3) % 1))
        soundfile.write(folder / name, 0.1 * chord * beat + 0.003 * rng.standard_normal(len(time)), 22050)
    render_demo_corpus(folder / "DEAM", n_songs=12)
    (folder / "runs" / "mine").mkdir(parents=True)
    (folder / "runs" / "mine" / "generator").symlink_to(embedded_checkpoint("flow"))
    return folder


@pytest.fixture
def place(materials, tmp_path, monkeypatch):
    """An empty folder with the materials where a page runs, without network; what it registers is gone afterwards."""
    for part in materials.iterdir():
        (tmp_path / part.name).symlink_to(part)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.delenv("MUSEMO_PRETRAINED", raising=False)
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(embedders, "_REGISTRY", dict(embedders._REGISTRY))
    matplotlib.use("agg")
    return tmp_path


@pytest.mark.parametrize("page", [page for page in RUN if blocks(page)])
def test_a_page_runs_from_top_to_bottom(page, place, monkeypatch):
    namespace = {"__name__": "__main__"}
    for block in blocks(page):
        if block.language == "python":
            code = compile(block.code, page, "exec")
            if block.runs:
                exec(code, namespace)
            continue
        for words in block.commands():
            check_command(words, monkeypatch)
            if words[0] == "musemo" and block.runs:
                assert main(words[1:]) == 0, shlex.join(words)


@pytest.mark.parametrize("page", [page for page in READ if blocks(page)])
def test_the_commands_of_a_page_exist(page, monkeypatch):
    for block in blocks(page):
        if block.language == "python":
            compile(block.code, page, "exec")
            continue
        for words in block.commands():
            check_command(words, monkeypatch)


def check_command(words: list[str], monkeypatch) -> None:
    """Fail where a command, its script, its arguments, its configuration or its settings do not exist."""
    scripts = [index for index, word in enumerate(words) if word.startswith("training/")]
    if words[0] == "musemo":
        build_parser().parse_args(words[1:])
    elif scripts:
        check_script(words[scripts[0]], words[scripts[0] + 1 :], monkeypatch)
    elif words[:2] == ["python", "-m"]:
        monkeypatch.syspath_prepend(str(ROOT))
        assert importlib.util.find_spec(words[2]), shlex.join(words)
    elif words[0] == "make":
        targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
        assert {word for word in words[1:] if "=" not in word} <= set(targets), shlex.join(
            words
        )  # others are variables
    elif words[0] == "pip":
        extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"][
            "optional-dependencies"
        ]
        assert set(re.findall(r"\[([\w,]+)\]", words[-1])) <= set(extras), shlex.join(words)
    else:
        assert words[0].split("=")[0] in OF_THE_SYSTEM, f"expected a command that is known, got {shlex.join(words)}"


class ParsedError(Exception):
    """Ends a script where its arguments are parsed."""


def check_script(script: str, arguments: list[str], monkeypatch) -> None:
    parse = argparse.ArgumentParser.parse_known_args
    parsed = {}

    def stop(self, args=None, namespace=None):
        values, unknown = parse(self, args, namespace)
        if unknown:
            self.error(f"unrecognized arguments: {shlex.join(unknown)}")
        parsed.update(vars(values))
        raise ParsedError

    def stop_with_others(self, args=None, namespace=None):
        parsed.update(vars(parse(self, args, namespace)[0]))
        raise ParsedError

    with monkeypatch.context() as patch:
        patch.setattr(sys, "argv", [script, *arguments])
        patch.setattr(argparse.ArgumentParser, "parse_args", stop)
        patch.setattr(argparse.ArgumentParser, "parse_known_args", stop_with_others)
        with pytest.raises(ParsedError):
            runpy.run_path(str(ROOT / script), run_name="__main__")
    config = parsed.get("config")
    assert config is None or (ROOT / config).is_file(), f"{script}: expected a configuration, found none at {config}"
    if config is not None and script != "training/study.py":  # a study has sections of its own
        load_configuration(ROOT / config, parsed.get("set", []))
