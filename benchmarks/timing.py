"""Wall-clock medians, and audio to measure on."""

import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from time import perf_counter, sleep

import numpy as np
import torch

from musemo_hf.audio.decoding import read_audio

CONDITIONS = ("quiet", "beside a busy core")  # of the pairs of `quiet_and_busy`


def seconds(*functions, repeats=5, clock=perf_counter):
    """Median time of each, taken in turns so that a busy moment hits all alike; one run before warms up.

    The clock is the wall's, or `time.process_time`, for one thread on a machine that others use too. Each turn
    waits until the worker threads of the turn before it, which spin for a while after their work, sleep.
    """
    taken = [[] for _ in functions]
    for repeat in range(repeats + 1):
        for times, function in zip(taken, functions, strict=True):
            sleep(0.3)
            start = clock()
            function()
            if repeat:
                times.append(clock() - start)
    return [median(times) for times in taken]


@contextmanager
def busy_core():
    """Keep one core busy, of those that this process may use, with a process that computes all the time."""
    code = "import os\nwhile os.getppid() == " + str(os.getpid()) + ": sum(range(10**6))"  # it ends with this process
    with subprocess.Popen([sys.executable, "-c", code]) as process:
        try:
            yield process
        finally:
            process.kill()


def quiet_and_busy(*functions, **options):
    """The median times of `seconds`, first as the machine is and then beside a busy core, as one pair a function."""
    quiet = seconds(*functions, **options)
    with busy_core():
        return list(zip(quiet, seconds(*functions, **options), strict=True))


def threads():
    count = torch.get_num_threads()
    return f"{count} thread{'s' if count > 1 else ''}"


def synthesised(duration, seed=0):
    """Struck notes with overtones over a little noise, float32 at 22,050 Hz."""
    rng = np.random.default_rng(seed)
    samples = 0.002 * rng.standard_normal(round(duration * 22050))
    since = np.arange(22050) / 22050
    for start in rng.integers(0, max(1, len(samples) - 22050), int(4 * duration)):
        pitch, level = 110 * 2 ** (rng.integers(0, 36) / 12), 10 ** rng.uniform(-2.5, -0.7)
        decay = level * np.exp(-since / rng.uniform(0.1, 0.8))
        note = sum(decay / k * np.sin(2 * np.pi * k * pitch * since) for k in range(1, 9))
        samples[start : start + 22050] += note[: len(samples) - start]
    return samples.astype(np.float32)


def music(duration, count=1, deam=None):
    """`count` clips, and what they are: real songs of a DEAM folder at whatever length they have, else synthesised."""
    if deam is None:
        return [synthesised(duration, seed) for seed in range(count)], "synthesised"
    files = sorted(Path(deam).rglob("*.mp3"), key=lambda path: (len(path.stem), path.stem))[:count]
    clips = [read_audio(path, duration=duration) for path in files]
    shortest = min(map(len, clips))
    if len(clips) < count:
        raise SystemExit(f"expected at least {count} mp3 files under {deam}, found {len(clips)}")
    return [clip[:shortest] for clip in clips], "real songs"
