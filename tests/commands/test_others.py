"""`musemo demo`, `musemo audit-labels` and `musemo push`: what the commands add to the functions behind them."""

import json
import subprocess
import sys

import numpy as np
import pytest

APP = """\
import json, os, sys
from pathlib import Path
import helper
names = ("MUSEMO_GENERATOR", "MUSEMO_RECOGNISER", "GRADIO_SERVER_NAME", "GRADIO_SERVER_PORT")
seen = {name: os.environ.get(name) for name in names}
seen |= {"torch": "torch" in sys.modules, "process": os.getpid()}
Path(__file__).with_name("seen.json").write_text(json.dumps(seen))
sys.exit(3)
"""


def test_the_demo_becomes_the_page(tmp_path, monkeypatch):
    for name in ("MUSEMO_RECOGNISER", "GRADIO_SERVER_NAME"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "app.py").write_text(APP)
    (tmp_path / "helper.py").write_text("")
    arguments = ["demo", "--folder", str(tmp_path), "--port", "7999", "--generator", "a/b"]
    process = subprocess.Popen([sys.executable, "-m", "musemo_hf.cli", *arguments])
    assert process.wait() == 3  # the page's own
    assert json.loads((tmp_path / "seen.json").read_text()) == {
        "MUSEMO_GENERATOR": "a/b",
        "MUSEMO_RECOGNISER": None,
        "GRADIO_SERVER_NAME": None,
        "GRADIO_SERVER_PORT": "7999",
        "torch": False,
        "process": process.pid,  # whoever ends the command ends the page
    }


def test_a_demo_without_its_page_says_where_it_is(musemo, tmp_path):
    status, _, err = musemo("demo", "--folder", tmp_path)
    assert status == 1
    assert f"expected the folder of a Space with app.py as --folder, found none in {tmp_path}" in err


@pytest.fixture
def deam(tmp_path, make_song):
    """60 songs of ten seconds, half of them of 2013, in DEAM's flat layout."""
    rng = np.random.default_rng(0)
    songs = [*range(2, 32), *range(1002, 1032)]
    labels = ["song_id, valence_mean, valence_std, arousal_mean, arousal_std"]
    for song in songs:
        make_song(f"DEAM/MEMD_audio/{song}.mp3", 10.1, song, rate=8000)
        valence, arousal = rng.uniform(2, 8, 2).round(1)
        labels.append(f"{song},{valence},1.0,{arousal},1.0")
    for folder, name, lines in (
        ("annotations", "static_annotations_averaged_songs_1_2000.csv", labels),
        ("annotations", "static_annotations_averaged_songs_2000_2058.csv", labels[:1]),
        ("metadata", "metadata_2015.csv", ["song_id,artist,title,Genre"]),
        ("metadata", "metadata_2013.csv", ["song_id,artist,title,Genre", *(f"{s},A{s},T,Pop" for s in songs[:30])]),
        ("metadata", "metadata_2014.csv", ["song_id,artist,title,Genre", *(f"{s},A{s},T,Pop" for s in songs[30:])]),
    ):
        path = tmp_path / "DEAM" / folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("\n".join(lines) + "\n")
    return tmp_path / "DEAM"


def test_the_audit_writes_page_and_picture(musemo, deam, tmp_path):
    status, out, err = musemo("audit-labels", deam, "--cache-dir", tmp_path / "cache", "--output", tmp_path / "docs")
    assert status == 0, err
    lines = out.splitlines()
    assert lines[0] == "30 songs of 2013, 30 of 2014-15, 60 artists"
    assert lines[-1] == f"page: {tmp_path / 'docs' / 'deam-labels.md'}"
    assert "30 of them here" in (tmp_path / "docs" / "deam-labels.md").read_text()
    assert (tmp_path / "docs" / "deam-labels.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("missing", ["DEAM", "emomusic"])
def test_an_audit_without_its_files(musemo, tmp_path, missing):
    (tmp_path / ({"DEAM", "emomusic"} - {missing}).pop()).mkdir()
    status, _, err = musemo("audit-labels", tmp_path / "DEAM", "--emomusic", tmp_path / "emomusic")
    assert (status, err) == (1, f"musemo audit-labels: expected a folder, found none at {tmp_path / missing}\n")


def test_push_says_what_it_needs(musemo):
    status, _, err = musemo("push", "dataset", "user/deam")
    assert status == 1
    assert err == "musemo push: expected the folder of DEAM, as in --data DEAM, got none\n"


@pytest.mark.parametrize(
    ("arguments", "wrong"),
    [
        (["metric", "ana/spectrogram_quality", "--report", "r.json"], "--report with metric"),
        (["recogniser", "ana/r", "--no-sample"], "--no-sample with recogniser"),
        (["dataset", "ana/deam", "--checkpoint", "flow"], "--checkpoint with dataset"),
        (["space", "ana/space", "--labels", "corrected", "--data", "DEAM"], "--data or --labels with space"),
    ],
)
def test_an_option_of_another_kind_of_push_is_refused(musemo, arguments, wrong):
    status, out, err = musemo("push", *arguments)
    assert (status, out) == (1, "")
    assert err == f"musemo push: expected no {wrong}, which has no use for it\n"


@pytest.mark.parametrize(
    ("kind", "given"), [("recogniser", "flow"), ("generator", "recogniser"), ("pipeline", "ana/x")]
)
def test_what_is_pushed_is_of_its_kind_and_of_this_machine(musemo, kind, given):
    status, _, err = musemo("push", kind, "ana/model", "--checkpoint", given)
    assert status == 1
    assert f"expected a {kind.replace('pipeline', 'generator')}" in err or "expected the folder of a generator" in err
