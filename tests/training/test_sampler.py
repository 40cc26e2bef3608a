import numpy as np
import pytest
import torch

from musemo_hf.training.sampler import batch_indices, seed_step, step_generator


@pytest.mark.parametrize(("n_items", "batch_size"), [(10, 3), (7, 7), (5, 12), (1, 4), (100, 8)])
def test_every_epoch_covers_everything_once(n_items, batch_size):
    steps = 3 * n_items  # a whole number of epochs for any batch size
    drawn = np.concatenate([batch_indices(n_items, batch_size, step, seed=1) for step in range(steps)])
    epochs = drawn.reshape(-1, n_items)
    assert (np.sort(epochs, axis=1) == np.arange(n_items)).all()


def test_a_batch_is_a_function_of_seed_and_step():
    unbroken = [batch_indices(50, 8, step, seed=3) for step in range(20)]
    assert (batch_indices(50, 8, 13, seed=3) == unbroken[13]).all()
    assert not (batch_indices(50, 8, 13, seed=4) == unbroken[13]).all()
    assert batch_indices(50, 8, 13).dtype == np.int64


def test_epochs_are_shuffled_differently():
    first, second = batch_indices(50, 50, 0), batch_indices(50, 50, 1)
    assert not (first == second).all()
    assert not (first == np.arange(50)).all()


@pytest.mark.parametrize("arguments", [(0, 4, 0), (4, 0, 0), (4, 4, -1)])
def test_refuses(arguments):
    with pytest.raises(ValueError, match="expected items, a batch size and a step from 0"):
        batch_indices(*arguments)


def test_generators_are_apart_for_seed_step_and_stream():
    draws = [
        torch.randn(4, generator=step_generator(*key))
        for key in [(0, 0, 0), (0, 0, 1), (0, 1, 0), (1, 0, 0), (1, 1, 1)]
    ]
    assert all(not torch.equal(draws[i], draws[j]) for i in range(5) for j in range(i))
    assert torch.equal(draws[0], torch.randn(4, generator=step_generator(0, 0, 0)))


def test_seed_step_is_apart_for_each_process():
    drawn = []
    for step, rank in ((0, 0), (0, 1), (1, 0), (0, 0)):
        seed_step(5, step, rank)
        drawn.append(torch.rand(3))
    assert torch.equal(drawn[0], drawn[3])
    assert not torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])
