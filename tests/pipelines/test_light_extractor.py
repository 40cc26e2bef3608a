"""The light feature extractor computes what the one of transformers' kind does."""

import json

import numpy as np
import pytest
import torch

from musemo_hf import MusemoFeatureExtractor
from musemo_hf.pipelines.light_extractor import load_light_extractor


@pytest.fixture
def folder(tmp_path):
    MusemoFeatureExtractor(n_frames=40, hop_length=256, max_db=30.0).save_pretrained(tmp_path)
    return tmp_path


@pytest.mark.parametrize("n_samples", [300, 9_984, 30_000])
def test_spectrograms_are_the_same(folder, n_samples):
    clip = np.random.default_rng(n_samples).uniform(-1, 1, n_samples).astype(np.float32)
    light, whole = load_light_extractor(folder), MusemoFeatureExtractor.from_pretrained(folder)
    found = light([clip, clip[::-1].copy()], sampling_rate=22050)["spectrogram"]
    expected = whole([clip, clip[::-1].copy()], sampling_rate=22050)["spectrogram"]
    assert found.shape == (2, 1, 128, 40)
    assert torch.equal(found, expected)
    for name in ("n_frames", "sampling_rate", "seconds", "settings"):
        assert getattr(light, name) == getattr(whole, name), name
    for hop in (None, 0.1):
        assert light.window_starts(n_samples, hop).tolist() == whole.window_starts(n_samples, hop).tolist()


def test_too_few_samples_and_another_configuration_are_refused(folder):
    with pytest.raises(ValueError, match=r"expected at least 256 samples \(one hop\) at 22050 Hz, got 255"):
        load_light_extractor(folder)([np.zeros(255, dtype=np.float32)], sampling_rate=22050)
    (folder / "SHA256SUMS").unlink()
    path = folder / "preprocessor_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"feature_extractor_type": "ViTImageProcessor"}))
    with pytest.raises(ValueError, match="expected the configuration of a MusemoFeatureExtractor, got one of a 'ViT"):
        load_light_extractor(folder)
