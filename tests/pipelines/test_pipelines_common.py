"""The common tests of diffusers' pipelines (`tests/pipelines/test_pipelines_common.py`), under its names."""

import inspect

import numpy as np
import pytest
import torch
from diffusers import EulerDiscreteScheduler

from musemo_hf import (
    MusemoFeatureExtractor,
    MusemoFlowGenerator,
    MusemoGanConfig,
    MusemoGanGenerator,
    MusemoPipeline,
    MusemoUNetGenerator,
)

HALF = [torch.float16, torch.bfloat16]
FLOW = {"n_frames": 32, "patch_size": (32, 8), "n_components": 8, "width": 8, "depth": 1, "n_heads": 1}
GAN = {"n_frames": 32, "generator_channels": 16, "discriminator_channels": 4, "group_norm_groups": 2}


def gan():
    return MusemoGanGenerator(MusemoGanConfig(**GAN)).eval()


def flow():
    model = MusemoFlowGenerator(**FLOW, num_inference_steps=3)
    model.fit(0.3 * torch.randn(24, 1, 128, 32), 2 * torch.rand(24, 2) - 1)
    for value in model.parameters():
        torch.nn.init.normal_(value, std=0.1)
    return model.eval()


def unet():
    model = MusemoUNetGenerator(n_frames=32, channels=(32, 32), condition_width=8, attention=(False, True))
    for value in model.parameters():
        value.data.add_(torch.randn_like(value), alpha=0.05)
    model.register_to_config(num_inference_steps=3)
    return model.eval()


GENERATORS = {"gan": gan, "flow": flow, "unet": unet}


@pytest.fixture(params=[*GENERATORS, "gan and vocoder"])
def components(request, tiny_vocoder):
    """The components of every pipeline of the registry, and of one with its optional component."""
    vocoder = tiny_vocoder() if "vocoder" in request.param else None
    torch.manual_seed(0)
    generator = GENERATORS[request.param.split()[0]]()
    return {"generator": generator, "feature_extractor": MusemoFeatureExtractor(n_frames=32), "vocoder": vocoder}


@pytest.fixture
def pipe(components):
    pipeline = MusemoPipeline(**components)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def run(pipeline, **changes):
    """The spectrograms in dB of a call, `(N, 128, 32)`."""
    arguments = {"valence": 0.8, "arousal": 0.7, "seed": 0, "n_iter": 1} | changes
    return np.stack([song.spectrogram for song in pipeline(**arguments).songs])


def test_pipeline_call_signature():
    required = {"valence", "arousal"}
    parameters = inspect.signature(MusemoPipeline.__call__).parameters
    optional = {name for name, value in parameters.items() if value.default is not inspect.Parameter.empty}
    assert required == set(parameters) - optional - {"self"}
    assert {"num_inference_steps", "guidance_scale", "num_samples", "seed"} <= optional


def test_save_load_local(pipe, tmp_path):
    pipe.save_pretrained(tmp_path)
    loaded = MusemoPipeline.from_pretrained(tmp_path)
    loaded.set_progress_bar_config(disable=True)
    np.testing.assert_allclose(run(loaded), run(pipe), atol=1e-3)


def test_components_function(pipe, components):
    assert pipe.components.keys() == components.keys()
    assert pipe.components["generator"] is components["generator"]
    again = MusemoPipeline(**pipe.components)
    again.set_progress_bar_config(disable=True)
    np.testing.assert_array_equal(run(again), run(pipe))


def test_inference_batch_consistent(pipe):
    assert run(pipe, valence=[0.8, -0.1, 0.0], arousal=[0.7, 0.2, -0.9]).shape == (3, 128, 32)
    assert run(pipe, num_samples=2).shape == (2, 128, 32)


def test_inference_batch_single_identical(pipe):
    together = run(pipe, valence=[0.8, -0.1, 0.0], arousal=[0.7, 0.2, -0.9], seed=[5, 6, 7])
    for i, (valence, arousal) in enumerate([(0.8, 0.7), (-0.1, 0.2), (0.0, -0.9)]):
        np.testing.assert_allclose(run(pipe, valence=valence, arousal=arousal, seed=5 + i)[0], together[i], atol=1e-3)


