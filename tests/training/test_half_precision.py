"""Training in bfloat16 on a CPU computes what float32 does, up to rounding, and leaves the weights in float32."""

import pytest
import torch
from torch.nn import functional

from musemo_hf import MusemoViTConfig, MusemoViTForEmotionRegression
from musemo_hf.training.clips import Clips
from musemo_hf.training.recogniser.half_precision import InBFloat16, PatchProjection, half_precision_attention
from musemo_hf.training.recogniser.settings import RecogniserTraining
from musemo_hf.training.recogniser.trainer import RecogniserTrainer

TINY = {"n_frames": 40, "patch_size": (16, 16), "hidden_size": 32, "num_hidden_layers": 2}
TINY |= {"num_attention_heads": 2, "intermediate_size": 64}


def test_attention_is_the_usual_one():
    query, key, value = (torch.randn(2, 3, 7, 8, generator=torch.Generator().manual_seed(i)) for i in range(3))
    output, _ = half_precision_attention(torch.nn.Identity(), query, key, value, None, 0.3)
    expected = functional.scaled_dot_product_attention(query, key, value, scale=0.3).transpose(1, 2)
    torch.testing.assert_close(output, expected)


def test_patches_are_projected_as_by_the_convolution():
    torch.manual_seed(0)
    convolution = torch.nn.Conv2d(2, 5, kernel_size=(4, 3), stride=(4, 3))
    projection = PatchProjection.of(convolution)
    assert projection.weight is convolution.weight
    assert projection.state_dict().keys() == convolution.state_dict().keys()
    image = torch.randn(3, 2, 8, 9)
    gradients = []
    for layer in (convolution, projection):
        output = layer(image)
        gradients.append((output, *torch.autograd.grad(output.square().sum(), (layer.weight, layer.bias))))
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("window", [None, 24])
def test_gradients_are_those_of_float32_up_to_rounding(window):
    torch.manual_seed(0)
    network = MusemoViTForEmotionRegression(MusemoViTConfig(**TINY, window_frames=window)).train()
    inputs = {"spectrogram": torch.rand(16, 1, 128, 40) * 2 - 1, "labels": torch.rand(16, 2) * 2 - 1}
    found = []
    for call in (network, InBFloat16(network)):
        torch.manual_seed(1)  # the places of windows
        network.zero_grad(set_to_none=True)
        call(**inputs).loss.backward()
        found.append(torch.cat([value.grad.flatten() for value in network.parameters()]))
    assert {value.dtype for value in network.parameters()} == {found[1].dtype} == {torch.float32}
    assert functional.cosine_similarity(*found, dim=0) > 0.99
    assert found[1].norm() == pytest.approx(found[0].norm().item(), rel=0.05)


def test_the_trained_model_is_an_ordinary_one():
    torch.manual_seed(0)
    clips = Clips(torch.rand(12, 1, 128, 40) * 2 - 1, torch.rand(12, 2) * 2 - 1)
    config = MusemoViTConfig(**TINY)
    attention = config._attn_implementation
    trainer = RecogniserTrainer(config, RecogniserTraining(steps=3, batch_size=4, bfloat16=True), clips)
    assert trainer.config._attn_implementation != attention
    assert config._attn_implementation == attention  # the caller's stays as it was
    assert isinstance(trainer.model, InBFloat16)
    model = trainer.train()
    ordinary = MusemoViTForEmotionRegression(MusemoViTConfig(**TINY))
    assert model.config._attn_implementation == ordinary.config._attn_implementation
    assert not any(isinstance(module, PatchProjection) for module in model.modules())
    assert {value.dtype for value in model.parameters()} == {torch.float32}
