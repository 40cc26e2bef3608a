"""The headroom of generated audio, and what saving costs: python -m benchmarks loudness.

Prints the share of songs that the limiter changes, for each preset and packaged generator, and the concordance (CCC) of
the requested emotion with the one recognised in songs at random emotions, as they are generated and as they are saved.
"""

import tempfile
from pathlib import Path

import numpy as np

from musemo_hf import MusemoPipeline, embedded_checkpoint
from musemo_hf.audio.loudness import HEADROOM_DB, is_limited
from musemo_hf.commands.checkpoints import load_recogniser
from musemo_hf.evaluation.statistics.concordance import concordance_correlation
from musemo_hf.pipelines.emotion_path import emotion_path
from musemo_hf.pipelines.emotion_to_music import PRESETS

GENERATORS = ("flow", "generator")
N_SONGS, N_EMOTIONS = 60, 40
SEED = 1000


def load(name):
    pipeline = MusemoPipeline.from_pretrained(embedded_checkpoint(name))
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def limited(pipeline, preset, n_songs=N_SONGS):
    """Which songs of a preset the limiter changes, and their peaks."""
    songs = [pipeline(*PRESETS[preset], seed=SEED + index).songs[0] for index in range(n_songs)]
    return np.array([is_limited(song.audio) for song in songs]), np.array([np.abs(song.audio).max() for song in songs])


def agreement(pipeline, recogniser, n_songs=N_EMOTIONS):
    """CCC in (valence, arousal) of random emotions with those recognised in the songs, and in the saved songs."""
    requested = np.random.default_rng(0).uniform(-1, 1, (n_songs, 2))
    predicted, saved = [], []
    with tempfile.TemporaryDirectory() as folder:
        for index, (valence, arousal) in enumerate(requested):
            song = pipeline(float(valence), float(arousal), seed=index).songs[0]
            path = song.save(Path(folder) / "song.wav")
            predicted.append(emotion_path(*recogniser, song.audio, song.sampling_rate).mean)
            saved.append(emotion_path(*recogniser, path).mean)
    return [
        [concordance_correlation(requested[:, dimension], np.array(values)[:, dimension]) for dimension in (0, 1)]
        for values in (predicted, saved)
    ]


def main():
    recogniser, pipelines = load_recogniser(None), {name: load(name) for name in GENERATORS}
    for preset in PRESETS:
        found = {name: limited(pipeline, preset) for name, pipeline in pipelines.items()}
        shares = np.concatenate([changed for changed, _ in found.values()])
        peaks = "; ".join(
            f"{name} peak median {np.median(p):.2f}, highest {p.max():.1f}" for name, (_, p) in found.items()
        )
        print(f"{preset}: {shares.sum()} of {len(shares)} songs limited at {HEADROOM_DB:g} dB of headroom")
        print(f"{preset}: median and highest peak of {peaks}")
    for name, pipeline in pipelines.items():
        before, after = agreement(pipeline, recogniser)
        print(
            f"{name}, {N_EMOTIONS} random emotions: CCC {before[0]:.3f} / {before[1]:.3f} as generated, "
            f"{after[0]:.3f} / {after[1]:.3f} as saved"
        )