def test_to_dtype(pipe):
    assert pipe.dtype == torch.float32
    for dtype in HALF:
        pipe.to(dtype=dtype)
        assert pipe.generator.dtype == pipe.dtype == dtype


@pytest.mark.parametrize("dtype", HALF)
def test_float16_inference(pipe, dtype):
    expected = run(pipe)
    found = run(pipe.to(dtype))
    assert found.dtype == np.float32
    assert np.isfinite(found).all()
    assert np.abs(found - expected).mean() < 0.5  # dB


@pytest.mark.parametrize("dtype", HALF)
def test_save_load_float16(pipe, dtype, tmp_path):
    expected = run(pipe.to(dtype))
    pipe.save_pretrained(tmp_path)
    loaded = MusemoPipeline.from_pretrained(tmp_path, torch_dtype=dtype)
    loaded.set_progress_bar_config(disable=True)
    assert loaded.generator.dtype == dtype
    assert np.abs(run(loaded) - expected).mean() < 0.05  # dB


def test_save_load_variant(pipe, tmp_path):
    pipe.save_pretrained(tmp_path)
    for model in (pipe.generator, pipe.vocoder):
        if model is not None:
            next(model.parameters()).data.mul_(0.5)
    pipe.save_pretrained(tmp_path, variant="fp16")
    names = [path.relative_to(tmp_path).as_posix() for path in sorted(tmp_path.rglob("*.fp16.safetensors"))]
    assert [name.split("/")[0] for name in names] == ["generator", *(["vocoder"] if pipe.vocoder else [])]
    for name in (name for name in names if name.startswith("generator")):  # transformers writes no checksums
        assert f"  {name.split('/')[1]}\n" in (tmp_path / name).with_name("SHA256SUMS").read_text()
    variant, plain = (MusemoPipeline.from_pretrained(tmp_path, **given) for given in ({"variant": "fp16"}, {}))
    for name in ("generator", "vocoder"):
        if (model := getattr(pipe, name)) is not None:
            first = next(model.parameters())
            assert torch.equal(next(getattr(variant, name).parameters()), first)
            assert not torch.equal(next(getattr(plain, name).parameters()), first)
    (tmp_path / names[0]).write_bytes(b"damaged")
    with pytest.raises(OSError, match="the file was damaged or changed"):
        MusemoPipeline.from_pretrained(tmp_path, variant="fp16")


def test_weights_are_saved_as_safetensors_alone(pipe, tmp_path):
    for option in ({"safe_serialization": False}, {"use_flashpack": True}):
        with pytest.raises(ValueError, match="expected safetensors, the only format"):
            pipe.save_pretrained(tmp_path, **option)


def test_from_pipe(pipe, components):
    again = MusemoPipeline.from_pipe(pipe)
    again.set_progress_bar_config(disable=True)
    assert {name: again.components[name] for name in components} == components
    np.testing.assert_array_equal(run(again), run(pipe))
    assert MusemoPipeline.from_pipe(pipe, vocoder=None).vocoder is None
    other = gan()
    assert MusemoPipeline.from_pipe(pipe, generator=other).generator is other


def test_the_sampler_is_not_swapped(pipe, tmp_path):
    assert not hasattr(pipe, "scheduler")
    with pytest.raises(AttributeError, match="has no scheduler: its generator brings its sampler"):
        _ = pipe.scheduler
    with pytest.raises(AttributeError, match="has no scheduler: its generator brings its sampler"):
        pipe.scheduler = EulerDiscreteScheduler()
    with pytest.raises(TypeError, match="has no scheduler: its generator brings its sampler"):
        MusemoPipeline.from_pretrained(tmp_path, scheduler=EulerDiscreteScheduler())
    with pytest.raises(AttributeError, match="no_such_attribute"):
        _ = pipe.no_such_attribute


def test_to_device(pipe):
    pipe.to("cpu")
    assert pipe.generator.device.type == "cpu"
    assert not np.isnan(run(pipe)).any()
