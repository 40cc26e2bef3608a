"""Tiny networks and short trainings."""

import pytest

from musemo_hf import MusemoGanConfig, MusemoViTConfig
from musemo_hf.training.configuration import GanTraining

N_FRAMES = 32


@pytest.fixture(scope="session")
def gan_config():
    return MusemoGanConfig(n_frames=N_FRAMES, generator_channels=16, discriminator_channels=4, group_norm_groups=2)


@pytest.fixture(scope="session")
def vit_config():
    return MusemoViTConfig(
        n_frames=N_FRAMES,
        patch_size=(16, 16),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        hidden_dropout_prob=0.1,  # so that a resumed run must repeat the dropout too
    )


@pytest.fixture
def gan_training():
    """`gan_training(**changes)`: eight iterations, a checkpoint every three."""

    def make(**changes):
        short = {"steps": 8, "batch_size": 4, "log_every": 1, "check_every": 4, "checkpoint_every": 3}
        return GanTraining(**(short | changes))

    return make


class Interrupted(Exception):
    """Stands for the kill that ends a run in the middle."""


@pytest.fixture
def interrupt():
    """`interrupt(trainer, step)` trains until the given step, and there the run is cut off."""

    def run(trainer, step, method):
        whole = getattr(trainer, method)

        def cut(*arguments):
            if trainer.step == step:
                raise Interrupted
            return whole(*arguments)

        setattr(trainer, method, cut)
        with pytest.raises(Interrupted):
            trainer.train()

    return run
