"""Tiny configurations (real networks, few channels), and the registry of models for the common tests."""

import copy
from dataclasses import dataclass
from typing import Any

import pytest
import torch

from musemo_hf import (
    MusemoGanConfig,
    MusemoGanDiscriminator,
    MusemoGanGenerator,
    MusemoViTConfig,
    MusemoViTForEmotionRegression,
)

GAN = {"n_frames": 32, "generator_channels": 16, "discriminator_channels": 4, "group_norm_groups": 2}
ENCODER = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
VIT = {"n_frames": 40, "patch_size": (16, 16)} | ENCODER
ALL_HEADS = {"uncertainty": True, "kernel_read_out": True, "kernel_clips": 4, "window_frames": 32}
AST = {"model_type": "audio-spectrogram-transformer", "patch_size": 16, "frequency_stride": 10, "time_stride": 10}
AST = AST | ENCODER | {"num_mel_bins": 128, "max_length": 64}
TRANSFORMER = {"generator_network": "transformer", "transformer_dim": 16, "transformer_layers": 2}
PRETRAINED = {"preset": "modern", "pretrained_discriminator": "not read", "pretrained_config": None}

RECOGNISERS: dict[str, dict[str, Any]] = {
    "recogniser": {},
    "recogniser with all heads": ALL_HEADS,
    "recogniser on an AST": {"backbone_config": AST},
}
GENERATORS: dict[str, dict[str, Any]] = {
    "simple generator": {"preset": "simple"},
    "enhanced generator": {"preset": "enhanced"},
    "modern generator": {"preset": "modern"},
    "transformer generator": TRANSFORMER,
    "columns generator": {"preset": "modern", "column_noise_dim": 4, "noise_dim": 16, "song_dim": 5},
}
DISCRIMINATORS: dict[str, dict[str, Any]] = {
    "simple discriminator": {"preset": "simple"},
    "enhanced discriminator": {"preset": "enhanced"},
    "modern discriminator": {"preset": "modern", "scales": 2},
    "song discriminator": {"preset": "modern", "song_dim": 5, "conditioning": "both"},
    "pretrained discriminator": PRETRAINED,
}


@dataclass
class Case:
    """A kind of model that the common tests are run on."""

    name: str
    model_class: type
    config: Any
    inputs: dict[str, torch.Tensor]

    def model(self):
        """Make a model in evaluation mode; always the same."""
        torch.manual_seed(0)
        model = self.model_class(copy.deepcopy(self.config))
        for buffer in [value for name, value in model.named_buffers() if name.startswith("kernel.")]:
            buffer.copy_(torch.rand(buffer.shape, generator=torch.Generator().manual_seed(1)))
        if self.name in DISCRIMINATORS:
            model(**self.inputs)  # one power iteration, without which a spectral norm is not yet known
        return model.eval()

    @property
    def labels(self):
        """The arguments of a forward that give a loss; none for a GAN, whose loss is not its own."""
        has_loss = self.name in RECOGNISERS
        return {"labels": torch.linspace(-1, 1, 6).view(3, 2)} if has_loss else {}

    def loss(self, output):
        """Return a scalar that depends on all trained weights."""
        return output.loss if self.name in RECOGNISERS else output[0].square().mean()


@pytest.fixture(scope="session")
def gan_config():
    """`gan_config(**changes)`: 8 to 64 channels, 32 frames."""
    return lambda **changes: MusemoGanConfig(**(GAN | changes))


@pytest.fixture(scope="session")
def vit_config():
    """`vit_config(**changes)`: two layers of 16, 40 frames in patches of 16 x 16."""
    return lambda **changes: MusemoViTConfig(**(VIT | changes))


@pytest.fixture
def case_of(gan_config, vit_config, tmp_path_factory):
    """`case_of(name)`: an entry of the registry, with inputs of three clips."""

    def make(name):
        generator = torch.Generator().manual_seed(0)
        emotion = torch.randn(3, 2, generator=generator).clamp(-1, 1)
        if name in RECOGNISERS:
            mel = 2 * torch.rand(3, 1, 128, 40, generator=generator) - 1
            return Case(name, MusemoViTForEmotionRegression, vit_config(**RECOGNISERS[name]), {"spectrogram": mel})
        if name in GENERATORS:
            config = gan_config(**GENERATORS[name])
            noise = torch.randn(3, MusemoGanGenerator(config).noise_dim, generator=generator)
            return Case(name, MusemoGanGenerator, config, {"emotion": emotion, "noise": noise})
        changes = DISCRIMINATORS[name]
        if "pretrained_discriminator" in changes:
            folder = tmp_path_factory.mktemp("recogniser")
            MusemoViTForEmotionRegression(vit_config(n_frames=32)).save_pretrained(folder)
            changes = changes | {"pretrained_discriminator": str(folder)}
        mel = 2 * torch.rand(3, 1, 128, 32, generator=generator) - 1
        return Case(name, MusemoGanDiscriminator, gan_config(**changes), {"spectrogram": mel, "emotion": emotion})

    return make


@pytest.fixture(params=[*RECOGNISERS, *GENERATORS, *DISCRIMINATORS])
def case(request, case_of):
    """Every model of the registry."""
    return case_of(request.param)


@pytest.fixture(params=[*RECOGNISERS])
def encoder_case(request, case_of):
    """Every model of the registry with an encoder, which has hidden states and attention."""
    return case_of(request.param)


@pytest.fixture(scope="session")
def assert_same_output():
    """`assert_same_output(first, second)` of two models of the same weights, to the last bits of float32.

    What is read from a file lies elsewhere in memory than what was made, and on some processors a product of matrices
    rounds otherwise for it.
    """

    def check(first, second):
        torch.testing.assert_close(first, second, atol=1e-5, rtol=1e-5)

    return check
