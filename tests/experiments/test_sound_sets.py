import numpy as np
import pytest

from musemo_hf.evaluation.external.structure import FEATURES, structure_features
from musemo_hf.experiments.sound_sets import SoundSets
from musemo_hf.pipelines.embedders.audio_embedder import audio_embedder, invert
from musemo_hf.pipelines.embedders.feature_cache import FeatureCache


def test_each_clip_is_measured_as_it_sounds_and_kept(tmp_path):
    read = []

    def embed(waveforms, sampling_rate):
        """Level and brightness of the sound itself."""
        read.extend(waveforms)
        return np.array([[np.square(x).mean(), np.abs(np.diff(x)).mean()] for x in waveforms], dtype=np.float32)

    rng = np.random.default_rng(0)
    clips = (rng.normal(-20, 8, (2, 128, 256)) - np.linspace(0, 30, 128)[:, None]).astype(np.float32)
    sets = SoundSets(audio_embedder("level-v1", 2, 22050, embed), FeatureCache(tmp_path / "cache"), progress=False)
    features, structure = sets.features(clips, "clips"), sets.structure(clips, "clips")
    sounds = invert(clips)
    np.testing.assert_allclose(features, embed(sounds, 22050), rtol=1e-4)
    assert structure.shape == (2, len(FEATURES))
    np.testing.assert_allclose(structure[1], structure_features(sounds[1], 22050), rtol=1e-2)
    read.clear()
    np.testing.assert_array_equal(sets.features(clips[::-1], "again"), features[::-1])
    assert not read
    with pytest.raises(ValueError, match=r"log-mels \(N, 128, n_frames\) in dB, got \(128, 256\)"):
        sets.features(clips[0], "one clip")
    with pytest.raises(ValueError, match="log-mels"):
        sets.structure(clips[:0], "none")
