"""A tiny audio model, and songs as files."""

import numpy as np
import pytest
import soundfile
import torch


@pytest.fixture(scope="session")
def song():
    """`song(seconds, seed=0, rate=22050)` -> struck notes over a little noise, float32 `(samples,)`."""

    def make(seconds, seed=0, rate=22050):
        rng = np.random.default_rng(seed)
        time = np.arange(round(seconds * rate)) / rate
        pitch = 110 * 2 ** (rng.integers(0, 24, 1 + int(2 * seconds)) / 12)
        note = np.sin(2 * np.pi * pitch[(2 * time).astype(int)] * time) * np.exp(-5 * (time % 0.5))
        return (0.3 * note + 0.003 * rng.standard_normal(len(time))).astype(np.float32)

    return make


@pytest.fixture
def song_files(tmp_path, song):
    """`song_files(n)` -> wave files of two seconds at 22,050 Hz."""

    def make(n_files, seconds=2.0, rate=22050):
        files = []
        for seed in range(n_files):
            files.append(tmp_path / f"{seed}.wav")
            soundfile.write(files[-1], song(seconds, seed, rate), rate, subtype="FLOAT")
        return files

    return make


@pytest.fixture(scope="session")
def tiny_wav2vec2():
    """A tiny model with the feature extractor of wav2vec2's base models, which return no mask."""
    from transformers import Wav2Vec2Config, Wav2Vec2FeatureExtractor, Wav2Vec2Model

    torch.manual_seed(0)
    config = Wav2Vec2Config(
        conv_dim=(8, 8), conv_stride=(40, 8), conv_kernel=(40, 8), num_conv_pos_embeddings=4,
        num_conv_pos_embedding_groups=2, feat_extract_norm="group", hidden_size=16, num_hidden_layers=1,
        num_attention_heads=2, intermediate_size=16,
    )  # fmt: skip
    return Wav2Vec2Model(config).eval(), Wav2Vec2FeatureExtractor(return_attention_mask=False)


@pytest.fixture(scope="session")
def tiny_embedder(tiny_wav2vec2):
    from musemo_hf.pipelines.embedders.audio_models import audio_model_embedder

    return audio_model_embedder(*tiny_wav2vec2, name="tiny-v1")
