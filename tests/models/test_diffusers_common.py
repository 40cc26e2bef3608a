"""The common tests of diffusers' models (`tests/models/testing_utils/common.py`, ModelTesterMixin), under its names."""

import json

import pytest
import torch
from diffusers.training_utils import EMAModel

from musemo_hf import MusemoFlowGenerator, MusemoUNetGenerator

FLOW = {"n_frames": 96, "patch_size": (64, 8), "n_components": 4, "width": 8, "depth": 2, "n_heads": 1}
UNET = {"n_frames": 96, "channels": (32, 32), "attention": (False, True), "condition_width": 16}
FLOWS = {"flow": {}, "flow with a pulse": {"n_pulse_bands": 4}, "flow without gains": {"n_bands": 0, "whitening": 1.0}}
UNETS = {"U-Net": {}, "U-Net with conditions": {"conditions": ("tempo",), "augmentations": ("gain",)}}


@pytest.fixture(params=[*FLOWS, *UNETS])
def model(request):
    """Every model of the registry, fitted, and with weights that are all drawn at random, always the same."""
    torch.manual_seed(0)
    spectrogram, emotion = 0.3 * torch.randn(24, 1, 128, 96), 2 * torch.rand(24, 2) - 1
    if request.param in FLOWS:
        made = MusemoFlowGenerator(**(FLOW | FLOWS[request.param]))
        made.fit(spectrogram, emotion)
    else:
        made = MusemoUNetGenerator(**(UNET | UNETS[request.param]))
        made.fit(spectrogram)
    for value in made.parameters():
        torch.nn.init.normal_(value, std=0.2) if request.param in FLOWS else value.data.add_(
            torch.randn_like(value), alpha=0.05
        )
    return made.eval()


@pytest.fixture
def inputs(model):
    generator = torch.Generator().manual_seed(1)
    shape = (model.n_latents,) if isinstance(model, MusemoFlowGenerator) else (1, 128, 96)
    latents = torch.randn(3, *shape, generator=generator)
    emotion = torch.randn(3, 2, generator=generator).clamp(-1, 1)
    return {"latents": latents, "t": torch.tensor([0.1, 0.5, 1.0]), "emotion": emotion}


def run(model, inputs, **options):
    with torch.no_grad():
        return model(**inputs, return_dict=False, **options)[0]


def assert_close(first, second):
    torch.testing.assert_close(first, second, atol=1e-5, rtol=1e-5)


def test_from_save_pretrained(model, inputs, tmp_path):
    model.save_pretrained(tmp_path)
    loaded = type(model).from_pretrained(tmp_path)
    stored = loaded.state_dict()
    assert stored.keys() == model.state_dict().keys()
    assert all(torch.equal(value, stored[name]) for name, value in model.state_dict().items())
    buffers = dict(loaded.named_buffers())  # with those that are not stored
    assert all(torch.equal(value, buffers[name]) for name, value in model.named_buffers())
    assert not loaded.training
    assert_close(run(loaded, inputs), run(model, inputs))


def test_from_save_pretrained_variant(model, inputs, tmp_path):
    model.save_pretrained(tmp_path, variant="fp16")
    assert_close(run(type(model).from_pretrained(tmp_path, variant="fp16"), inputs), run(model, inputs))
    with pytest.raises(OSError, match="no file named diffusion_pytorch_model"):
        type(model).from_pretrained(tmp_path)


@pytest.mark.parametrize("low_cpu_mem_usage", [True, False])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_from_save_pretrained_dtype(model, inputs, tmp_path, dtype, low_cpu_mem_usage):
    expected = run(model, inputs)
    model.to(dtype).save_pretrained(tmp_path)
    options = {"torch_dtype": dtype, "low_cpu_mem_usage": low_cpu_mem_usage}
    loaded = type(model).from_pretrained(tmp_path, **options)
    assert loaded.dtype == dtype
    assert {value.dtype for value in loaded.parameters()} == {dtype}
    assert {value.dtype for value in loaded.buffers()} == {torch.float32}
    assert (run(loaded, inputs) - expected).abs().mean() < (1e-5 if dtype == torch.float32 else 0.03)


