"""Tiny configurations: real networks, few channels."""

import pytest

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
