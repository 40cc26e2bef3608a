import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from musemo_hf.audio.decoding import resample
from musemo_hf.evaluation.spaces.embedders import get_embedder
from musemo_hf.pipelines.embedders.find import find_embedder
from musemo_hf.pipelines.embedders.pretrained_files import PretrainedModelError
from musemo_hf.pipelines.embedders.yamnet import HOP, PATCH, YAMNET, Yamnet, load_yamnet, yamnet_embedder

pytestmark = pytest.mark.pretrained


@pytest.fixture(scope="module")
def yamnet(pretrained_dir):
    return Yamnet(pretrained_dir / YAMNET.filename)


@pytest.fixture
def embedder(pretrained_dir, monkeypatch):
    monkeypatch.setenv("MUSEMO_PRETRAINED", str(pretrained_dir))
    return find_embedder("yamnet")


def music(seconds, pitch=220.0, rate=16_000):
    """A struck note with overtones every half second."""
    time = np.arange(round(seconds * rate)) / rate
    decay = np.exp(-4 * (time % 0.5))
    return sum(0.1 / k * decay * np.sin(2 * np.pi * k * pitch * time) for k in range(1, 9)).astype(np.float32)


def dequantised(path, patch):
    """The values and scores of one patch by a plain interpreter."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    resolver = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    plain = Interpreter(str(path), experimental_preserve_all_tensors=True, experimental_op_resolver_type=resolver)
    plain.allocate_tensors()
    plain.set_tensor(plain.get_input_details()[0]["index"], patch)
    plain.invoke()
    tensor = next(found for found in plain.get_tensor_details() if found["name"].endswith("layer28/reduce_mean"))
    scale, zero = tensor["quantization"]
    return (plain.get_tensor(tensor["index"]).ravel() - float(zero)) * scale, plain.get_tensor(
        plain.get_output_details()[0]["index"]
    )


def test_patches_are_those_of_the_interpreter(yamnet, pretrained_dir):
    samples = music(3.0)
    values, scores = yamnet.patches(samples, 16_000)
    assert values.shape == (1 + (len(samples) - PATCH) // HOP, 1024)
    for row in (0, len(values) - 1):
        expected = dequantised(pretrained_dir / YAMNET.filename, samples[row * HOP : row * HOP + PATCH])
        np.testing.assert_allclose(values[row], expected[0], atol=1e-5)
        np.testing.assert_allclose(scores[row], expected[1][0], atol=1e-6)
    assert values.min() >= 0
    assert 0 <= scores.min() <= scores.max() <= 1


def test_it_hears_music_and_silence(yamnet):
    # classes 132 and 494 of AudioSet's ontology, in the order of the model
    assert yamnet.patches(music(2.0), 16_000).class_scores[:, 132].mean() > 0.3
    assert yamnet.patches(np.zeros(32_000, np.float32), 16_000).class_scores[:, 494].min() > 0.7


def test_the_features_are_mean_and_deviation_at_any_rate(embedder, yamnet):
    clips = [music(2.0), music(3.0, 330)]
    features = embedder.embed_audio(clips, 16_000)
    assert (embedder.name, embedder.dimension, features.dtype) == ("yamnet-v1", 2048, np.float64)
    for row, clip in zip(features, clips, strict=True):
        values = yamnet.patches(clip, 16_000).values
        np.testing.assert_allclose(row, np.concatenate([values.mean(axis=0), values.std(axis=0)]), atol=1e-6)
    at_44 = embedder.embed_audio([resample(music(2.0), 16_000, 44_100)], 44_100)
    assert np.corrcoef(at_44[0], features[0])[0, 1] > 0.99
    assert embedder.embed_audio([], 16_000).shape == (0, 2048)


def test_short_clips_are_padded_with_silence(yamnet):
    short = music(0.4)
    values = yamnet.patches(short, 16_000).values
    assert values.shape == (1, 1024)
    np.testing.assert_array_equal(values, yamnet.patches(np.pad(short, (0, PATCH - len(short))), 16_000).values)


def test_threads_get_the_same_answer(embedder):
    clips = [music(1.5, 110 + 40 * k) for k in range(6)]
    alone = np.concatenate([embedder.embed_audio([clip], 16_000) for clip in clips])
    with ThreadPoolExecutor(3) as pool:
        together = list(pool.map(lambda clip: embedder.embed_audio([clip], 16_000)[0], clips))
    np.testing.assert_array_equal(alone, together)
    np.testing.assert_array_equal(alone, embedder.embed_audio(clips, 16_000))


def test_it_is_registered_once(embedder):
    assert find_embedder("yamnet-v1") is embedder
    assert get_embedder("yamnet-v1") is embedder


def test_without_the_extra(pretrained_dir, monkeypatch):
    monkeypatch.setitem(sys.modules, "ai_edge_litert", None)  # as Python marks a module that cannot be imported
    with pytest.raises(PretrainedModelError, match=r"ai-edge-litert, found none; .*'musemo-hf\[yamnet\]'`"):
        Yamnet(pretrained_dir / YAMNET.filename)
    monkeypatch.setenv("MUSEMO_PRETRAINED", "no/such/folder")
    load_yamnet.cache_clear()
    with pytest.raises(PretrainedModelError, match="ai-edge-litert, found none"):  # before any file is looked for
        yamnet_embedder()


def test_without_the_file(tmp_path, monkeypatch):
    monkeypatch.setenv("MUSEMO_PRETRAINED", str(tmp_path))
    load_yamnet.cache_clear()
    with pytest.raises(PretrainedModelError, match=r"YAMNet: expected the file lite-model_yamnet_.* found none there"):
        yamnet_embedder()
