"""The script that makes the pictures of the README films the real Space, and draws the presets."""

import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageSequence

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
def test_the_pictures_are_made_again(tmp_path):
    subprocess.run([sys.executable, ROOT / "docs" / "make_pictures.py", "--output-dir", tmp_path], check=True)
    with Image.open(tmp_path / "space.webp") as film:
        shots = [np.asarray(shot.convert("L"), dtype=float) for shot in ImageSequence.Iterator(film)]
    assert len(shots) == 18
    changes = [np.abs(after - before).mean() for before, after in pairwise(shots)]
    assert min(changes) > 0.01, "a picture is like the one before: the player did not move"
    with Image.open(tmp_path / "presets.png") as made, Image.open(ROOT / "docs" / "presets.png") as stored:
        assert made.size == stored.size
