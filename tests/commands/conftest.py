"""Tiny checkpoints, and real audio files of a few chords."""

import numpy as np
import pytest
import soundfile

from musemo_hf.cli import main

RATE = 22050


def chord(seconds: float, seed: int = 0, rate: int = RATE) -> np.ndarray:
    """Three harmonic tones that swell, with a little noise."""
    rng = np.random.default_rng(seed)
    time = np.arange(round(seconds * rate)) / rate
    pitches, phases = rng.uniform(80, 3000, 3), rng.uniform(0, 6, 3)
    tones = np.sin(2 * np.pi * pitches[:, None] * time + phases[:, None]).sum(axis=0)
    swell = 0.15 + 0.1 * np.sin(2 * np.pi * rng.uniform(0.2, 3) * time)
    return (swell * tones + 0.01 * rng.standard_normal(len(time))).astype(np.float32)


@pytest.fixture(autouse=True)
def _offline(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


@pytest.fixture
def musemo(capsys):
    """`musemo("predict", ...)` -> (exit status, standard output, standard error)."""

    def run(*arguments):
        try:
            status = main([str(argument) for argument in arguments])
        except SystemExit as left:
            status = left.code
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return run


@pytest.fixture
def make_song(tmp_path):
    """`make_song("a.wav", seconds)` writes a file and returns its path."""

    def make(name, seconds=3.0, seed=0, rate=RATE):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, chord(seconds, seed, rate), rate)
        return path

    return make


@pytest.fixture(scope="session")
def generator(tmp_path_factory):
    """Folder of a generator of 48 frames."""
    import torch

    from musemo_hf import MusemoFeatureExtractor, MusemoGanConfig, MusemoGanGenerator

    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("generator")
    config = MusemoGanConfig(n_frames=48, generator_channels=16, discriminator_channels=4, group_norm_groups=2)
    MusemoGanGenerator(config).save_pretrained(folder)
    MusemoFeatureExtractor(n_frames=48).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def flow(tmp_path_factory):
    """Folder of a flow of 48 frames, whose weights nothing trained, which takes five steps by itself."""
    import torch

    from musemo_hf import MusemoFeatureExtractor, MusemoFlowGenerator

    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("flow")
    model = MusemoFlowGenerator(
        n_frames=48, n_components=8, width=16, depth=1, n_heads=2, num_inference_steps=5, guidance_scale=1.25
    )
    with torch.no_grad():  # some weights are zero before any training, and then no emotion is heard
        for parameter in model.parameters():
            parameter += 0.1 * torch.randn_like(parameter)
        for buffer in model.buffers():  # what a fit finds
            buffer *= 1.1 if buffer.is_floating_point() else 1
    model.save_pretrained(folder)
    MusemoFeatureExtractor(n_frames=48).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def make_recogniser(tmp_path_factory):
    """`make_recogniser(**configuration)` -> folder of a recogniser of 40 frames (0.9 s)."""
    import torch

    from musemo_hf import MusemoFeatureExtractor, MusemoViTConfig, MusemoViTForEmotionRegression

    small = {"n_frames": 40, "patch_size": (16, 16), "hidden_size": 16, "num_hidden_layers": 2}
    small |= {"num_attention_heads": 2, "intermediate_size": 32}

    def make(**changes):
        torch.manual_seed(0)
        folder = tmp_path_factory.mktemp("recogniser")
        model = MusemoViTForEmotionRegression(MusemoViTConfig(**(small | changes)))
        torch.nn.init.normal_(model.regressor.weight, std=0.05)
        model.save_pretrained(folder)
        MusemoFeatureExtractor(n_frames=model.config.n_frames).save_pretrained(folder)
        return folder

    return make


@pytest.fixture(scope="session")
def recogniser(make_recogniser):
    return make_recogniser()
