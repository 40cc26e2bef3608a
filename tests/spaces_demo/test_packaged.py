"""The page with the packaged recogniser, as it is served where nothing is configured."""

import json
import os
import subprocess
import sys
from pathlib import Path

SPACE = Path(__file__).parents[2] / "spaces_demo"
SECONDS = (4, 10, 25)
PROGRAM = f"""
import json
import numpy as np
from listening import recognise, rebuilt_sounds
answers = []
for seconds in {SECONDS}:
    samples = np.random.default_rng(0).uniform(-0.3, 0.3, seconds * 22050).astype(np.float32)
    emotion = recognise(samples).emotion
    n_sounds = len(rebuilt_sounds(samples, "noise.wav"))
    answers.append([len(emotion), float(emotion.min()), float(emotion.max()), n_sounds])
print(json.dumps(answers))
"""


def test_songs_of_any_length_are_recognised_in_a_fresh_process():
    """Nothing that a test has imported decides which recogniser and which feature extractor answer."""
    names = ("MUSEMO_RECOGNISER", "MUSEMO_GENERATOR")
    environment = {name: value for name, value in os.environ.items() if name not in names} | {"HF_HUB_OFFLINE": "1"}
    command = [sys.executable, "-c", PROGRAM]
    done = subprocess.run(command, cwd=SPACE, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    answers = json.loads(done.stdout.splitlines()[-1])
    assert [n_windows for n_windows, *_ in answers] == [1, 1, 4]
    for _, low, high, n_sounds in answers:
        assert -1 <= low <= high <= 1
        assert n_sounds == 2
