"""Tiny networks and short trainings."""

import pytest
import torch

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


def flat(value, name=""):
    """The tensors and numbers of nested states, by their path."""
    if isinstance(value, dict):
        return {key: leaf for inside, part in value.items() for key, leaf in flat(part, f"{name}.{inside}").items()}
    if isinstance(value, (list, tuple)):
        return flat(dict(enumerate(value)), name)
    return {name: value.clone() if torch.is_tensor(value) else value}


@pytest.fixture(scope="session")
def state():
    """`state(trainer, *names)`: a copy of everything that those of its objects hold, of all where none is named."""
    return lambda trainer, *names: {
        key: leaf
        for name in names or trainer.objects
        for key, leaf in flat(trainer.objects[name].state_dict(), name).items()
    }


@pytest.fixture(scope="session")
def assert_same():
    """`assert_same(first, second)`: two states are equal to the bit."""

    def check(first, second):
        assert first.keys() == second.keys()
        equal = {
            name: torch.equal(value, second[name]) if torch.is_tensor(value) else value == second[name]
            for name, value in first.items()
        }
        assert [name for name, same in equal.items() if not same] == []

    return check


class Interrupted(Exception):
    """Stands for the kill that ends a run in the middle."""


@pytest.fixture
def interrupt():
    """`interrupt(trainer, step)` trains until the given step, and there the run is cut off."""

    def run(trainer, step):
        whole = trainer.update

        def cut():
            if trainer.step == step:
                raise Interrupted
            return whole()

        trainer.update = cut
        with pytest.raises(Interrupted):
            trainer.train()

    return run
