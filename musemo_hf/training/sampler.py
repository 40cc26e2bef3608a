"""Batches as a function of (seed, step), so that a run resumed at any step sees what an unbroken one would."""

import numpy as np
import torch


def batch_indices(n_items: int, batch_size: int, step: int, seed: int = 0) -> np.ndarray:
    """Return the indices of one batch: consecutive parts of one shuffled epoch after another.

    Args:
        n_items: The number of items in the set.
        batch_size: The number of items in a batch over all processes; it may exceed `n_items`.
        step: The number of the batch, from 0.
        seed: The seed of the shuffles.

    Returns:
        int64 `(batch_size,)`; over any whole number of epochs every item is drawn equally often.

    Raises:
        ValueError: There are no items.
    """
    if n_items < 1 or batch_size < 1 or step < 0:
        raise ValueError(f"expected items, a batch size and a step from 0, got {n_items}, {batch_size} and {step}")
    positions = np.arange(step * batch_size, (step + 1) * batch_size)
    epochs = positions // n_items
    orders = {epoch: np.random.default_rng((seed, n_items, epoch)).permutation(n_items) for epoch in np.unique(epochs)}
    return np.array([orders[epoch][position % n_items] for epoch, position in zip(epochs, positions, strict=True)])


def total_steps(steps: int, epochs: float | None, n_items: int, batch_size: int) -> int:
    """Return the number of updates: `steps`, or that of `epochs` passes over the items if given, at least one."""
    return steps if epochs is None else max(1, round(epochs * n_items / batch_size))


def step_generator(seed: int, step: int, stream: int = 0) -> torch.Generator:
    """Return a CPU generator for one step; each use in it (noise, augmentation, ...) has its own `stream`."""
    mixed = np.random.SeedSequence((seed, step, stream)).generate_state(1, np.uint64)[0]
    return torch.Generator().manual_seed(int(mixed >> np.uint64(1)))


def seed_step(seed: int, step: int, rank: int = 0) -> None:
    """Seed the global generators (dropout) for one step, differently in each process."""
    torch.manual_seed(step_generator(seed, step, 1000 + rank).initial_seed())
