"""Tiny configurations: real networks, few channels."""

import pytest
import torch

from musemo_hf import MusemoGanConfig, MusemoViTConfig


@pytest.fixture(scope="session")
def gan_config():
    """`gan_config(**changes)`: 8 to 64 channels, 32 frames."""

    def make(**changes):
        small = {"n_frames": 32, "generator_channels": 16, "discriminator_channels": 4, "group_norm_groups": 2}
        return MusemoGanConfig(**(small | changes))

    return make


@pytest.fixture(scope="session")
def vit_config():
    """`vit_config(**changes)`: two layers of 16, 40 frames in patches of 16 x 16."""

    def make(**changes):
        small = {
            "n_frames": 40,
            "patch_size": (16, 16),
            "hidden_size": 16,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "intermediate_size": 32,
        }
        return MusemoViTConfig(**(small | changes))

    return make


@pytest.fixture(scope="session")
def assert_same_output():
    """`assert_same_output(first, second)` of two models of the same weights, to the last bits of float32.

    What is read from a file lies elsewhere in memory than what was made, and on some processors a product of matrices
    rounds otherwise for it.
    """

    def check(first, second):
        torch.testing.assert_close(first, second, atol=1e-5, rtol=1e-5)

    return check
