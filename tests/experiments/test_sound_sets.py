import numpy as np
import pytest

from musemo_hf.evaluation.external.structure import FEATURES, structure_features
from musemo_hf.experiments.sound_sets import SoundSets
from musemo_hf.pipelines.embedders.audio_embedder import audio_embedder, invert


@pytest.fixture
def embedder():
    """Level and brightness of the sound itself."""

    def embed(waveforms, sampling_rate):
        return np.array([[np.square(x).mean(), np.abs(np.diff(x)).mean()] for x in waveforms], dtype=np.float32)

    return audio_embedder("level-v1", 2, 22050, embed)


@pytest.fixture(scope="module")
def clips():
    rng = np.random.default_rng(0)
    return (rng.normal(-20, 8, (3, 128, 256)) - np.linspace(0, 30, 128)[:, None]).astype(np.float32)


def test_each_clip_is_measured_as_it_sounds_and_kept(embedder, clips, tmp_path):
    sets = SoundSets(embedder, tmp_path, progress=False)
    features, structure = sets.with_structure(clips)
    sounds = invert(clips)
    np.testing.assert_allclose(features, embedder.embed_audio(sounds, 22050), rtol=1e-5)
    assert structure.shape == (3, len(FEATURES))
    np.testing.assert_allclose(structure[1], structure_features(sounds[1], 22050), rtol=1e-3)
    kept = sorted(path.name for path in tmp_path.rglob("*.npy"))
    assert len(kept) == 6
    newest = max(path.stat().st_mtime_ns for path in tmp_path.rglob("*.npy"))
    again = SoundSets(embedder, tmp_path, progress=False).features(clips[::-1])
    np.testing.assert_array_equal(again, features[::-1])
    assert max(path.stat().st_mtime_ns for path in tmp_path.rglob("*.npy")) == newest
    louder = clips.copy()
    louder[0] += 1
    assert sets.features(louder)[0, 0] > features[0, 0]
    np.testing.assert_allclose(SoundSets(embedder, progress=False).features(clips[:1]), features[:1], rtol=1e-6)


def test_no_clips(embedder):
    with pytest.raises(ValueError, match=r"log-mels \(N, 128, n_frames\) in dB, got \(128, 256\)"):
        SoundSets(embedder).features(np.zeros((128, 256)))
    with pytest.raises(ValueError, match="log-mels"):
        SoundSets(embedder).features(np.zeros((0, 128, 256)))
