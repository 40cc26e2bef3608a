"""The documentation site is built without a warning, and loads nothing from other servers."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LOADED = re.compile(r"""<(?:script|img|iframe|audio|source|link)\b[^>]*?\b(?:src|href)=["']?(https?:)?//""")


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """The site; `--strict` fails on a broken link or anchor, and on a name of the reference that does not exist."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr
    return folder


def test_every_page_is_there(site):
    pages = {path.relative_to(site).as_posix() for path in site.rglob("*.html")}
    sources = {path.relative_to(ROOT / "docs").with_suffix(".html").as_posix() for path in ROOT.glob("docs/**/*.md")}
    assert sources < pages
    assert {"index.html", "contributing.html", "security.html", "changelog.html"} < pages
    assert not list(site.rglob("*.py"))


def test_pages_load_nothing_from_other_servers(site):
    for path in site.rglob("*.html"):
        found = LOADED.search(path.read_text(encoding="utf-8"))
        assert found is None, f"{path.name}: {found[0]}"
    assert "url(http" not in "".join(path.read_text(encoding="utf-8") for path in site.rglob("*.css"))


def test_the_reference_is_made_of_docstrings_and_of_the_commands_help(site):
    pipelines = (site / "reference" / "pipelines.html").read_text(encoding="utf-8")
    assert "Turns valence and arousal into music" in pipelines
    assert 'id="musemo_hf.pipelines.song.Song.save"' in pipelines
    commands = (site / "reference" / "commands.html").read_text(encoding="utf-8")
    assert 'id="musemo-generate"' in commands
    assert "--num-inference-steps N" in commands
    metrics = (site / "reference" / "metrics.html").read_text(encoding="utf-8")
    assert 'id="spectrogram-quality"' in metrics


def test_links_of_the_readme_lead_to_pages_of_the_site(site):
    start = (site / "index.html").read_text(encoding="utf-8")
    assert 'href="tutorials/fine-tune.html"' in start
    assert 'src="space.webp"' in start
    assert (site / "space.webp").stat().st_size < 1_500_000
    assert 'href="docs/' not in start
