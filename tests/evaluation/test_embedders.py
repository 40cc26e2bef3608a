import os
import subprocess
import sys

import numpy as np
import pytest

from musemo_hf.evaluation.spaces import embedders
from musemo_hf.evaluation.spaces.embedders import (
    Embedder,
    embedder_names,
    get_embedder,
    register_embedder,
    register_embedder_factory,
    standardise,
)


@pytest.fixture
def clips():
    rng = np.random.default_rng(0)
    return rng.normal(-15, 25, (5, 128, 300)).astype(np.float32)  # reaches beyond [-60, 40]


@pytest.fixture
def empty_slot(monkeypatch):
    monkeypatch.setattr(embedders, "_REGISTRY", dict(embedders._REGISTRY))


def test_mel_statistics_by_loop(clips):
    features = get_embedder("mel-statistics-v1").embed(clips)
    clamped = np.clip(clips, -60, 40).astype(np.float64)
    for clip, row in zip(clamped, features, strict=True):
        for group in range(32):
            average = clip[4 * group : 4 * group + 4].mean(axis=0)
            assert row[group] == pytest.approx(average.mean(), abs=1e-4)
            assert row[32 + group] == pytest.approx(average.std(), abs=1e-4)


@pytest.mark.parametrize(
    ("name", "dimension"), [("mel-statistics-v1", 64), ("modulation-v1", 128), ("modulation-v3", 160)]
)
def test_name_dimension_and_batches(clips, name, dimension):
    embedder = get_embedder(name)
    assert (embedder.name, embedder.dimension) == (name, dimension)
    whole = embedder.embed(clips)
    assert whole.shape == (5, dimension)
    assert whole.dtype == np.float64
    np.testing.assert_array_equal(whole, np.concatenate([embedder.embed(clip[None]) for clip in clips]))
    assert embedder.embed(clips[:0]).shape == (0, dimension)


@pytest.mark.usefixtures("empty_slot")
def test_a_user_adds_one(clips):
    @register_embedder("loudness-v1", dimension=2)
    def loudness(clips_db):
        return np.stack([clips_db.mean(axis=(1, 2)), clips_db.std(axis=(1, 2))], axis=1)

    features = get_embedder("loudness-v1").embed(clips)
    np.testing.assert_allclose(features[:, 0], clips.mean(axis=(1, 2)), rtol=1e-5)
    with pytest.raises(ValueError, match="raise its version"):
        register_embedder("loudness-v1", dimension=2)


@pytest.mark.usefixtures("empty_slot")
def test_bad_names_and_inputs(clips):
    with pytest.raises(ValueError, match="name with a version"):
        register_embedder("loudness", dimension=2)
    with pytest.raises(ValueError, match=r"out of .*mel-statistics-v1.*got 'vggish'"):
        get_embedder("vggish")
    with pytest.raises(ValueError, match=r"\(B, n_mels, n_frames\).*got \(128, 300\)"):
        get_embedder("modulation-v1").embed(clips[0])
    clips[2, 3, 4] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        get_embedder("modulation-v1").embed(clips)
    register_embedder("liar-v1", dimension=3)(lambda clips_db: np.zeros((len(clips_db), 2)))
    with pytest.raises(ValueError, match=r"\(5, 3\) of embedder liar-v1, got \(5, 2\)"):
        get_embedder("liar-v1").embed(np.zeros((5, 128, 300)))


def test_standardise_is_scikit_learns():
    from sklearn.preprocessing import StandardScaler

    rng = np.random.default_rng(1)
    reference, other = rng.normal(3, 7, (40, 6)), rng.normal(0, 1, (9, 6))
    reference[:, 2] = 4.0  # constant: centred, not divided by nothing
    scaler = StandardScaler().fit(reference)
    for ours, theirs in zip(standardise(reference, other), (reference, other), strict=True):
        np.testing.assert_allclose(ours, scaler.transform(theirs), atol=1e-12)


def test_a_factory_is_called_once_when_its_embedder_is_asked_for(monkeypatch):
    monkeypatch.setattr(embedders, "_REGISTRY", dict(embedders._REGISTRY))
    monkeypatch.setattr(embedders, "_FACTORIES", {})
    made = []

    def make():
        made.append(Embedder("late-v1", 1, lambda clips: clips.mean(axis=(1, 2))[:, None]))
        if len(made) == 1:
            raise OSError("no weights yet")
        return made[-1]

    register_embedder_factory("late-v1", make)
    assert "late-v1" in embedder_names()
    assert made == []
    with pytest.raises(OSError, match="no weights yet"):
        get_embedder("late-v1")
    assert get_embedder("late-v1") is get_embedder("late-v1")
    assert len(made) == 2
    for name, message in (("late-v1", "which is registered"), ("late", "with a version")):
        with pytest.raises(ValueError, match=message):
            register_embedder_factory(name, make)
    with pytest.raises(ValueError, match="out of late-v1, mel-statistics-v1"):
        get_embedder("later-v1")


@pytest.mark.parametrize("call", ['get_embedder("yamnet")', 'get_embedder("yamnet-v1")', 'ClipReducer("yamnet")'])
def test_a_fresh_process_knows_the_embedder_of_another_part(call, tmp_path):
    """Without its file the embedder says how to get it; a registry that did not know it would list other names."""
    code = (
        "from musemo_hf.evaluation.score.reducer import ClipReducer\n"
        "from musemo_hf.evaluation.spaces.embedders import embedder_names, get_embedder\n"
        "assert 'yamnet-v1' in embedder_names()\n"
        f"{call}\n"
    )
    environment = os.environ | {"MUSEMO_PRETRAINED": str(tmp_path)}
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
    assert "PretrainedModelError: YAMNet: expected the file lite-model_yamnet" in found.stderr