def test_sharded_checkpoints(model, inputs, tmp_path):
    model.save_pretrained(tmp_path, max_shard_size="60KB")
    index = json.loads((tmp_path / "diffusion_pytorch_model.safetensors.index.json").read_text())
    assert len(set(index["weight_map"].values())) == len(list(tmp_path.glob("*.safetensors"))) > 1
    assert_close(run(type(model).from_pretrained(tmp_path), inputs), run(model, inputs))


def test_determinism(model, inputs):
    assert torch.equal(run(model, inputs), run(model, inputs))


def test_output(model, inputs):
    velocity = run(model, inputs)
    assert velocity.shape == inputs["latents"].shape
    assert torch.isfinite(velocity).all()
    assert (velocity - run(model, inputs | {"emotion": -inputs["emotion"]})).abs().max() > 1e-3


def test_outputs_equivalence(model, inputs):
    with torch.no_grad():
        named = model(**inputs)
    assert list(named) == ["velocity"]
    assert torch.equal(named.to_tuple()[0], run(model, inputs))
    assert torch.equal(named[0], named.velocity)


def test_training(model, inputs):
    model.train()(**inputs).velocity.square().mean().backward()
    # the embedding of no emotion
    dropped = {"network.condition.nothing"} if isinstance(model, MusemoFlowGenerator) else set()
    unreached = {name for name, value in model.named_parameters() if value.grad is None}
    assert unreached == dropped
    model(**inputs, drop_mask=torch.tensor([True, False, False])).velocity.square().mean().backward()
    assert all(value.grad.abs().sum() > 0 for value in model.parameters())


def test_ema_training(model, inputs):
    average, optimizer = EMAModel(model.parameters(), decay=0.5), torch.optim.SGD(model.parameters(), 0.1)
    before = run(model, inputs)
    for _ in range(2):
        model(**inputs, drop_mask=torch.tensor([True, False, False])).velocity.square().mean().backward()
        optimizer.step()
        average.step(model.parameters())
    trained = run(model, inputs)
    average.store(model.parameters())
    average.copy_to(model.parameters())
    assert not torch.equal(run(model, inputs), trained)
    assert not torch.equal(run(model, inputs), before)
    average.restore(model.parameters())
    assert torch.equal(run(model, inputs), trained)


def test_getattr_is_correct(model):
    model.dummy_attribute = 5
    model.register_to_config(test_attribute=5)
    assert model.dummy_attribute == 5
    assert model.save_pretrained == model.save_pretrained
    with pytest.warns(FutureWarning):
        assert model.test_attribute == 5
    with pytest.raises(AttributeError, match="has no attribute 'does_not_exist'"):
        _ = model.does_not_exist


def test_missing_values_are_refused(model, tmp_path):
    from safetensors.torch import load_file, save_file

    model.save_pretrained(tmp_path)
    file = tmp_path / "diffusion_pytorch_model.safetensors"
    left_out = "principal.basis" if isinstance(model, MusemoFlowGenerator) else "bands.mean"
    save_file({name: value for name, value in load_file(file).items() if name != left_out}, file)
    (tmp_path / "SHA256SUMS").unlink()
    with pytest.raises(ValueError, match=f"expected (all|the) values of a .*{left_out}.*another version"):
        type(model).from_pretrained(tmp_path, torch_dtype=torch.bfloat16)


def test_options_that_diffusers_would_drop_are_refused(model, tmp_path):
    model.save_pretrained(tmp_path)
    settings = {"num_inference_steps": 7, "low_cpu_mem_usage": False, "use_safetensors": True}
    assert type(model).from_pretrained(tmp_path, **settings).config.num_inference_steps == 7
    for load in (type(model).from_pretrained, lambda _, **given: type(model).from_config(model.config, **given)):
        expected = rf"expected options of {type(model).__name__} out of .*n_frames.*, got kind, typo"
        with pytest.raises(TypeError, match=expected):
            load(tmp_path, typo=1, kind="x")
