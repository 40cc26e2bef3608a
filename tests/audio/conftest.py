"""Audio to test with: a chord that swells, struck notes with overtones, and noise, at real levels."""

import subprocess

import numpy as np
import pytest
import soundfile


@pytest.fixture(scope="session")
def music():
    """`music(seconds, sampling_rate=22050, seed=0)` -> float32 `(samples,)`, reproducible and rich in dynamics."""

    def make(seconds, sampling_rate=22050, seed=0):
        rng = np.random.default_rng(seed)
        time = np.arange(round(seconds * sampling_rate)) / sampling_rate
        samples = 0.002 * rng.standard_normal(len(time))
        for start in np.arange(0, seconds, 0.25):
            pitch, level = 110 * 2 ** (rng.integers(0, 36) / 12), 10 ** rng.uniform(-2.5, -0.7)
            note = slice(round(start * sampling_rate), round((start + 1) * sampling_rate))
            since = time[note] - start
            envelope = level * np.exp(-since / rng.uniform(0.1, 0.8)) * np.minimum(1, (1 - since) * 50)
            for overtone in range(1, 1 + int(min(8, 0.45 * sampling_rate / pitch))):
                samples[note] += envelope / overtone * np.sin(2 * np.pi * overtone * pitch * since)
        samples[len(time) // 3 : len(time) // 3 + sampling_rate // 10] = 0  # digital silence
        return samples.astype(np.float32)

    return make


@pytest.fixture(scope="session")
def real_songs(deam_dir):
    """Eight real songs, spread over the folder, as files."""
    files = sorted(deam_dir.rglob("*.mp3"), key=lambda path: int(path.stem) if path.stem.isdigit() else 0)
    assert len(files) >= 8, f"expected at least 8 mp3 files under {deam_dir}, found {len(files)}"
    return files[:: len(files) // 8][:8]


@pytest.fixture
def audio_file(tmp_path):
    """`audio_file(name, samples, sampling_rate)` writes a real file; its ending is the format."""

    def write(name, samples, sampling_rate=22050):
        path = tmp_path / name
        soundfile.write(path, samples, sampling_rate)
        return path

    return write


@pytest.fixture(scope="session")
def stereo_file(tmp_path_factory, music):
    """Twelve seconds in stereo at 44.1 kHz, as the WAV that other files are encoded from."""
    path = tmp_path_factory.mktemp("sound") / "base.wav"
    soundfile.write(path, np.stack([music(12, 44100), music(12, 44100, seed=1)], axis=1), 44100)
    return path


@pytest.fixture
def encode(stereo_file, tmp_path):
    """`encode("v.mp3", "-q:a", 4)` converts the twelve seconds with ffmpeg; `to_pipe=True` writes to a pipe."""

    def run(name, *options, to_pipe=False):
        path = tmp_path / name
        command = ["ffmpeg", "-nostdin", "-loglevel", "error", "-y", "-i", stereo_file, *map(str, options)]
        if to_pipe:
            made = subprocess.run([*command, "-f", path.suffix[1:], "-"], check=True, stdout=subprocess.PIPE)
            path.write_bytes(made.stdout)
        else:
            subprocess.run([*command, path], check=True)
        return path

    return run
